"""Which values may be missing: where training had gaps, or where somebody says so."""

from typing import Any

import numpy as np
import pandas as pd

from tests.zoo import artifact, training
from tests.zoo.applicants import EVERY_FIFTH, NUMBERS, PURPOSES, with_column, with_gaps
from tests.zoo.variant import Variant

WITH_GAPS = with_gaps("income")


def signature(data: pd.DataFrame, name: str, **changes: Any) -> list[artifact.Column]:
    """The signature of the data as MLflow 1 wrote it, with one column changed."""
    plain = [{key: column[key] for key in ("type", "name")} for column in artifact.inferred(data)]
    return [column | (changes if column["name"] == name else {}) for column in plain]


def nullable(name: str, value: bool) -> dict[str, Any]:
    return {"features": {name: {"nullable": value}}}


def trained_with_gaps(_: pd.DataFrame, target: Any, options: training.Options) -> Any:
    return training.classifier(WITH_GAPS, target, options)


VARIANTS = (
    Variant("a number that had gaps in training", data=WITH_GAPS, nullable=("income",)),
    Variant(
        "the same, with `required: true` in the signature",
        data=WITH_GAPS,
        inputs=signature(WITH_GAPS, "income", required=True),
        nullable=("income",),
    ),
    Variant("a number without gaps in training"),
    Variant("the same, with `nullable: true` in the metadata", metadata=nullable("income", True), nullable=("income",)),
    Variant(
        "the same, with `required: false` in the signature",
        inputs=signature(NUMBERS, "income", required=False),
        nullable=("income",),
    ),
    Variant(
        "the same, with `optional: true`, as MLflow 2.9 wrote it",
        inputs=signature(NUMBERS, "income", optional=True),
        nullable=("income",),
    ),
    Variant(
        "a number that had gaps in training, with `nullable: false` in the metadata",
        train=trained_with_gaps,
        metadata=nullable("income", False),
    ),
    Variant(
        "a whole number with gaps, as pandas' `Int64`",
        data=NUMBERS.assign(age=NUMBERS["age"].astype("Int64").mask(EVERY_FIFTH)),
        nullable=("age",),
    ),
    Variant("a whole number with gaps, which pandas makes a fraction", data=with_gaps("age"), nullable=("age",)),
    Variant(
        "a whole number of 32 bits with gaps, as pandas' `Int32`, with `required: true`",
        data=NUMBERS.assign(age=NUMBERS["age"].astype("Int32").mask(EVERY_FIFTH)),
        inputs=signature(NUMBERS, "age", type="integer", required=True),
        nullable=("age",),
    ),
    Variant(
        "a boolean with gaps",
        data=NUMBERS.assign(employed=NUMBERS["employed"].astype(object).mask(EVERY_FIFTH, None)),
        nullable=("employed",),
    ),
    Variant(
        "the same, with `required: true` in the signature",
        data=NUMBERS.assign(employed=NUMBERS["employed"].astype(object).mask(EVERY_FIFTH, None)),
        inputs=signature(NUMBERS, "employed", required=True),
        nullable=("employed",),
    ),
    Variant("a number of 32 bits with gaps", data=WITH_GAPS.astype({"income": np.float32}), nullable=("income",)),
    Variant(
        "a number that had gaps in training, behind a category",
        data=WITH_GAPS.assign(purpose=PURPOSES.astype(object))[["purpose", "age", "income"]],
        options={"cat_features": ["purpose"]},
        nullable=("income",),
    ),
    Variant(
        "a number that had gaps in training, with `nan_mode` `Max`",
        data=WITH_GAPS,
        options={"nan_mode": "Max"},
        nullable=("income",),
    ),
    Variant("a column that had no value at all in training", data=with_column("other", np.nan), nullable=("other",)),
    Variant(
        "the same, of which MLflow writes the type `any`",
        data=with_column("other", np.nan),
        inputs=[*artifact.inferred(NUMBERS), {"type": "any", "name": "other", "required": False}],
        nullable=("other",),
        told=("signature-types-unknown",),
    ),
)

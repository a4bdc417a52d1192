"""Signatures: none, of tensors, without names, in another order, with too much and with too little."""

from typing import Any

import pandas as pd

from tests.zoo import artifact, training
from tests.zoo.applicants import FRACTIONS, NUMBERS
from tests.zoo.variant import Variant

COLUMNS = artifact.inferred(NUMBERS)
UNNAMED: list[artifact.Column] = [{"type": column["type"], "required": True} for column in COLUMNS]
ANYTHING: list[artifact.Column] = [{"type": "any", "required": True}]
NUMBERED = FRACTIONS.set_axis([0, 1], axis=1)
ID: artifact.Column = {"type": "long", "name": "id", "required": True}
AS_FRACTIONS = NUMBERS.astype(float)


def tensor(width: int) -> list[artifact.Column]:
    return [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, width]}}]


def as_array(data: pd.DataFrame) -> Any:
    """Take the names from CatBoost, which then numbers the features."""
    return data.to_numpy()


def column(kind: Any, name: Any = "age") -> list[artifact.Column]:
    return [each | ({"type": kind, "name": name} if each["name"] == "age" else {}) for each in COLUMNS]


VARIANTS = (
    Variant("as `infer_signature` makes it of a data frame"),
    Variant("none", data=AS_FRACTIONS, inputs=None, told=("signature-missing",)),
    Variant("an empty one", data=AS_FRACTIONS, inputs=[], told=("signature-missing",)),
    Variant(
        "none, and the model was trained on an array",
        data=FRACTIONS,
        prepare=as_array,
        inputs=None,
        names=("0", "1"),
        told=("signature-missing",),
    ),
    Variant("of tensors, and the model has names", data=FRACTIONS, inputs=tensor(2), told=("signature-of-tensors",)),
    Variant(
        "of tensors, and the model was trained on an array",
        data=FRACTIONS,
        prepare=as_array,
        inputs=tensor(2),
        names=("0", "1"),
        told=("signature-of-tensors",),
    ),
    Variant("of tensors of any width", data=FRACTIONS, inputs=tensor(-1), told=("signature-of-tensors",)),
    Variant("without names", inputs=UNNAMED, told=("signature-without-names",)),
    Variant(
        "of names, and the model was trained on an array",
        data=FRACTIONS,
        prepare=as_array,
        told=("model-without-names",),
    ),
    Variant("in another order than the model", inputs=COLUMNS[::-1]),
    Variant(
        "with columns that the model does not use",
        inputs=[
            {"type": "datetime", "name": "when", "required": True},
            *COLUMNS,
            ID,
        ],
        told=("signature-columns-unused",),
    ),
    Variant("of numbers for names", data=NUMBERED),
    Variant("of numbers for names, and the model was trained on an array", data=NUMBERED, prepare=as_array),
    Variant(
        "of numbers for names in another order, and the model was trained on an array",
        data=FRACTIONS.set_axis([1, 0], axis=1),
        prepare=as_array,
        rejected="features-numbered",
    ),
    Variant(
        "of more numbers for names, and the model was trained on an array",
        data=NUMBERED,
        prepare=as_array,
        inputs=[*artifact.inferred(NUMBERED), {"type": "double", "name": 2, "required": True}],
        rejected="features-numbered",
    ),
    Variant("of numbers for names, written as text", data=FRACTIONS.set_axis(["0", "1"], axis=1)),
    Variant("of fractions for names", data=FRACTIONS.set_axis([0.5, 1.5], axis=1)),
    Variant("of names of two levels", data=FRACTIONS.set_axis([("now", "income"), ("now", "debt")], axis=1)),
    Variant(
        "with a column twice that the model does not use, and notes on it",
        inputs=[*COLUMNS, ID, ID],
        metadata={"features": {"id": {"description": "Who it is."}}},
        told=("signature-columns-unused",),
    ),
    Variant("a column of type `any`", inputs=column("any"), told=("signature-types-unknown",)),
    Variant(
        "one `any` for the whole, as MLflow writes it of types that it does not know",
        data=AS_FRACTIONS,
        inputs=ANYTHING,
        told=("signature-of-anything",),
    ),
    Variant("without one of the model's features", inputs=COLUMNS[:2], rejected="features-differ"),
    Variant("of other features than the model", inputs=column("long", "years"), rejected="features-differ"),
    Variant("without names, and of fewer columns", inputs=UNNAMED[:2], rejected="features-count"),
    Variant(
        "of more names than the model has features, which was trained on an array",
        data=FRACTIONS,
        prepare=as_array,
        inputs=[*artifact.inferred(FRACTIONS), {"type": "double", "name": "rent", "required": True}],
        rejected="features-count",
    ),
    Variant("of tensors of another width", data=FRACTIONS, inputs=tensor(3), rejected="features-count"),
    Variant("with a name twice", inputs=[*COLUMNS, COLUMNS[0]], rejected="features-repeated"),
    Variant(
        "with a name twice, and the model was trained on an array",
        data=FRACTIONS,
        prepare=as_array,
        inputs=[{"type": "double", "name": "debt", "required": True}] * 2,
        rejected="features-repeated",
    ),
    Variant(
        "none, and the model has a name twice, by `set_feature_names`",
        data=FRACTIONS,
        train=training.of_one_name,
        inputs=None,
        example=None,
        rejected="features-repeated",
    ),
    Variant("with a date for a feature", inputs=column("datetime"), rejected="feature-type-unsupported"),
    Variant(
        "with an array for a feature",
        inputs=column("array"),
        rejected="feature-type-unsupported",
    ),
)

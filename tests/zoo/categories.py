"""Categories: text, whole numbers and booleans, with gaps and without."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tests.zoo import artifact
from tests.zoo.applicants import EVERY_FIFTH, NUMBERS, PURPOSES, random, with_column
from tests.zoo.variant import Variant

PURPOSE = with_column("purpose", PURPOSES.astype(object))
OPTIONAL = with_column("purpose", pd.Series(PURPOSES.astype(object)).mask(EVERY_FIFTH, None))
REGION = with_column("region", random.integers(1, 9, len(NUMBERS)))
GAPPED_REGION = REGION.assign(region=REGION["region"].astype("Int64").mask(EVERY_FIFTH))
MANY = with_column("town", [f"town {i % 17}" for i in range(len(NUMBERS))]).assign(purpose=PURPOSES.astype(object))


def categorical(*names: str, **options: Any) -> dict[str, Any]:
    return {"cat_features": [*names], **options}


def filled(name: str, missing: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Do as one must before CatBoost takes categories with gaps: write them all as text."""

    def prepare(data: pd.DataFrame) -> pd.DataFrame:
        text = [missing if pd.isna(value) else str(value) for value in data[name]]
        return data.assign(**{name: pd.Series(text, dtype=object)})

    return prepare


def typed(data: pd.DataFrame, name: str, kind: str) -> list[artifact.Column]:
    return [column | ({"type": kind} if column["name"] == name else {}) for column in artifact.inferred(data)]


VARIANTS = (
    Variant("text", data=PURPOSE, options=categorical("purpose")),
    Variant(
        "text, as a `category` of pandas", data=PURPOSE.astype({"purpose": "category"}), options=categorical("purpose")
    ),
    Variant(
        "text, as a `string` of pandas", data=PURPOSE.astype({"purpose": "string"}), options=categorical("purpose")
    ),
    Variant("whole numbers", data=REGION, options=categorical("region")),
    Variant(
        "whole numbers, as a `category` of pandas",
        data=REGION.astype({"region": "category"}),
        options=categorical("region"),
    ),
    Variant("whole numbers of 8 bits", data=REGION.astype({"region": np.int8}), options=categorical("region")),
    Variant("booleans", data=NUMBERS, options=categorical("employed")),
    Variant(
        "booleans, as a `category` of pandas",
        data=NUMBERS.astype({"employed": "category"}),
        options=categorical("employed"),
    ),
    Variant(
        "text with gaps, with `metadata.missing_category: unknown`",
        data=OPTIONAL,
        options=categorical("purpose"),
        prepare=filled("purpose", "unknown"),
        metadata={"missing_category": "unknown"},
        nullable=("purpose",),
    ),
    Variant(
        "text with gaps, `required: false` in the signature: a missing one is `nan`",
        data=OPTIONAL,
        options=categorical("purpose"),
        prepare=filled("purpose", "nan"),
        nullable=("purpose",),
    ),
    Variant(
        "text, with `required: true` in the signature and `metadata.missing_category: unknown`",
        data=OPTIONAL,
        inputs=artifact.inferred(PURPOSE),
        options=categorical("purpose"),
        prepare=filled("purpose", "unknown"),
        metadata={"missing_category": "unknown"},
        nullable=("purpose",),
    ),
    Variant(
        "whole numbers with gaps, with `metadata.missing_category: none`",
        data=GAPPED_REGION,
        options=categorical("region"),
        prepare=filled("region", "none"),
        metadata={"missing_category": "none"},
        nullable=("region",),
    ),
    Variant(
        "two of them, combined by CatBoost",
        data=MANY,
        options=categorical("purpose", "town", max_ctr_complexity=4, iterations=20),
    ),
    Variant("one-hot encoded by CatBoost", data=MANY, options=categorical("purpose", "town", one_hot_max_size=50)),
    Variant(
        "with allowed values in the metadata",
        data=PURPOSE,
        options=categorical("purpose"),
        metadata={"features": {"purpose": {"values": sorted({*PURPOSES.tolist()})}}},
    ),
    Variant("nothing but categories", data=MANY[["town", "purpose"]], options=categorical("town", "purpose")),
    Variant(
        "without a signature",
        data=PURPOSE.astype({"employed": float}),
        inputs=None,
        options=categorical("purpose"),
        told=("signature-missing",),
    ),
    Variant(
        "whole numbers, without a signature: they come as text",
        data=REGION.astype({"employed": float, "region": str}),
        inputs=None,
        options=categorical("region"),
        told=("signature-missing",),
    ),
    Variant(
        "whole numbers, which the signature has as fractions",
        data=REGION,
        inputs=typed(REGION, "region", "double"),
        options=categorical("region"),
        rejected="feature-not-a-fraction",
    ),
    Variant(
        "whole numbers, which the signature has as text and the model as numbers",
        data=REGION,
        inputs=typed(REGION, "region", "string"),
        rejected="feature-not-a-category",
    ),
)

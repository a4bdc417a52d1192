"""What a model is trained from: rows, target and the contract of each feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

FeatureType = Literal["double", "long", "boolean", "string"]
FeatureInput = Mapping[str, Any]
"""One entry of the signature's inputs: `name`, `type` (of a feature) and `required`."""


class TrainingError(Exception):
    """The model cannot be trained from what was given; the message says why in one sentence."""


@dataclass(frozen=True)
class Feature:
    """The contract of one feature; `ge` and `le` are inclusive bounds, an empty `values` allows any text."""

    name: str
    type: FeatureType
    description: str | None = None
    required: bool = True
    ge: float | None = None
    le: float | None = None
    values: tuple[str, ...] = ()

    def signature_input(self) -> dict[str, Any]:
        """Return the feature as one input of an MLflow signature."""
        return {"type": self.type, "name": self.name, "required": self.required}

    def metadata(self) -> dict[str, Any]:
        """Return what the signature cannot say: the description, and the bounds or values where there are any."""
        stated: dict[str, Any] = {} if self.description is None else {"description": self.description}
        if self.ge is not None:
            stated["ge"] = self.ge
        if self.le is not None:
            stated["le"] = self.le
        if self.values:
            stated["values"] = list(self.values)
        return stated


@dataclass(frozen=True)
class TrainingData:
    """Rows to learn from, in the order of `features`.

    `rows` has one column per feature, NaN or None where a value is missing; `target` is 1 for the positive class (a
    default) and 0 otherwise. `input_example` is one row as a client would send it. `ordered` lists features that must
    not decrease from one to the next. `missing_category` stands for a missing text value, and is no value itself.
    `notes` are sentences about the data that whoever trains should read; `feature_notes` and `groups` are notes on the
    features for the metadata of the model.
    """

    name: str
    origin: str
    features: tuple[Feature, ...]
    rows: pd.DataFrame
    target: npt.NDArray[np.int64]
    input_example: dict[str, Any]
    ordered: tuple[tuple[str, ...], ...] = ()
    missing_category: str = "missing"
    notes: tuple[str, ...] = ()
    feature_notes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def signature_inputs(self) -> list[dict[str, Any]]:
        """The features as the inputs of an MLflow signature."""
        return [feature.signature_input() for feature in self.features]

    def contract(self) -> dict[str, Any]:
        """Return the part of the model's metadata that says which rows are valid, and what people call their features."""
        return {
            "features": {
                feature.name: {**feature.metadata(), **self.feature_notes.get(feature.name, {})}
                for feature in self.features
            },
            **({"groups": dict(self.groups)} if self.groups else {}),
            "ordered": [list(names) for names in self.ordered],
            "missing_category": self.missing_category,
        }


def catboost_frame(rows: pd.DataFrame, inputs: Sequence[FeatureInput], missing_category: str) -> pd.DataFrame:
    """Return `rows` as CatBoost learns from them, with one column per input and in that order.

    Numbers and booleans become float64 with NaN where missing; text stays text, `missing_category` where missing.
    """
    columns = {}
    for feature in inputs:
        is_text = feature["type"] == "string"
        column = rows[feature["name"]].astype(object)
        filled = column.where(column.notna(), missing_category if is_text else float("nan"))
        columns[feature["name"]] = filled if is_text else filled.astype("float64")
    return pd.DataFrame(columns)

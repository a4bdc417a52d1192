"""Writes what MLflow writes beside a model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pandas.api import types

Column = dict[str, Any]

ORIGIN = {
    "artifact_path": "model",
    "is_signature_from_type_hint": False,
    "mlflow_version": "3.17.2",
    "model_id": "m-7016d5c17b87406e8939341c17e7fa94",
    "model_size_bytes": 7883,
    "model_uuid": "m-7016d5c17b87406e8939341c17e7fa94",
    "prompts": None,
    "run_id": "1b51821a27674d599cfdaf68275efa5a",
    "type_hint_from_example": False,
    "utc_time_created": "2026-01-02 03:04:05.678901",
}
"""What MLflow 3 says of where a model comes from."""


def flavors(data: str = "model.cb", save_format: str = "cbm") -> dict[str, Any]:
    """The two flavours, as `mlflow.catboost` writes them."""
    catboost = {"catboost_version": "1.2.10", "code": None, "data": data, "model_type": "CatBoostClassifier"}
    python = {
        "data": data,
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        "loader_module": "mlflow.catboost",
        "python_version": "3.11.7",
    }
    return {"catboost": {**catboost, "save_format": save_format}, "python_function": python}


def write_mlmodel(folder: Path, inputs: list[Column] | None, metadata: Mapping[str, Any], **changes: Any) -> None:
    """Write `MLmodel`; without inputs, it has no signature."""
    content = {"flavors": flavors(), **ORIGIN}
    if metadata:
        content["metadata"] = dict(metadata)
    if inputs is not None:
        outputs = json.dumps([{"type": "long", "required": True}])
        content["signature"] = {"inputs": json.dumps(inputs), "outputs": outputs, "params": None}
    (folder / "MLmodel").write_text(yaml.safe_dump(content | changes), encoding="utf-8")


def inferred(data: pd.DataFrame) -> list[Column]:
    """The columns that `mlflow.models.infer_signature` makes of a data frame."""
    return [
        {"type": _type(values), "name": name, "required": not bool(values.isna().any())}
        for name, values in data.items()
    ]


def _type(values: "pd.Series[Any]") -> str:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return _type(values.cat.categories.to_series())
    if types.is_object_dtype(values):
        # Booleans with gaps.
        return "string" if isinstance(values.dropna().iloc[0], str) else "boolean"
    if types.is_bool_dtype(values):
        return "boolean"
    if types.is_integer_dtype(values):
        return "long" if np.dtype(str(values.dtype).lower()).itemsize == 8 else "integer"
    if types.is_float_dtype(values):
        return "float" if np.dtype(str(values.dtype).lower()).itemsize == 4 else "double"
    return "string"


def split(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """An example of rows, as MLflow writes one of a data frame."""
    return {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}

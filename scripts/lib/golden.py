"""Golden rows: rows, and the scores that the model must give them wherever it is loaded."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
from pydantic import ValidationError

from shared.contract.contract import Contract, Row
from shared.errors import BadArtifact
from shared.models import example
from shared.models.artifact import Model
from shared.models.files import GOLDEN_FILE

MAX_ROWS = 50


def rows_of(model: Model) -> list[Row]:
    """Give the rows that the model brings along, or else those of its input example that keep its contract; maybe none."""
    path = model.folder / GOLDEN_FILE
    if path.is_file():
        rows: list[Row] = json.loads(path.read_bytes())["rows"]
        return rows
    return [typed(row, model.contract) for row in example.valid_rows(model.folder, model.contract, MAX_ROWS)]


def scored(model: Model, rows: Sequence[Row]) -> dict[str, Any]:
    """Give what golden.json holds: the rows, and their scores as the service itself computes them.

    Raises BadArtifact if a row breaks the model's contract.
    """
    try:
        batch = model.contract.to_batch([typed(row, model.contract) for row in rows])
    except ValidationError as error:
        raise BadArtifact("golden-invalid", file=GOLDEN_FILE) from error
    scores = model.scorer.score_batch(batch).tolist()
    return {"positive_class": model.positive_class, "rows": list(rows), "scores": scores}


def typed(row: Row, contract: Contract) -> Row:
    """Read a row that keeps the contract as the service reads it: 77.0 is 77 where the feature is an integer."""
    return contract.row_adapter.validate_json(json.dumps(row))


def rows_of_frame(frame: pd.DataFrame, contract: Contract) -> list[Row]:
    """Write the rows of a data frame as a client would send them, None for what is missing; raises ValueError for a gap in it."""
    absent = [name for name in contract.names if name not in frame.columns]
    if absent:
        raise ValueError(f"The golden rows lack the features {', '.join(absent)}.")
    kinds = [feature.kind.python for feature in contract.features]
    return [
        {
            name: None if pd.isna(value) else kind(value)
            for name, kind, value in zip(contract.names, kinds, values, strict=True)
        }
        for values in frame[contract.names].itertuples(index=False, name=None)
    ]

"""The input example that MLflow wrote beside a model, in whichever form, as one row that a client could send."""

import json
from collections.abc import Callable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.contract.contract import Contract, Row
from shared.contract.mlmodel import column_name
from shared.reasons import Reason

EXAMPLE_FILE = "input_example.json"
SERVING_EXAMPLE_FILE = "serving_input_example.json"

MAX_BYTES = 2**22


def read(folder: Path, contract: Contract) -> tuple[Row | None, Reason | None]:
    """Give the first row of the example; None, with the reason, where there is one that is of no use to anybody."""
    reason = None
    for name in (EXAMPLE_FILE, SERVING_EXAMPLE_FILE):
        path = folder / name
        if not path.is_file():
            continue
        row = _first_row(path, contract)
        if row is None:
            reason = reason or Reason("example-unreadable", {"file": name})
        elif _is_valid(row, contract):
            return row, None
        else:
            reason = reason or Reason("example-invalid", {"file": name})
    return None, reason


def _is_valid(row: Row, contract: Contract) -> bool:
    try:
        # From its JSON text, as a client would send it.
        return not contract.unordered(contract.row_adapter.validate_json(json.dumps(row)))
    except (ValidationError, ValueError):
        return False


def _first_row(path: Path, contract: Contract) -> Row | None:
    """Read the first row, with the features that the contract has; None if the file has no row in a form that MLflow writes."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        found = _row_of(json.loads(path.read_bytes()), contract)
    except (OSError, ValueError, RecursionError, TypeError, LookupError, AttributeError):
        return None
    return None if found is None else {name: _plain(found[name]) for name in contract.names if name in found}


def _row_of(content: Any, contract: Contract) -> Row | None:
    if isinstance(content, list):
        if content and isinstance(content[0], Mapping):
            return dict(content[0])
        values = content[0] if content and isinstance(content[0], list) else content
        return _without_names(values, contract) if values else None
    for key, inner in FORMS.items():
        if key in content:
            return inner(content[key], contract)
    if "data" in content and ("columns" in content or content.keys() <= {"index", "data"}):
        return _split(content, contract)
    # Columns by name, or one row.
    return {str(name): value[0] if isinstance(value, list) else value for name, value in content.items()}


def _split(content: Any, contract: Contract) -> Row:
    values = content["data"][0]
    if "columns" not in content:
        return _without_names(values, contract)
    return dict(zip(map(column_name, content["columns"]), values, strict=True))


def _without_names(values: Sequence[Any], contract: Contract) -> Row:
    """Read a row of a tensor, or of a data frame whose columns are numbered, for which MLflow writes no names."""
    numbers = [*map(str, range(len(values)))]
    return dict(zip(numbers if {*numbers} == {*contract.names} else contract.names, values, strict=True))


FORMS: dict[str, Callable[[Any, Contract], Row | None]] = {
    "dataframe_split": _split,
    "dataframe_records": _row_of,
    "inputs": _row_of,
    "instances": _row_of,
}


def _plain(value: Any) -> Any:
    """Take NaN, which MLflow writes, for what it means."""
    return None if isinstance(value, float) and isnan(value) else value

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
    for path in _files(folder):
        rows = _rows(path, contract)
        if not rows:
            reason = reason or Reason("example-unreadable", {"file": path.name})
        elif _is_valid(rows[0], contract):
            return rows[0], None
        else:
            reason = reason or Reason("example-invalid", {"file": path.name})
    return None, reason


def valid_rows(folder: Path, contract: Contract, limit: int) -> list[Row]:
    """Give the rows of the example that keep the contract, of its first ones, up to so many; none where there is no example."""
    for path in _files(folder):
        if found := [row for row in _rows(path, contract)[:limit] if _is_valid(row, contract)]:
            return found
    return []


def _files(folder: Path) -> list[Path]:
    return [folder / name for name in (EXAMPLE_FILE, SERVING_EXAMPLE_FILE) if (folder / name).is_file()]


def _is_valid(row: Row, contract: Contract) -> bool:
    try:
        # From its JSON text, as a client would send it.
        return not contract.unordered(contract.row_adapter.validate_json(json.dumps(row)))
    except (ValidationError, ValueError):
        return False


def _rows(path: Path, contract: Contract) -> list[Row]:
    """Read the rows, with the features that the contract has; none if the file is in no form that MLflow writes."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return []
        found = _rows_of(json.loads(path.read_bytes()), contract)
        return [{name: _plain(row[name]) for name in contract.names if name in row} for row in found]
    except (OSError, ValueError, RecursionError, TypeError, LookupError, AttributeError):
        return []


def _rows_of(content: Any, contract: Contract) -> list[Row]:
    if isinstance(content, list):
        if content and isinstance(content[0], Mapping):
            return [dict(row) for row in content]
        # A tensor: rows without names.
        table = content if content and isinstance(content[0], list) else [content]
        return [_without_names(values, contract) for values in table if values]
    for key, inner in FORMS.items():
        if key in content:
            return inner(content[key], contract)
    if "data" in content and ("columns" in content or content.keys() <= {"index", "data"}):
        return _split(content, contract)
    return _by_column(content)


def _by_column(content: Mapping[Any, Any]) -> list[Row]:
    """Read columns by name, or one row."""
    names = [str(name) for name in content]
    columns = [values if isinstance(values, list) else [values] for values in content.values()]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _without_names(values: Sequence[Any], contract: Contract) -> Row:
    """Read a row of a tensor, or of a data frame whose columns are numbered, for which MLflow writes no names."""
    numbers = [*map(str, range(len(values)))]
    return dict(zip(numbers if {*numbers} == {*contract.names} else contract.names, values, strict=True))


def _split(content: Any, contract: Contract) -> list[Row]:
    if "columns" not in content:
        return [_without_names(values, contract) for values in content["data"]]
    names = [column_name(name) for name in content["columns"]]
    return [dict(zip(names, values, strict=True)) for values in content["data"]]


FORMS: dict[str, Callable[[Any, Contract], list[Row]]] = {
    "dataframe_split": _split,
    "dataframe_records": _rows_of,
    "inputs": _rows_of,
    "instances": _rows_of,
}


def _plain(value: Any) -> Any:
    """Take NaN, which MLflow writes, for what it means."""
    return None if isinstance(value, float) and isnan(value) else value

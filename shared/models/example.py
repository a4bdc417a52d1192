"""The input example that MLflow wrote beside a model, in whichever form, as one row that a client could send."""

import json
from collections.abc import Callable, Mapping
from math import isnan
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.contract.contract import Contract, Row
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
        # A tensor: rows without names.
        values = content[0] if content and isinstance(content[0], list) else content
        return dict(zip(contract.names, values, strict=True)) if values else None
    for key, inner in FORMS.items():
        if key in content:
            return inner(content[key], contract)
    if {"columns", "data"} <= content.keys():
        return _split(content, contract)
    # Columns by name, or one row.
    return {str(name): value[0] if isinstance(value, list) else value for name, value in content.items()}


def _split(content: Any, _: Contract) -> Row:
    return dict(zip(map(str, content["columns"]), content["data"][0], strict=True))


FORMS: dict[str, Callable[[Any, Contract], Row | None]] = {
    "dataframe_split": _split,
    "dataframe_records": _row_of,
    "inputs": _row_of,
    "instances": _row_of,
}


def _plain(value: Any) -> Any:
    """Take NaN, which MLflow writes, for what it means."""
    return None if isinstance(value, float) and isnan(value) else value

"""One row that was copied from elsewhere: an object of JSON, or one line of CSV, with or without its header."""

import csv
import json
from collections.abc import Sequence
from typing import Any

from ui.batch.delimited import DELIMITERS, guess_decimal

MAX_CHARACTERS = 200_000
"""Of a text to be pasted."""


class NotARow(Exception):
    """What was pasted is not one row; `reason` is the end of the key of a sentence, `facts` are its values."""

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.facts = facts


def read_row(text: str, features: Sequence[str]) -> dict[str, Any]:
    """Return the values by feature: those of JSON as they are, those of CSV as text; raises NotARow."""
    bare = text.strip().removeprefix("\N{BYTE ORDER MARK}")
    if not bare:
        raise NotARow("empty")
    row = _of_json(bare) if bare[0] in "{[" else _of_csv(bare, features)
    if not row.keys() & set(features):
        raise NotARow("strange")
    return row


def _of_json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Several lines of NDJSON are several values.
        raise NotARow("not_json") from error
    if isinstance(value, dict) and isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        value = [dict(zip(map(str, value["columns"]), line, strict=False)) for line in value["data"]]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, list) and value and all(isinstance(it, dict) for it in value):
        raise NotARow("several")
    if not isinstance(value, dict):
        raise NotARow("not_json")
    return value


def _of_csv(text: str, features: Sequence[str]) -> dict[str, Any]:
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    try:
        lines = [line for line in csv.reader(text.splitlines(), delimiter=delimiter) if line]
    except csv.Error as error:
        raise NotARow("strange") from error
    named = {name.strip() for name in lines[0]} & set(features)
    header, rows = (lines[0], lines[1:]) if named else (list(features), lines)
    if len(rows) != 1:
        raise NotARow("several" if rows else "header_only")
    if len(rows[0]) != len(header):
        raise NotARow("count", found=len(rows[0]), expected=len(header))
    decimal, _ = guess_decimal([tuple(rows[0])], delimiter)
    return {
        name.strip(): value.replace(",", ".", 1) if decimal == "," and _is_number(value) else value
        for name, value in zip(header, rows[0], strict=True)
    }


def _is_number(value: str) -> bool:
    try:
        float(value.replace(",", ".", 1))
    except ValueError:
        return False
    return True

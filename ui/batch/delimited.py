"""The beginning of a CSV file: delimiter, decimal sign, header and first rows."""

import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from ui.batch.content import Beginning, Unreadable

DELIMITERS = (",", ";", "\t", "|")
DECIMALS = (".", ",")
MAX_ROWS = 10
"""Rows of a preview."""
_COMMA, _POINT = (re.compile(rf"\s*[-+]?\d*{mark}\d+\s*") for mark in (",", r"\."))
_THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2},\d{3}\s*")
"""Either thousands or three decimals: `45,000`."""

_SEPARATOR_LINE = re.compile(r'(?:\r?\n)*"?sep=(.)"?(?:\r?\n|$)', re.IGNORECASE)
"""A first line as written for Excel: it says the delimiter, and is not the header."""

Row = tuple[str, ...]


@dataclass(frozen=True)
class Delimited:
    """The header and the first rows, as text."""

    columns: Row
    rows: tuple[Row, ...]


def guess_delimiter(beginning: Beginning, features: Collection[str]) -> str:
    """Return the delimiter that the first line says, else that with which the header has the most features, then fields."""
    if said := _SEPARATOR_LINE.match(beginning.lines):
        return said[1]
    line = beginning.lines.lstrip("\r\n").splitlines()[0]

    def worth(delimiter: str) -> tuple[int, int]:
        fields = next(csv.reader([line], delimiter=delimiter), [])
        return len(set(fields) & set(features)), len(fields)

    try:
        return max(DELIMITERS, key=worth)
    except csv.Error as error:
        raise Unreadable("broken") from error


def guess_decimal(rows: Sequence[Row], delimiter: str) -> tuple[str, str | None]:
    """Choose the comma if some numbers have one and none has a point, but not if it may separate thousands.

    With the point, the service reports such a value as invalid; with the comma, it would score another number. Also
    returns one such value, if no other number settles the question.
    """
    values = [value for row in rows for value in row]
    with_comma = list(filter(_COMMA.fullmatch, values))
    if delimiter == "," or not with_comma or any(map(_POINT.fullmatch, values)):
        return ".", None
    if all(map(_THOUSANDS.fullmatch, with_comma)):
        return ".", with_comma[0].strip()
    return ",", None


def read_delimited(beginning: Beginning, delimiter: str) -> Delimited:
    """Read the header and the first rows; raises Unreadable if one of them is missing."""
    said = _SEPARATOR_LINE.match(beginning.lines)
    text = beginning.lines[said.end() :] if said else beginning.lines
    try:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        header, *rows = islice((tuple(record) for record in records if record), MAX_ROWS + 1)
    except (csv.Error, ValueError) as error:
        raise Unreadable("broken") from error
    if not rows:
        raise Unreadable("header_only")
    return Delimited(header, tuple(rows))

"""The beginning of a CSV file: what stands between its fields, how it writes decimals, its header and first rows."""

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

Row = tuple[str, ...]


@dataclass(frozen=True)
class Delimited:
    """The header and the first rows, as text."""

    columns: Row
    rows: tuple[Row, ...]


def guess_delimiter(beginning: Beginning, features: Collection[str]) -> str:
    """Take what makes the header hold the most features, then the most fields."""
    line = beginning.text.lstrip("\r\n").splitlines()[0]

    def worth(delimiter: str) -> tuple[int, int]:
        fields = next(csv.reader([line], delimiter=delimiter), [])
        return len(set(fields) & set(features)), len(fields)

    try:
        return max(DELIMITERS, key=worth)
    except csv.Error as error:
        raise Unreadable("broken") from error


def guess_decimal(rows: Sequence[Row], delimiter: str) -> str:
    """Take the comma where numbers have one and none has a point."""
    values = [value for row in rows for value in row]
    has_comma, has_point = (any(map(mark.fullmatch, values)) for mark in (_COMMA, _POINT))
    return "," if delimiter != "," and has_comma and not has_point else "."


def read_delimited(beginning: Beginning, delimiter: str) -> Delimited:
    """Read the header and the first rows; raises Unreadable if there is none of one of them."""
    text = beginning.text
    if not beginning.whole:
        # The last line may be cut where the beginning ends.
        text = text.rpartition("\n")[0]
    try:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        header, *rows = islice((tuple(record) for record in records if record), MAX_ROWS + 1)
    except (csv.Error, ValueError) as error:
        raise Unreadable("broken") from error
    if not rows:
        raise Unreadable("header_only")
    return Delimited(header, tuple(rows))

"""The first rows of a file, without reading the rest of it."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from ui.batch.content import TEXT_FORMATS, Beginning, Content, Unreadable, beginning_of, content_of
from ui.batch.delimited import MAX_ROWS, Row, guess_decimal, guess_delimiter, read_delimited
from ui.batch.parquet_process import first_rows
from ui.batch.values import MAX_COLUMNS, text_of

MAX_UNPACKED = 256_000_000
"""Bytes of the columns of a Parquet file that are decompressed to show their first rows, at most."""

_BETWEEN = re.compile(r"[\s,]*")
"""Between the elements of a JSON array; the service is stricter."""


@dataclass(frozen=True)
class Preview:
    """What is seen of a file before it is sent; delimiter, decimal and encoding are those of a CSV file."""

    content: Content
    columns: Row
    rows: tuple[Row, ...]
    """Values of the first MAX_COLUMNS columns, as text."""
    total_rows: int | None = None
    """Rows of the whole file, if it says so."""
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str = "utf-8"
    doubtful: str | None = None
    """A value of a CSV file whose comma may be the decimal sign or separate thousands."""
    odd: frozenset[str] = frozenset()
    """Columns of values that cannot be kept: lists, objects, bytes."""
    shown: int = MAX_COLUMNS
    """Columns whose values are there at most; fewer if they are too large to be decompressed."""
    sure: bool = True
    """Whether the columns are those of the whole file, and not only of its first rows."""

    @property
    def is_blind(self) -> bool:
        """Whether nothing is seen of the file, not even its columns."""
        return not (self.columns or self.rows)


def look_at(name: str, data: BinaryIO, features: Collection[str], delimiter: str | None = None) -> Preview:
    """Read the beginning of a file; the delimiter of a CSV file is guessed if it is not given.

    Arrow files are not read: Arrow decompresses record batches as a whole, whatever their size. Raises Unreadable, and may
    close the stream.
    """
    content = content_of(name, data)
    if content.format == "parquet":
        found = first_rows(data, MAX_UNPACKED)
        rows = tuple(map(tuple, found.rows))
        return Preview(content, tuple(found.columns), rows, found.total, odd=frozenset(found.odd), shown=found.shown)
    if content.format not in TEXT_FORMATS:
        return Preview(content, (), (), sure=False)
    beginning = beginning_of(data, content.packing)
    if beginning.encoding != "utf-8" and (content.packing or content.format != "csv"):
        raise Unreadable("encoding")
    if content.format == "csv":
        return _delimited(content, beginning, features, delimiter)
    return _objects(content, _array(beginning) if content.format == "json" else _lines(beginning))


def _delimited(content: Content, beginning: Beginning, features: Collection[str], delimiter: str | None) -> Preview:
    chosen = delimiter or guess_delimiter(beginning, features)
    read = read_delimited(beginning, chosen)
    rows = tuple(tuple(text_of(value) for value in row[:MAX_COLUMNS]) for row in read.rows)
    decimal, doubtful = guess_decimal(rows, chosen)
    return Preview(content, read.columns, rows, None, chosen, decimal, beginning.encoding, doubtful)


def _lines(beginning: Beginning) -> list[Any]:
    # Strings in JSON may contain characters that end a line for Python.
    lines = [line for line in beginning.lines.split("\n") if line.strip()]
    try:
        return [json.loads(line) for line in lines[:MAX_ROWS]]
    except (ValueError, RecursionError) as error:
        raise Unreadable("broken") from error


def _array(beginning: Beginning) -> list[Any]:
    """Decode the first elements of a JSON array."""
    if not beginning.text.lstrip().startswith("["):
        raise Unreadable("not_an_array")
    found: list[Any] = []
    try:
        for element in islice(_elements(beginning.text), MAX_ROWS):
            found.append(element)
    except (ValueError, RecursionError) as error:
        # The last element may be cut.
        if beginning.whole or not found:
            raise Unreadable("broken") from error
    return found


def _elements(text: str) -> Iterator[Any]:
    decoder, place = json.JSONDecoder(), text.index("[") + 1
    while True:
        place += len(_BETWEEN.match(text, place)[0])  # type: ignore[index]
        if text[place : place + 1] == "]":
            return
        value, place = decoder.raw_decode(text, place)
        yield value


def _objects(content: Content, records: list[Any]) -> Preview:
    if not records:
        raise Unreadable("header_only")
    if not all(isinstance(record, dict) for record in records):
        raise Unreadable("broken")
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    odd = frozenset(name for record in records for name, value in record.items() if isinstance(value, dict | list))
    rows = tuple(tuple(text_of(record.get(name)) for name in columns[:MAX_COLUMNS]) for record in records)
    return Preview(content, columns, rows, odd=odd, sure=False)

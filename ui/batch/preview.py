"""The first rows of a file, without reading the rest of it."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ui.batch.columns import odd_columns
from ui.batch.content import TEXT_FORMATS, Beginning, Content, Unreadable, beginning_of, content_of
from ui.batch.delimited import MAX_ROWS, Row, guess_decimal, guess_delimiter, read_delimited

MAX_COLUMNS = 50
"""Columns whose values a preview shows."""
MAX_TEXT = 200
"""Characters of a value that a preview shows."""
BUFFER_BYTES = 1 << 16
MAX_UNPACKED = 256_000_000
"""Bytes of the columns of a Parquet file that are decompressed to show their first rows, at most."""
MORE = "\N{HORIZONTAL ELLIPSIS}"

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
        try:
            return _parquet(content, data)
        except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
            raise Unreadable("damaged") from error
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
    rows = tuple(tuple(value[:MAX_TEXT] for value in row[:MAX_COLUMNS]) for row in read.rows)
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
    rows = tuple(tuple(_text(record.get(name)) for name in columns[:MAX_COLUMNS]) for record in records)
    return Preview(content, columns, rows, odd=odd, sure=False)


def _parquet(content: Content, data: BinaryIO) -> Preview:
    file = pq.ParquetFile(data, buffer_size=BUFFER_BYTES)
    schema, total = file.schema_arrow, file.metadata.num_rows
    if not total:
        raise Unreadable("header_only")
    odd = odd_columns(schema)
    group = next((it for it in range(file.num_row_groups) if file.metadata.row_group(it).num_rows), None)
    if group is None:
        raise Unreadable("damaged")
    shown = _fitting(file.metadata.row_group(group), schema.names[:MAX_COLUMNS])
    read = [name for name in schema.names[:shown] if name not in odd]
    batches = file.iter_batches(MAX_ROWS, row_groups=[group], columns=read, use_threads=False)
    batch = next(batches, None) if read else pa.RecordBatch.from_pylist([])
    if batch is None:
        raise Unreadable("damaged")
    return Preview(content, tuple(schema.names), _rows(batch, schema.names[:shown], odd), total, odd=odd, shown=shown)


def _fitting(group: pq.RowGroupMetaData, names: Sequence[str]) -> int:
    """Count the first columns that together are not too large to decompress; nested ones, not decompressed, count as 0."""
    leaves = [group.column(index) for index in range(group.num_columns)]
    sizes = {leaf.path_in_schema: leaf.total_uncompressed_size for leaf in leaves}
    return sum(upto <= MAX_UNPACKED for upto in accumulate(sizes.get(name, 0) for name in names))


def _rows(batch: pa.RecordBatch, names: Sequence[str], odd: Collection[str]) -> tuple[Row, ...]:
    """Write the values of the named columns; nested and binary ones may be of any size, and are not looked into."""
    columns = [column for name, column in zip(batch.schema.names, batch.columns, strict=True) if name not in odd]
    plain = iter(columns[:MAX_COLUMNS])
    return tuple(
        zip(
            *([MORE] * batch.num_rows if it in odd else map(_text, next(plain).to_pylist()) for it in names),
            strict=True,
        )
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:MAX_TEXT]

"""The first rows of a file of any format, without reading the rest of it."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ui.batch.arrow_messages import Head, heads_of_file, heads_of_stream
from ui.batch.columns import odd_columns
from ui.batch.content import TEXT_FORMATS, Beginning, Content, Unreadable, beginning_of, content_of
from ui.batch.delimited import MAX_ROWS, Row, guess_decimal, guess_delimiter, read_delimited

MAX_COLUMNS = 50
"""Columns whose values a preview shows."""
MAX_TEXT = 200
"""Characters of a value that a preview shows."""
BUFFER_BYTES = 1 << 16
MAX_UNPACKED = 256_000_000
"""Bytes of the columns of a Parquet file that are unpacked to show their first rows, at most."""
MORE = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True)
class Preview:
    """What is seen of a file before it is sent; delimiter, decimal and encoding are those of a CSV file."""

    content: Content
    columns: Row
    rows: tuple[Row, ...]
    """Values of the first MAX_COLUMNS columns, as text."""
    total_rows: int | None = None
    """Rows of the whole, where the file says it."""
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str = "utf-8"
    doubtful: str | None = None
    """A value of a CSV file whose comma may be the decimal sign or between thousands, if nothing tells which."""
    odd: frozenset[str] = frozenset()
    """Columns of values that the service does not repeat: lists, objects, bytes."""
    shown: int = MAX_COLUMNS
    """Columns whose values are there at most; fewer if they are too much to be unpacked."""
    sure: bool = True
    """Whether the columns are those of the whole file, and not only of its first rows."""


def look_at(name: str, data: BinaryIO, features: Collection[str], delimiter: str | None = None) -> Preview:
    """Read the beginning of a file; what is between the fields of a CSV file is guessed where it is not given.

    Raises Unreadable. The stream may be closed by it.
    """
    content = content_of(name, data)
    if content.format in TEXT_FORMATS:
        beginning = beginning_of(data, content.packing)
        if content.packing and beginning.encoding != "utf-8":
            raise Unreadable("encoding")
        if content.format == "csv":
            return _delimited(content, beginning, features, delimiter)
        return _lines(content, beginning)
    if content.packing:
        raise Unreadable("packed_binary")
    try:
        return _parquet(content, data) if content.format == "parquet" else _arrow(content, data)
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise Unreadable("damaged") from error


def _delimited(content: Content, beginning: Beginning, features: Collection[str], delimiter: str | None) -> Preview:
    chosen = delimiter or guess_delimiter(beginning, features)
    read = read_delimited(beginning, chosen)
    rows = tuple(tuple(value[:MAX_TEXT] for value in row[:MAX_COLUMNS]) for row in read.rows)
    decimal, doubtful = guess_decimal(rows, chosen)
    return Preview(content, read.columns, rows, None, chosen, decimal, beginning.encoding, doubtful)


def _lines(content: Content, beginning: Beginning) -> Preview:
    if beginning.encoding != "utf-8":
        raise Unreadable("encoding")
    # A text in JSON may hold what else ends a line for Python.
    lines = [line for line in beginning.text.split("\n") if line.strip()]
    try:
        records = [json.loads(line) for line in lines[:MAX_ROWS]]
    except (ValueError, RecursionError) as error:
        raise Unreadable("broken") from error
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
    """Count the first columns that are together not too large to be unpacked; nested ones are not, and have other names."""
    leaves = [group.column(index) for index in range(group.num_columns)]
    sizes = {leaf.path_in_schema: leaf.total_uncompressed_size for leaf in leaves}
    return sum(upto <= MAX_UNPACKED for upto in accumulate(sizes.get(name, 0) for name in names))


def _arrow(content: Content, data: BinaryIO) -> Preview:
    is_file = content.format == "arrow"
    heads = _heads(heads_of_file(data) if is_file else heads_of_stream(data))
    data.seek(0)
    reader = pa.ipc.open_file(data) if is_file else pa.ipc.open_stream(data)
    names, odd = reader.schema.names, odd_columns(reader.schema)
    if any(head.is_compressed for head in heads):
        # Arrow unpacks a record batch as a whole, whatever its size.
        return Preview(content, tuple(names), (), odd=odd)
    numbers = [head.n_rows > 0 for head in heads if not head.is_dictionary]
    if True not in numbers:
        raise Unreadable("header_only")
    first = numbers.index(True)
    batch = reader.get_batch(first) if is_file else next(islice(reader, first, None), None)
    if batch is None:
        raise Unreadable("damaged")
    rows = batch.slice(0, MAX_ROWS)
    # Arrow follows the places that a file names, also to outside of it.
    rows.validate(full=True)
    return Preview(content, tuple(names), _rows(rows, names[:MAX_COLUMNS], odd), odd=odd)


def _heads(heads: Iterator[Head]) -> list[Head]:
    """Take the heads up to the first rows."""
    taken = []
    for head in heads:
        taken.append(head)
        if head.n_rows and not head.is_dictionary:
            break
    return taken


def _rows(batch: pa.RecordBatch, names: Sequence[str], odd: Collection[str]) -> tuple[Row, ...]:
    """Write the values of the columns named; what is nested or binary may be of any size, and is not looked into."""
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

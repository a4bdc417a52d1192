"""The first rows of a file of any format, without reading the rest of it."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ui.batch.content import TEXT_FORMATS, Beginning, Content, Unreadable, beginning_of, content_of
from ui.batch.delimited import MAX_ROWS, Row, guess_decimal, guess_delimiter, read_delimited

MAX_COLUMNS = 50
"""Columns whose values a preview shows."""
MAX_TEXT = 200
"""Characters of a value that a preview shows."""
BUFFER_BYTES = 1 << 16


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
    decimal = guess_decimal(rows, chosen)
    return Preview(content, read.columns, rows, None, chosen, decimal, beginning.encoding)


def _lines(content: Content, beginning: Beginning) -> Preview:
    if beginning.encoding != "utf-8":
        raise Unreadable("encoding")
    lines = [line for line in beginning.text.splitlines() if line.strip()]
    try:
        records = [json.loads(line) for line in lines[:MAX_ROWS]]
        columns = tuple(dict.fromkeys(name for record in records for name in dict(record)))
    except (ValueError, TypeError, RecursionError) as error:
        raise Unreadable("broken") from error
    rows = tuple(tuple(_text(record.get(name)) for name in columns[:MAX_COLUMNS]) for record in records)
    return Preview(content, columns, rows, sure=False)


def _parquet(content: Content, data: BinaryIO) -> Preview:
    file = pq.ParquetFile(data, buffer_size=BUFFER_BYTES)
    columns = file.schema_arrow.names
    if not file.metadata.num_rows:
        raise Unreadable("header_only")
    batch = next(file.iter_batches(batch_size=MAX_ROWS, columns=columns[:MAX_COLUMNS], use_threads=False))
    return _table(content, columns, batch, file.metadata.num_rows)


def _arrow(content: Content, data: BinaryIO) -> Preview:
    data.seek(0)
    if content.format == "arrow":
        reader = pa.ipc.open_file(data)
        batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        reader = pa.ipc.open_stream(data)
        batches = iter(reader)
    batch = next((batch for batch in batches if batch.num_rows), None)
    if batch is None:
        raise Unreadable("header_only")
    return _table(content, reader.schema.names, batch.slice(0, MAX_ROWS), None)


def _table(content: Content, columns: Sequence[str], batch: pa.RecordBatch, total: int | None) -> Preview:
    shown = [map(_text, column.to_pylist()) for column in batch.columns[:MAX_COLUMNS]]
    return Preview(content, tuple(columns), tuple(zip(*shown, strict=True)), total)


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:MAX_TEXT]

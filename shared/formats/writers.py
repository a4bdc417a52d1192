"""Record batches of results to files, in chunks: memory does not depend on the number of rows.

The same batches always yield the same bytes, so an interrupted download can be resumed by writing the file again.

Text formats: dates and times are ISO 8601 without trailing zeros; times with a zone are in UTC, with `Z`.
Numbers have the shortest notation that round-trips. NaN means missing, just like null.

CSV is RFC 4180 in UTF-8: CRLF, a header, quotes only where needed; null is an empty field and empty text is `""`. Spreadsheets
evaluate text that begins with `= + - @` as a formula, so such text is prefixed with an apostrophe, in column names too; only
numbers (`-5`, `+3,2e1`) are left unchanged. Leading blanks and invisible characters are skipped for this test, since some
programs trim them; the full-width forms of the four characters count as well, and a leading tab or line break always does.
Text that itself begins with a quote is not evaluated, so it is left unchanged. Apostrophes are never inserted within text, so
a caller who opens the file with a delimiter other than the comma is not protected.

JSON: decimals are strings, since parsers would convert them to doubles; non-finite numbers are null.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shared.formats.format import Format

PIECE_BYTES = 1 << 20
"""Maximum size of a chunk of a file."""

SLICE_ROWS = 8192
SLICE_BYTES = 4 << 20
"""Rows and Arrow bytes that are formatted as text at a time; a single row may be larger."""

GROUP_ROWS = 128 * 1024
"""Rows per Parquet row group."""

TEXT = 2
"""Index of the buffer with the text of a new string array: it is contiguous, so the joined lines are the file content."""

FORMULA = r"^[\p{Z}\p{C}]*[=+\-@\x{FF0B}\x{FF0D}\x{FF1D}\x{FF20}]|^[\t\r\n]"
NUMBER = r"^[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?$"
NEEDS_QUOTES = '[",\r\n]|^$'
NEEDS_ESCAPE = r'[\x00-\x1f"\\]'

# The backslash first, as the other replacements add backslashes.
ESCAPES = {"\\": "\\\\", '"': '\\"'} | {chr(code): f"\\u{code:04x}" for code in range(0x20)}
ESCAPES |= {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def encode(format: Format, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """Write record batches of the schema as a file, in chunks of at most PIECE_BYTES: scalars and, but in CSV, lists of structs.

    Without rows, the file still has a header or schema. Parquet and Arrow preserve the schema's metadata. A dictionary
    column must have the same dictionary in every batch, as the Arrow file format requires. Raises ValueError for JSON,
    whose results come in pages: see `json_rows`. Errors from the iterator of batches propagate.
    """
    if format not in _ENCODERS:
        raise ValueError(f"There are no files of format {format}.")
    return _ENCODERS[format](schema, batches)


def json_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the rows as they would be parsed from NDJSON: only numbers, booleans, strings, None, and lists of objects of them."""
    columns = [_json_objects(column) for column in batch.columns]
    return [dict(zip(batch.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]


def _csv(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    header = _csv_fields(pa.array(schema.names, pa.string())).to_pylist()
    yield from _cut(pa.py_buffer(f"{','.join(header)}\r\n".encode()))
    # An empty line would not count as a row.
    null = '""' if len(header) == 1 else ""
    for batch in _slices(batches):
        *columns, last = [_per_value(column, _csv_fields) for column in batch.columns]
        yield from _cut(_lines([*columns, _lines([last, "\r\n"], "", null)], ",", null).buffers()[TEXT])


def _ndjson(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    for batch in _slices(batches):
        yield from _cut(_objects(schema.names, batch.columns, "}\n").buffers()[TEXT])


def _objects(names: list[str], columns: list[pa.Array], end: str) -> pa.StringArray:
    """Write rows as JSON objects; `end` ends each of them."""
    keys = [f"{name}:" for name in _json_texts(pa.array(names, pa.string())).to_pylist()]
    texts = [_per_value(column, _json_texts) for column in columns]
    fields = [part for key, text in zip(keys, texts, strict=True) for part in (f",{key}", text)]
    fields[0] = "{" + keys[0]
    return _lines([*fields, end], "", "null")


def _parquet(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    sink = _Sink()
    # Scores and identifiers rarely repeat, so dictionaries would only cost time, as would compressing scores.
    # Delta encoding would halve the time for identifiers, but Spark before 3.3 and others cannot read it.
    leaves = dict(_leaves(schema))
    packed = [name for name, kind in leaves.items() if kind not in (pa.float32(), pa.float64())]
    options: dict[str, Any] = {
        "use_dictionary": [name for name in packed if leaves[name] not in (pa.int64(), pa.uint64())],
        "compression": {name: "zstd" if name in packed else "none" for name in leaves},
        "compression_level": dict.fromkeys(packed, 1),
        "write_statistics": packed,
        # Columns that do not repeat within this many bytes are assumed never to.
        "dictionary_pagesize_limit": 2**16,
    }
    with pq.ParquetWriter(sink, schema, **options) as writer:
        for group in _groups(batches):
            writer.write_table(group, row_group_size=GROUP_ROWS)
            yield from sink.take()
    yield from sink.take()


def _leaves(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    """List the columns as Parquet stores them, by their paths."""
    for field in schema:
        if pa.types.is_list(field.type):
            yield from ((f"{field.name}.list.element.{part.name}", part.type) for part in field.type.value_type)
        else:
            yield field.name, field.type


def _arrow(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    return _ipc(pa.ipc.new_file, schema, batches)


def _arrow_stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    return _ipc(pa.ipc.new_stream, schema, batches)


def _ipc(open_writer: Callable[..., Any], schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    sink = _Sink()
    with open_writer(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield from sink.take()
    yield from sink.take()


_ENCODERS: dict[Format, Callable[[pa.Schema, Iterable[pa.RecordBatch]], Iterator[bytes]]] = {
    Format.CSV: _csv,
    Format.NDJSON: _ndjson,
    Format.PARQUET: _parquet,
    Format.ARROW: _arrow,
    Format.ARROW_STREAM: _arrow_stream,
}


class _Sink(io.RawIOBase):
    """A write buffer that is drained while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        return len(self._written[-1])

    def take(self) -> Iterator[bytes]:
        """Return the bytes written since the last call."""
        written, self._written = self._written, []
        return _cut(pa.py_buffer(b"".join(written)))


def _cut(buffer: pa.Buffer) -> Iterator[bytes]:
    for start in range(0, buffer.size, PIECE_BYTES):
        yield buffer.slice(start, min(PIECE_BYTES, buffer.size - start)).to_pybytes()


def _slices(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut the batches into batches that are small as text; none is empty."""
    for batch in batches:
        rows = min(SLICE_ROWS, max(1, batch.num_rows * SLICE_BYTES // max(1, batch.nbytes)))
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Regroup the batches into tables of GROUP_ROWS rows; the last one may be smaller, none is empty."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + batch.num_rows >= GROUP_ROWS:
            missing = GROUP_ROWS - rows
            yield pa.Table.from_batches([*waiting, batch.slice(0, missing)])
            waiting, rows, batch = [], 0, batch.slice(missing)
        waiting.append(batch)
        rows += batch.num_rows
    if rows:
        yield pa.Table.from_batches(waiting)


def _lines(parts: list[Any], separator: str, null: str) -> pa.StringArray:
    """Concatenate columns and constants, row by row."""
    return pc.binary_join_element_wise(*parts, separator, null_handling="replace", null_replacement=null)


def _per_value(column: pa.Array, function: Callable[[pa.Array], pa.StringArray]) -> pa.StringArray:
    """Apply the function to a column, only once per value of a small dictionary."""
    if not pa.types.is_dictionary(column.type):
        return function(column)
    if len(column.dictionary) > len(column):
        return function(column.dictionary_decode())
    return function(column.dictionary).take(column.indices)


def _csv_fields(column: pa.Array) -> pa.StringArray:
    text = _text(_without(pc.is_nan, column))
    return _quoted(_defused(text)) if _is_text(column.type) else text


def _json_texts(column: pa.Array) -> pa.StringArray:
    kind = column.type
    if pa.types.is_list(kind):
        return _json_lists(column)
    text = _text(_without(_is_not_finite, column))
    if pa.types.is_floating(kind):
        # Without a point it would be parsed as the integer 0, which has no sign.
        return pc.if_else(pc.equal(text, "-0"), "-0.0", text)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return text
    return _joined('"', _escaped(text), '"')


def _json_lists(column: pa.ListArray) -> pa.StringArray:
    """Write lists of structs of scalars."""
    structs = column.flatten()
    texts = _objects([field.name for field in structs.type], structs.flatten(), "}")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts), ",")
    return pc.if_else(column.is_valid(), _joined("[", joined, "]"), pa.scalar(None, pa.string()))


def _json_objects(column: pa.Array) -> list[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_list(kind):
        lists: list[Any] = column.to_pylist()
        return lists
    column = _without(_is_not_finite, column)
    if pa.types.is_floating(kind) and kind != pa.float64():
        # Via text, so that a float32 of 0.1 is the same number here as in NDJSON.
        column = _text(column).cast(pa.float64())
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        column = _text(column)
    objects: list[Any] = column.to_pylist()
    return objects


def _without(is_missing: Callable[[pa.Array], pa.BooleanArray], column: pa.Array) -> pa.Array:
    """Replace the missing values of a float column by null."""
    if not pa.types.is_floating(column.type):
        return column
    # The kernels do not support float16.
    column = column.cast(pa.float32()) if pa.types.is_float16(column.type) else column
    missing = is_missing(column)
    return pc.if_else(missing, None, column) if pc.any(missing).as_py() else column


def _is_not_finite(column: pa.Array) -> pa.BooleanArray:
    return pc.invert(pc.is_finite(column))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _text(column: pa.Array) -> pa.StringArray:
    kind = column.type
    if not pa.types.is_temporal(kind) or pa.types.is_duration(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind) and kind.tz:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))
    text = pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    trimmed = pc.replace_substring_regex(text, r"(\.[0-9]*?)0+(Z?)$", r"\1\2")
    return pc.replace_substring_regex(trimmed, r"\.(Z?)$", r"\1")


def _defused(text: pa.StringArray) -> pa.StringArray:
    runs = pc.match_substring_regex(text, FORMULA)
    if not pc.any(runs).as_py():
        return text
    return pc.if_else(pc.and_not(runs, pc.match_substring_regex(text, NUMBER)), _joined("'", text), text)


def _quoted(text: pa.StringArray) -> pa.StringArray:
    odd = pc.match_substring_regex(text, NEEDS_QUOTES)
    if not pc.any(odd).as_py():
        return text
    return pc.if_else(odd, _joined('"', pc.replace_substring(text, '"', '""'), '"'), text)


def _escaped(text: pa.StringArray) -> pa.StringArray:
    if not pc.any(pc.match_substring_regex(text, NEEDS_ESCAPE)).as_py():
        return text
    for character, escape in ESCAPES.items():
        text = pc.replace_substring(text, character, escape)
    return text


def _joined(*parts: Any) -> pa.StringArray:
    """Concatenate columns and constants; null stays null."""
    return pc.binary_join_element_wise(*parts, "")

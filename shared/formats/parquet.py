"""Parquet files to validated rows; memory does not depend on the size of the file or of its row groups."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.errors import InputTooLarge, MalformedInput
from shared.formats.arrow import check_types, needed_columns, reject_malformed, validate_batches
from shared.formats.source import ReadOptions, Source
from shared.memory import reject_beyond_memory, slice_rows

MAX_PAGE_BYTES = 64 << 20
"""Maximum size of a page, compressed or decompressed; the usual size is 1 MB."""

MAX_FOOTER_BYTES = 16 << 20
"""Maximum size of the metadata; for 500 columns in 200 row groups, it is 10 MB."""

MAX_LIST = 20_000
"""Maximum number of columns or row groups in the metadata; memory is allocated for the declared numbers."""

MAGIC, ENCRYPTED_MAGIC = b"PAR1", b"PARE"

BUFFER_BYTES = 1 << 16
"""Bytes read at a time per column."""

HEADER_BYTES = 512
MAX_HEADER_BYTES = 1 << 20
"""Bytes in which a page header is searched for, initially and at most."""

DELTA_ENCODINGS = {6, 7}
"""DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY, which Arrow does not read as dictionaries."""

PARQUET = "Parquet"
"""Name of the format in messages."""


def read(source: Source, options: ReadOptions, contract: Contract) -> Iterator[Validated]:
    """Validate the rows of a Parquet file; raises MalformedInput, WrongColumns, InputTooLarge."""
    with source.local_file(_check_start) as path, reject_beyond_memory("memory-pages"), reject_malformed(PARQUET):
        footer = _check_end(path)
        schema = _open(path).schema_arrow
        needed = needed_columns(schema.names, options, contract)
        check_types(pa.schema([schema.field(i) for i in needed]), options, contract)
        yield from validate_batches(_batches(path, footer, schema, needed), options, contract)


def _check_start(head: bytes) -> None:
    """Check by its first bytes that a file is Parquet."""
    if not head:
        raise MalformedInput("file-empty")
    if head.startswith(ENCRYPTED_MAGIC):
        raise MalformedInput("parquet-encrypted")
    if not head.startswith(MAGIC):
        raise MalformedInput("file-format", kind=PARQUET)


def _check_end(path: Path) -> bytes:
    """Check by its last bytes that a file is Parquet, and return its serialised metadata."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        end = file.read(8)
    if end.endswith(ENCRYPTED_MAGIC):
        raise MalformedInput("parquet-encrypted")
    footer = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or footer > size - 12:
        raise MalformedInput("file-cut-off", kind=PARQUET)
    if footer > MAX_FOOTER_BYTES:
        raise InputTooLarge("parquet-metadata-too-large")
    with path.open("rb") as file:
        file.seek(size - 8 - footer)
        return file.read(footer)


def _open(path: Path, text: list[str] | None = None) -> pq.ParquetFile:
    return pq.ParquetFile(
        path,
        read_dictionary=text,
        buffer_size=BUFFER_BYTES,
        pre_buffer=False,
        thrift_container_size_limit=MAX_LIST,
    )


def _batches(path: Path, footer: bytes, schema: pa.Schema, needed: list[int]) -> Iterator[pa.RecordBatch]:
    """Read the columns at these positions of the schema, slice by slice."""
    groups, leaves = _row_groups(footer), _first_leaves(schema)
    text = []
    with path.open("rb", buffering=0) as file:
        for i in needed:
            encodings = _check_chunks(file, groups, leaves[i], schema.names[i])
            if _is_text(schema.field(i).type) and not encodings & DELTA_ENCODINGS:
                text.append(schema.names[i])
    with _open(path, text) as parquet:
        names = [schema.names[i] for i in needed]
        rows = 0
        for batch in parquet.iter_batches(slice_rows(len(needed)), columns=names):
            rows += batch.num_rows
            # A nested column that contains `a.b` would be read together with a plain column of that name.
            yield batch.select(names)
        if rows != parquet.metadata.num_rows:
            raise MalformedInput("parquet-row-count")


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind))


def _first_leaves(schema: pa.Schema) -> list[int]:
    """Return the position of each column among the leaf columns, of which a nested one has several."""
    leaves, count = [], 0
    for field in schema:
        leaves.append(count)
        count += _leaf_count(field.type)
    return leaves


def _leaf_count(kind: pa.DataType) -> int:
    if types.is_dictionary(kind) or not kind.num_fields:
        return 1
    return sum(_leaf_count(kind.field(i).type) for i in range(kind.num_fields))


def _row_groups(footer: bytes) -> list[Any]:
    """Read the row groups from the metadata; pyarrow's own accessor aborts the process if they are damaged."""
    try:
        groups = _thrift_struct(footer, 0)[0].get(4)
    except (IndexError, RecursionError):
        groups = None
    if not isinstance(groups, list):
        raise MalformedInput("parquet-metadata-damaged")
    return groups


def _check_chunks(file: BinaryIO, groups: list[Any], leaf: int, name: str) -> set[int]:
    """Compare a column's metadata with its pages, and return its encodings. The numbers are Parquet's Thrift field ids."""
    encodings: set[int] = set()
    for group in groups:
        try:
            column, rows = group[1][leaf], _count(group, 3)
            if column.keys() & {8, 9}:
                raise MalformedInput("parquet-encrypted")
            chunk = column[3]
            values, size, start = (_count(chunk, number) for number in (5, 7, 9))
            dictionary = chunk.get(11) or 0
            encodings.update(chunk[2])
            if chunk[3] != [name.encode()] or values != rows:
                raise MalformedInput("parquet-metadata-damaged")
            start = dictionary if 0 < dictionary < start else start
            end = start + size
        except (TypeError, AttributeError, LookupError):
            raise MalformedInput("parquet-metadata-damaged") from None
        _check_pages(file, start, end, rows)
    return encodings


def _check_pages(file: BinaryIO, position: int, end: int, rows: int) -> None:
    """Iterate over the pages; raises InputTooLarge for a large page, MalformedInput unless their rows add up."""
    found = 0
    while found < rows:
        page, length = _page_header(file, position, end)
        packed, unpacked = _count(page, 3), _count(page, 2)
        position += length + packed
        if position > end:
            raise MalformedInput("parquet-page-damaged")
        if max(packed, unpacked) > MAX_PAGE_BYTES:
            raise InputTooLarge("parquet-page-too-large", limit=MAX_PAGE_BYTES)
        data = page.get(5) or page.get(8)
        found += _count(data, 1) if isinstance(data, dict) else 0
    if found != rows:
        raise MalformedInput("parquet-row-count")


def _count(fields: dict[int, Any], number: int) -> int:
    value = fields.get(number)
    if not isinstance(value, int) or value < 0:
        raise MalformedInput("parquet-page-damaged")
    return value


def _page_header(file: BinaryIO, position: int, end: int) -> tuple[dict[int, Any], int]:
    """Read the header of the page at `position`; return its fields by number, and its length."""
    size = HEADER_BYTES
    while 0 <= position < end:
        file.seek(position)
        data = file.read(min(size, end - position))
        try:
            return _thrift_struct(data, 0)
        except IndexError:
            if len(data) < size or size >= MAX_HEADER_BYTES:
                break
            size *= 8
        except RecursionError:
            break
    raise MalformedInput("parquet-page-damaged")


def _thrift_struct(data: bytes, position: int) -> tuple[dict[int, Any], int]:
    """Read a structure in Thrift's compact protocol: its values by field number."""
    fields: dict[int, Any] = {}
    field = 0
    while head := data[position]:
        position += 1
        if head >> 4:
            field += head >> 4
        else:
            field, position = _number(data, position)
        fields[field], position = _thrift_value(data, position, head & 15)
    return fields, position + 1


def _thrift_value(data: bytes, position: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):  # a boolean field, whose value is part of its type
        return kind == 1, position
    if kind == 3:
        return None, position + 1
    if kind in (4, 5, 6):
        return _number(data, position)
    if kind == 7:
        return None, position + 8
    if kind == 8:
        length, position = _varint(data, position)
        # The footer or header is complete, so anything beyond it is an error.
        if position + length > len(data):
            raise IndexError
        return data[position : position + length], position + length
    if kind in (9, 10):
        return _thrift_list(data, position)
    if kind == 12:
        return _thrift_struct(data, position)
    # Parquet does not use maps.
    raise MalformedInput("parquet-page-damaged")


def _thrift_list(data: bytes, position: int) -> tuple[list[Any], int]:
    count, kind = data[position] >> 4, data[position] & 15
    position += 1
    if count == 15:
        count, position = _varint(data, position)
    values = []
    for _ in range(count):
        if position >= len(data):
            raise IndexError
        # In a list, each boolean has its own byte, like an 8-bit integer.
        value, position = _thrift_value(data, position, 3 if kind in (1, 2) else kind)
        values.append(value)
    return values, position


def _number(data: bytes, position: int) -> tuple[int, int]:
    value, position = _varint(data, position)
    return (value >> 1) ^ -(value & 1), position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise MalformedInput("parquet-page-damaged")

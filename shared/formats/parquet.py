"""Parquet files to validated rows; memory does not depend on the size of the file or of its row groups."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from pyarrow import types

from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.errors import InputTooLarge, MalformedInput
from shared.formats.arrow import check_types, needed_columns, reject_malformed, validate_batches
from shared.formats.held import Held
from shared.formats.layout import Layout, SourceInPlace, cut_out, pieces_with
from shared.formats.parquet_metadata import ROWS, check_chunks, column_chunk, count_of, parsed_row_groups, row_groups
from shared.formats.source import HEAD_BYTES, ReadOptions, Source
from shared.memory import reject_beyond_memory, slice_rows

MAX_FOOTER_BYTES = 16 << 20
"""Maximum size of the metadata; for 500 columns in 200 row groups, it is 10 MB."""

MAX_SHARED_FOOTER_BYTES = 1 << 20
"""Maximum size of metadata that every process parses that scores a part of the file, which takes 0.25 s."""

MAX_LIST = 20_000
"""Maximum number of columns or row groups in the metadata; memory is allocated for the declared numbers."""

MAGIC, ENCRYPTED_MAGIC = b"PAR1", b"PARE"

BUFFER_BYTES = 1 << 16
"""Bytes read at a time per column."""

DELTA_ENCODINGS = {6, 7}
"""DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY, which Arrow does not read as dictionaries."""

PARQUET = "Parquet"
"""Name of the format in messages."""


def read(source: Source, options: ReadOptions, contract: Contract) -> Iterator[Validated]:
    """Validate the rows of a Parquet file; raises MalformedInput, WrongColumns, InputTooLarge."""
    with source.local_file(_check_start) as path, pa.OSFile(str(path), "rb") as file, _rejecting():
        footer, opened = _checked_footer(file), _open(file)
        schema, needed = _needed(opened, options, contract)
        batches = _batches(file, schema, needed, row_groups(footer))
        yield from validate_batches(_all_rows(batches, opened.metadata.num_rows), options, contract)


def read_row(source: Source, options: ReadOptions, contract: Contract, row: int) -> Iterator[Validated]:
    """Validate one row of a file, like `read`; its row group is decoded up to it."""
    with source.local_file(_check_start) as path, pa.OSFile(str(path), "rb") as file, _rejecting():
        footer = _checked_footer(file)
        yield from _rows(file, footer, options, contract, range(row, row + 1))


def layout(source: SourceInPlace, options: ReadOptions, contract: Contract) -> Layout | None:
    """Describe the row groups, after all checks that need no row; raises the same errors as `read`.

    None if the metadata is so large that each process should not parse it.
    """
    with source.in_place() as file, _rejecting():
        footer = _checked_footer(file)
        if len(footer) > MAX_SHARED_FOOTER_BYTES:
            return None
        opened = _open(file)
        schema, needed = _needed(opened, options, contract)
        groups, leaves = parsed_row_groups(footer), _first_leaves(schema)
        rows = tuple(count_of(group, ROWS) for group in groups)
        if sum(rows) != opened.metadata.num_rows:
            raise MalformedInput("row-count", kind=PARQUET)
        read_bytes = sum(column_chunk(group, leaves[i], schema.names[i]).unpacked for group in groups for i in needed)
        return Layout(rows, read_bytes, _checksum(footer), is_enterable=False)


def read_rows(
    source: SourceInPlace, options: ReadOptions, contract: Contract, rows: range, checksum: str
) -> Iterator[Validated]:
    """Validate some rows of a file whose layout is known, like `read`."""
    with source.in_place() as file, _rejecting():
        footer = _checked_footer(file)
        if _checksum(footer) != checksum:
            raise MalformedInput("file-changed")
        yield from _rows(file, footer, options, contract, rows, is_local=source.is_local)


def _rows(
    file: pa.NativeFile,
    footer: bytes,
    options: ReadOptions,
    contract: Contract,
    rows: range,
    *,
    is_local: bool = True,
) -> Iterator[Validated]:
    schema, needed = _needed(_open(file), options, contract)
    groups = parsed_row_groups(footer)
    numbers, skip = pieces_with((count_of(group, ROWS) for group in groups), rows)
    if not is_local:
        file = _held(file, footer, [groups[i] for i in numbers], _first_leaves(schema), schema, needed)
    batches = _batches(file, schema, needed, groups, numbers)
    wanted = cut_out(batches, skip, len(rows), PARQUET)
    yield from validate_batches(wanted, options, contract, rows.start)


@contextmanager
def _rejecting() -> Iterator[None]:
    with reject_beyond_memory("memory-pages"), reject_malformed(PARQUET):
        yield


def _check_start(head: bytes) -> None:
    """Check by its first bytes that a file is Parquet."""
    if not head:
        raise MalformedInput("file-empty")
    if head.startswith(ENCRYPTED_MAGIC):
        raise MalformedInput("parquet-encrypted")
    if not head.startswith(MAGIC):
        raise MalformedInput("file-format", kind=PARQUET)


def _checked_footer(file: pa.NativeFile) -> bytes:
    """Check by the first and last bytes that the file is Parquet, and return its serialised metadata."""
    size = file.size()
    _check_start(file.read_at(min(size, HEAD_BYTES), 0))
    end = file.read_at(min(size, 8), max(0, size - 8))
    if end.endswith(ENCRYPTED_MAGIC):
        raise MalformedInput("parquet-encrypted")
    footer = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or footer > size - 12:
        raise MalformedInput("file-cut-off", kind=PARQUET)
    if footer > MAX_FOOTER_BYTES:
        raise InputTooLarge("parquet-metadata-too-large")
    serialised: bytes = file.read_at(footer, size - 8 - footer)
    return serialised


def _checksum(footer: bytes) -> str:
    return xxhash.xxh3_64_hexdigest(footer)


def _open(file: pa.NativeFile, text: list[str] | None = None) -> pq.ParquetFile:
    return pq.ParquetFile(
        file,
        read_dictionary=text,
        buffer_size=BUFFER_BYTES,
        pre_buffer=False,
        thrift_container_size_limit=MAX_LIST,
    )


def _needed(file: pq.ParquetFile, options: ReadOptions, contract: Contract) -> tuple[pa.Schema, list[int]]:
    """Return the schema, and the positions in it of the columns to read; raises WrongColumns."""
    schema = file.schema_arrow
    needed = needed_columns(schema.names, options, contract)
    check_types(pa.schema([schema.field(i) for i in needed]), options, contract)
    return schema, needed


def _batches(
    file: pa.NativeFile, schema: pa.Schema, needed: list[int], groups: list[Any], numbers: list[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Read the columns at these positions of the schema, slice by slice, of the row groups with these numbers or all."""
    leaves, text = _first_leaves(schema), []
    checked = groups if numbers is None else [groups[i] for i in numbers]
    for i in needed:
        encodings = check_chunks(file, checked, leaves[i], schema.names[i])
        if _is_text(schema.field(i).type) and not encodings & DELTA_ENCODINGS:
            text.append(schema.names[i])
    names = [schema.names[i] for i in needed]
    for batch in _open(file, text).iter_batches(slice_rows(len(needed)), row_groups=numbers, columns=names):
        # A nested column that contains `a.b` would be read together with a plain column of that name.
        yield batch.select(names)


def _all_rows(batches: Iterator[pa.RecordBatch], total: int) -> Iterator[pa.RecordBatch]:
    """Pass the batches through; raises MalformedInput unless they are `total` rows, as the metadata says."""
    rows = 0
    for batch in batches:
        rows += batch.num_rows
        yield batch
    if rows != total:
        raise MalformedInput("row-count", kind=PARQUET)


def _held(
    file: pa.NativeFile, footer: bytes, groups: list[Any], leaves: list[int], schema: pa.Schema, needed: list[int]
) -> pa.NativeFile:
    """Fetch what will be read of a remote file: its metadata, and these columns of these row groups."""
    size = file.size()
    chunks = (column_chunk(group, leaves[i], schema.names[i]) for group in groups for i in needed)
    spans = [(size - 8 - len(footer), size), *((chunk.start, chunk.end) for chunk in chunks)]
    return pa.PythonFile(Held(file, spans), "r")


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind))


def _first_leaves(schema: pa.Schema) -> list[int]:
    """Return the position of each column among the leaf columns, of which a nested one has several."""
    leaves, count = [], 0
    for field in schema:
        leaves.append(count)
        count += _leafcount_of(field.type)
    return leaves


def _leafcount_of(kind: pa.DataType) -> int:
    if types.is_dictionary(kind) or not kind.num_fields:
        return 1
    return sum(_leafcount_of(kind.field(i).type) for i in range(kind.num_fields))

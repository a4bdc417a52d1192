"""Arrow IPC files (Feather) and streams to validated rows: memory-mapped, zero-copy, and treated as untrusted."""

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from pyarrow import types

from shared.contract.columns import validate_columns
from shared.contract.contract import Contract
from shared.contract.matching import match_columns
from shared.contract.validated import Validated
from shared.errors import InputError, InputTooLarge, MalformedInput
from shared.formats.arrow_metadata import CONTINUATION, FILE_MAGIC, batches_of, footer_of
from shared.formats.layout import Layout, SourceInPlace, cut_out, pieces_with
from shared.formats.parallel import ahead
from shared.formats.source import HEAD_BYTES, ReadOptions, Source
from shared.memory import reject_beyond_memory, slice_rows

SLICE_TEXT_BYTES = 4 << 20
"""Maximum text in a slice after decoding dictionaries: one long value referenced a million times is small only in the file."""

MAX_TEXT_BYTES = 256 << 20
"""Maximum text in the number of rows that are normally read at once: 4 kB per row."""

FEW_ROWS, FEW_BATCHES = 1024, 64
"""Record batches with fewer rows are combined, this many at a time."""

FORGET_SLICES = 4
"""Number of slices after which the operating system is advised that the mapped pages are no longer needed."""

FEATHER_1_MAGIC = b"FEA1"
STREAM_END = CONTINUATION + bytes(4)
TOO_MUCH = "memory-record-batches"

ARROW, STREAM = "Arrow", "Arrow stream"
"""Names of the two formats in messages."""

Batches = Iterator[pa.RecordBatch]
Open = Callable[[pa.Buffer], tuple[pa.Schema, Batches]]


def read_file(source: Source, options: ReadOptions, contract: Contract) -> Iterator[Validated]:
    """Validate the rows of an Arrow IPC file, also called Feather; raises MalformedInput, WrongColumns, InputTooLarge.

    A record batch may have any size, unless it is compressed: then it is held in memory as a whole.
    """
    return _read(_open_file, source, options, contract)


def read_stream(source: Source, options: ReadOptions, contract: Contract) -> Iterator[Validated]:
    """Validate the rows of an Arrow IPC stream, like `read_file`; both functions accept files and streams.

    It is read from a local file too: a stream is often a single record batch, which may not fit in memory.
    """
    return _read(_open_stream, source, options, contract)


def read_row(source: Source, options: ReadOptions, contract: Contract, row: int) -> Iterator[Validated]:
    """Validate one row of a file or stream, like `read_file`; of what comes before it, only the messages are read."""
    return _read(_open_file, source, options, contract, row)


def layout(source: SourceInPlace, options: ReadOptions, contract: Contract) -> Layout | None:
    """Describe the record batches, after all checks that need no row; raises the same errors as `read_file`.

    None if each is better read once: of a stream, over a network, or if there are very many.
    """
    if not source.is_local:
        return None
    with _file_in_place(source) as mapped:
        buffer = pa.py_buffer(mapped)
        if _opener(mapped[:HEAD_BYTES]) is not _open_file:
            return None
        schema, _ = _open_file(buffer)
        needed = needed_columns(schema.names, options, contract)
        check_types(pa.schema([schema.field(i) for i in needed]), options, contract)
        batches = batches_of(buffer)
        if batches is None:
            return None
        size = sum(batch.body_bytes for batch in batches)
        is_enterable = not any(batch.is_compressed for batch in batches)
        return Layout(tuple(batch.rows for batch in batches), size, _checksum(buffer), is_enterable)


def read_rows(
    source: SourceInPlace, options: ReadOptions, contract: Contract, rows: range, checksum: str
) -> Iterator[Validated]:
    """Validate some rows of a file whose layout is known, like `read_file`."""
    with _file_in_place(source) as mapped:
        buffer = pa.py_buffer(mapped)
        if _checksum(buffer) != checksum:
            raise MalformedInput("file-changed")
        numbers, skip = pieces_with((batch.rows for batch in batches_of(buffer) or []), rows)
        reader = pa.ipc.open_file(buffer)
        needed = needed_columns(reader.schema.names, options, contract)
        batches = (reader.get_batch(i).select(needed) for i in numbers)
        wanted = cut_out(_entire(batches), skip, len(rows), ARROW)
        yield from _forgetting(mapped, validate_batches(wanted, options, contract, rows.start))


def _entire(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Check the lengths of the buffers of each batch, before it is sliced."""
    for batch in batches:
        batch.validate()
        yield batch


@contextmanager
def _file_in_place(source: SourceInPlace) -> Iterator[mmap.mmap]:
    with (
        source.local_file(partial(_check_start, _open_file)) as path,
        reject_beyond_memory(TOO_MUCH),
        _mapped(path) as mapped,
        reject_malformed(ARROW),
    ):
        yield mapped


def _checksum(file: pa.Buffer) -> str:
    return xxhash.xxh3_64_hexdigest(footer_of(file))


def needed_columns(names: Sequence[str], options: ReadOptions, contract: Contract) -> list[int]:
    """Return the positions of the columns that are features or kept; raises WrongColumns."""
    match_columns(contract, names, options.keep)
    wanted = {*contract.names, *options.keep}
    return [i for i, name in enumerate(names) if name in wanted]


def check_types(schema: pa.Schema, options: ReadOptions, contract: Contract) -> None:
    """Raise WrongColumns if no row of these columns could be valid."""
    nothing = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
    validate_columns(contract, nothing, 0, options.keep)


def validate_batches(
    batches: Iterable[pa.RecordBatch], options: ReadOptions, contract: Contract, start: int = 0
) -> Iterator[Validated]:
    """Validate record batches of any size, slice by slice; raises MalformedInput if there are no rows.

    `start` is the number of the first row. Meanwhile, a thread reads the next ones.
    """
    end = start
    for rows in ahead(piece for batch in _gathered(batches) for piece in _slices(batch)):
        yield validate_columns(contract, rows, end, options.keep)
        end += rows.num_rows
    if end == start:
        raise MalformedInput("no-rows")


@contextmanager
def reject_malformed(kind: str) -> Iterator[None]:
    """Raise MalformedInput if Arrow cannot continue reading; its own message may contain values, so it is dropped."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except (pa.ArrowException, ValueError, OverflowError, KeyError, IndexError) as error:
        raise MalformedInput("file-damaged", kind=kind) from error
    except OSError as error:
        # An error without errno comes from Arrow, one with errno from the disk.
        if error.errno is not None:
            raise
        raise MalformedInput("file-cut-off", kind=kind) from error


def _read(
    open_: Open, source: Source, options: ReadOptions, contract: Contract, row: int | None = None
) -> Iterator[Validated]:
    with (
        source.local_file(partial(_check_start, open_)) as path,
        reject_beyond_memory(TOO_MUCH),
        _mapped(path) as mapped,
    ):
        open_ = _opener(mapped[:HEAD_BYTES])
        with reject_malformed(ARROW if open_ is _open_file else STREAM):
            yield from _read_mapped(mapped, open_, options, contract, row)


def _check_start(said: Open, head: bytes) -> None:
    """Check by its first bytes that a file is in one of the two formats."""
    if not head:
        raise MalformedInput("file-empty")
    if head.startswith(FEATHER_1_MAGIC):
        raise MalformedInput("feather-1")
    if not head.startswith((FILE_MAGIC, CONTINUATION)):
        if said is _open_file:
            raise MalformedInput("file-format", kind=ARROW)
        raise MalformedInput("arrow-stream-unknown")


def _opener(start: bytes) -> Open:
    """Distinguish file and stream by their first bytes: they are often confused in file names."""
    return _open_file if start.startswith(FILE_MAGIC) else _open_stream


def _read_mapped(
    mapped: mmap.mmap, open_: Open, options: ReadOptions, contract: Contract, row: int | None
) -> Iterator[Validated]:
    schema, batches = open_(pa.py_buffer(mapped))
    needed = needed_columns(schema.names, options, contract)
    check_types(pa.schema([schema.field(i) for i in needed]), options, contract)
    # Read all columns, then select: if asked for a selection, Arrow would copy the columns.
    selected: Iterator[pa.RecordBatch] = (batch.select(needed) for batch in batches)
    if row is not None:
        selected = cut_out(_entire(selected), row, 1, ARROW)
    yield from _forgetting(mapped, validate_batches(selected, options, contract, row or 0))


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with path.open("rb") as file:
        # Not closed here: it is closed once no array refers to it.
        yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _forgetting(mapped: mmap.mmap, slices: Iterator[Validated]) -> Iterator[Validated]:
    for number, checked in enumerate(slices, 1):
        yield checked
        if number % FORGET_SLICES == 0 and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)


def _open_file(buffer: pa.Buffer) -> tuple[pa.Schema, Batches]:
    reader = pa.ipc.open_file(buffer)
    return reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))


def _open_stream(buffer: pa.Buffer) -> tuple[pa.Schema, Batches]:
    file = pa.BufferReader(buffer)
    reader = pa.ipc.open_stream(file)
    return reader.schema, _to_the_end(reader, file)


def _to_the_end(reader: pa.RecordBatchReader, file: pa.BufferReader) -> Batches:
    """Read a stream and require its end marker, the only sign of a stream truncated between two record batches."""
    yield from reader
    position = file.tell()
    file.seek(position - len(STREAM_END))
    if file.read(len(STREAM_END)) != STREAM_END:
        raise MalformedInput("file-cut-off", kind=STREAM)
    if position != file.size():
        raise MalformedInput("arrow-stream-goes-on")


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Combine small record batches; the overhead of validating one equals a thousand rows."""
    small: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows < FEW_ROWS:
            batch.validate(full=True)
            small.append(batch)
        if small and (len(small) == FEW_BATCHES or batch.num_rows >= FEW_ROWS):
            yield from _combined(small)
            small = []
        if batch.num_rows >= FEW_ROWS:
            yield batch
    if small:
        yield from _combined(small)


def _combined(batches: list[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    try:
        return [pa.concat_batches(batches)]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Their dictionaries differ and are of a kind that Arrow cannot unify. Decoding them all could take too much memory.
        return batches


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    # First check the lengths of the buffers, else the slices themselves would lie beyond them.
    batch.validate()
    size = slice_rows(batch.num_columns)
    for start in range(0, batch.num_rows, size):
        rows = batch.slice(start, size)
        rows.validate(full=True)
        text = sum(map(_text_bytes, rows.columns))
        if text > MAX_TEXT_BYTES:
            raise InputTooLarge("text-too-large", limit=MAX_TEXT_BYTES, count=rows.num_rows)
        yield from _cut_by_text(rows, text)


def _cut_by_text(rows: pa.RecordBatch, text: int) -> Iterator[pa.RecordBatch]:
    if rows.num_rows < 2 or text <= SLICE_TEXT_BYTES:
        yield rows
        return
    middle = rows.num_rows // 2
    for half in (rows.slice(0, middle), rows.slice(middle)):
        yield from _cut_by_text(half, sum(map(_text_bytes, half.columns)))


def _text_bytes(column: pa.Array) -> int:
    """Return the bytes of all text in a column after decoding dictionaries, or an upper bound; 0 if it has none."""
    if types.is_run_end_encoded(column.type):
        lengths = _lengths(column.values)
        return 0 if lengths is None else (pc.max(lengths).as_py() or 0) * len(column)
    lengths = _lengths(column)
    return 0 if lengths is None else pc.sum(lengths).as_py() or 0


def _lengths(column: pa.Array) -> Any:
    """Return the bytes of each string of a column; None if it is not a text column."""
    if types.is_dictionary(column.type):
        lengths = _lengths(column.dictionary)
        return None if lengths is None else pc.take(lengths, column.indices)
    if types.is_string_view(column.type):
        # Four numbers per value, the first of which is its length; that of a null is arbitrary.
        views = np.frombuffer(column.buffers()[1] or b"", np.int32).reshape(-1, 4)
        return pa.array(views[column.offset : column.offset + len(column), 0].clip(0))
    if types.is_string(column.type) or types.is_large_string(column.type):
        return pc.binary_length(column)
    return None

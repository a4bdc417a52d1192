"""The metadata of Arrow IPC files, read by ourselves: pyarrow tells the rows of a record batch only by loading it.

It is a flatbuffer: a table begins with the distance to its vtable, which holds the place of each field in the table, or 0.
"""

from collections.abc import Iterator
from struct import Struct, error
from typing import NamedTuple

import pyarrow as pa

from shared.errors import MalformedInput

FILE_MAGIC = b"ARROW1"
CONTINUATION = b"\xff\xff\xff\xff"

FOOTER_RECORD_BATCHES = 3
MESSAGE_HEADER = 2
BATCH_LENGTH, BATCH_COMPRESSION = 0, 3
"""Numbers of fields in the tables Footer, Message and RecordBatch."""

INT16, INT32, INT64 = Struct("<H"), Struct("<i"), Struct("<q")
BLOCK = Struct("<qi4xq")
"""Offset, bytes of the metadata, bytes of the body of a record batch."""

MAX_BATCHES = 20_000
"""Maximum number of record batches of a file whose chunks are read by several processes: each looks at all of them."""


class Batch(NamedTuple):
    """What the metadata say of a record batch."""

    rows: int
    body_bytes: int
    is_compressed: bool


def footer_of(file: pa.Buffer) -> pa.Buffer:
    """Return the footer of a file; raises MalformedInput if it is cut off."""
    end = file.size - len(FILE_MAGIC) - INT32.size
    if end < 0 or file.slice(end + INT32.size).to_pybytes() != FILE_MAGIC:
        raise MalformedInput("file-cut-off", kind="Arrow")
    size = INT32.unpack_from(file, end)[0]
    if not 0 < size <= end:
        raise MalformedInput("file-damaged", kind="Arrow")
    return file.slice(end - size, size)


def batches_of(file: pa.Buffer) -> list[Batch] | None:
    """List the record batches of a file; None if there are very many, or if it was written before Arrow 0.15."""
    footer = footer_of(file)
    try:
        blocks = _field(footer, _root(footer), FOOTER_RECORD_BATCHES)
        count, start = _vector(footer, blocks) if blocks else (0, 0)
        if not 0 <= count <= MAX_BATCHES:
            return None
        places = [BLOCK.unpack_from(footer, start + i * BLOCK.size) for i in range(count)]
        if any(file.slice(place, 4).to_pybytes() != CONTINUATION for place, _, _ in places):
            return None
        return list(_described(file, places))
    except (error, IndexError, ValueError, OverflowError):
        raise MalformedInput("file-damaged", kind="Arrow") from None


def _described(file: pa.Buffer, places: list[tuple[int, int, int]]) -> Iterator[Batch]:
    for place, metadata_bytes, body_bytes in places:
        message = file.slice(place + 8, metadata_bytes - 8)
        header = _field(message, _root(message), MESSAGE_HEADER)
        batch = header + _at(message, header, INT32)
        length = _field(message, batch, BATCH_LENGTH)
        rows = _at(message, length, INT64) if length else 0
        if rows < 0 or body_bytes < 0:
            raise ValueError
        yield Batch(rows, body_bytes, bool(_field(message, batch, BATCH_COMPRESSION)))


def _root(buffer: pa.Buffer) -> int:
    return _at(buffer, 0, INT32)


def _field(buffer: pa.Buffer, table: int, number: int) -> int:
    """Return the place of a field; 0 if it has its default."""
    vtable = table - _at(buffer, table, INT32)
    entry = 4 + 2 * number
    offset = _at(buffer, vtable + entry, INT16) if entry < _at(buffer, vtable, INT16) else 0
    return table + offset if offset else 0


def _vector(buffer: pa.Buffer, field: int) -> tuple[int, int]:
    """Return the length of a vector, and the place of its first element."""
    place = field + _at(buffer, field, INT32)
    return _at(buffer, place, INT32), place + INT32.size


def _at(buffer: pa.Buffer, place: int, kind: Struct) -> int:
    if place < 0:
        raise IndexError
    number: int = kind.unpack_from(buffer, place)[0]
    return number

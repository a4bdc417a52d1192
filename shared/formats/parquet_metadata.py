"""The metadata of Parquet files, read by ourselves: what they claim is compared with the pages before Arrow meets either."""

from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from shared.errors import InputTooLarge, MalformedInput

MAX_PAGE_BYTES = 64 << 20
"""Maximum size of a page, compressed or decompressed; the usual size is 1 MB."""

HEADER_BYTES = 512
MAX_HEADER_BYTES = 1 << 20
"""Bytes in which a page header is searched for, initially and at most."""

ROWS = 3
"""Thrift's number of the field with the rows of a row group."""


def row_groups(footer: bytes) -> list[Any]:
    """Read the row groups from the metadata; pyarrow's own accessor aborts the process if they are damaged."""
    try:
        groups = _thrift_struct(footer, 0)[0].get(4)
    except (IndexError, RecursionError):
        groups = None
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise MalformedInput("parquet-metadata-damaged")
    return groups


@lru_cache(maxsize=1)
def parsed_row_groups(footer: bytes) -> list[Any]:
    """Parse the metadata of a file once for all its chunks that this process reads."""
    return row_groups(footer)


class ColumnChunk(NamedTuple):
    """The values of one column in one row group: their bytes in the file, their size unpacked, and their encodings."""

    start: int
    end: int
    unpacked: int
    encodings: frozenset[int]


def column_chunk(group: dict[int, Any], leaf: int, name: str) -> ColumnChunk:
    """Read the metadata of a column in a row group. The numbers are Parquet's Thrift field ids."""
    try:
        column, rows = group[1][leaf], count_of(group, ROWS)
        if column.keys() & {8, 9}:
            raise MalformedInput("parquet-encrypted")
        facts = column[3]
        values, unpacked, size, start = (count_of(facts, number) for number in (5, 6, 7, 9))
        dictionary = facts.get(11) or 0
        if facts[3] != [name.encode()] or values != rows:
            raise MalformedInput("parquet-metadata-damaged")
        start = dictionary if 0 < dictionary < start else start
        return ColumnChunk(start, start + size, unpacked, frozenset(facts[2]))
    except (TypeError, AttributeError, LookupError):
        raise MalformedInput("parquet-metadata-damaged") from None


def check_chunks(file: pa.NativeFile, groups: list[Any], leaf: int, name: str) -> set[int]:
    """Compare a column's metadata with its pages, and return its encodings."""
    encodings: set[int] = set()
    for group in groups:
        chunk = column_chunk(group, leaf, name)
        encodings |= chunk.encodings
        _check_pages(file, chunk.start, chunk.end, count_of(group, ROWS))
    return encodings


def _check_pages(file: pa.NativeFile, position: int, end: int, rows: int) -> None:
    """Iterate over the pages; raises InputTooLarge for a large page, MalformedInput unless their rows add up."""
    found = 0
    while found < rows:
        page, length = _page_header(file, position, end)
        packed, unpacked = count_of(page, 3), count_of(page, 2)
        position += length + packed
        if position > end:
            raise MalformedInput("parquet-page-damaged")
        if max(packed, unpacked) > MAX_PAGE_BYTES:
            raise InputTooLarge("parquet-page-too-large", limit=MAX_PAGE_BYTES)
        data = page.get(5) or page.get(8)
        found += count_of(data, 1) if isinstance(data, dict) else 0
    if found != rows:
        raise MalformedInput("row-count", kind="Parquet")


def count_of(fields: dict[int, Any], number: int) -> int:
    """Return a field that is a number of things; raises MalformedInput if it is missing or negative."""
    value = fields.get(number)
    if not isinstance(value, int) or value < 0:
        raise MalformedInput("parquet-page-damaged")
    return value


def _page_header(file: pa.NativeFile, position: int, end: int) -> tuple[dict[int, Any], int]:
    """Read the header of the page at `position`; return its fields by number, and its length."""
    size = HEADER_BYTES
    while 0 <= position < end:
        data = file.read_at(min(size, end - position), position)
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

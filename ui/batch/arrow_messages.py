"""The heads of Arrow messages: how many rows there are and whether they are compressed, without unpacking anything.

https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

GOES_ON = 0xFFFFFFFF
"""Stands before the length of a message, but for those of very old files."""
MAGIC = b"ARROW1"
BLOCK_BYTES = 24
MAX_MESSAGES = 20_000
"""Messages, of each kind, that are looked at."""
DICTIONARY, ROWS = 2, 3


@dataclass(frozen=True)
class Head:
    """What is told of a message that holds rows, or the values of a dictionary."""

    is_dictionary: bool
    n_rows: int
    is_compressed: bool


UNSEEN = Head(is_dictionary=True, n_rows=0, is_compressed=True)
"""Stands for all messages beyond MAX_MESSAGES: they may be compressed."""


@dataclass(frozen=True)
class _Table:
    """A table of a flat buffer: its fields are found by their numbers, and may be absent."""

    data: bytes
    start: int

    def at(self, field: int) -> int | None:
        """Give the place of a field."""
        fields = self.start - self.number("<i", self.start)
        if 4 + 2 * field >= self.number("<H", fields):
            return None
        offset = self.number("<H", fields + 4 + 2 * field)
        return self.start + offset if offset else None

    def value(self, field: int, kind: str) -> int:
        """Give a number; 0 if it is absent."""
        place = self.at(field)
        return 0 if place is None else self.number(kind, place)

    def table(self, field: int) -> "_Table":
        """Give a table within; raises ValueError if it is absent."""
        place = self.at(field)
        if place is None:
            raise ValueError("a part is missing")
        return _Table(self.data, place + self.number("<I", place))

    def number(self, kind: str, place: int) -> int:
        """Read a number; raises ValueError if it is outside."""
        if not 0 <= place <= len(self.data) - struct.calcsize(kind):
            raise ValueError("a place is outside")
        return int(struct.unpack_from(kind, self.data, place)[0])


def heads_of_stream(data: BinaryIO) -> Iterator[Head]:
    """Give the heads of an Arrow stream, in their order; raises ValueError if it is damaged."""
    data.seek(0)
    for _ in range(MAX_MESSAGES):
        message = _message(data)
        if message is None:
            return
        yield from _head(message)
        data.seek(max(message.value(3, "<q"), 0), io.SEEK_CUR)
    yield UNSEEN


def heads_of_file(data: BinaryIO) -> Iterator[Head]:
    """Give the heads of an Arrow file, those of its dictionaries first; raises ValueError if it is damaged."""
    footer = _footer(data)
    for field in (2, 3):
        places = _blocks(footer, field)
        for place in places[:MAX_MESSAGES]:
            data.seek(place)
            if message := _message(data):
                yield from _head(message)
        if len(places) > MAX_MESSAGES:
            yield UNSEEN


def _message(data: BinaryIO) -> _Table | None:
    """Read the head of the message that begins here; None at the end."""
    length = _word(data)
    if length == GOES_ON:
        length = _word(data)
    return _root(data.read(length)) if length else None


def _head(message: _Table) -> Iterator[Head]:
    kind = message.value(1, "<B")
    if kind in (DICTIONARY, ROWS):
        rows = message.table(2) if kind == ROWS else message.table(2).table(1)
        yield Head(kind == DICTIONARY, rows.value(0, "<q"), rows.at(3) is not None)


def _footer(data: BinaryIO) -> _Table:
    end = data.seek(0, io.SEEK_END)
    data.seek(max(end - len(MAGIC) - 4, 0))
    length = _word(data)
    data.seek(max(end - len(MAGIC) - 4 - length, 0))
    return _root(data.read(length))


def _blocks(footer: _Table, field: int) -> list[int]:
    """Give the places of the messages that a list of the footer names."""
    place = footer.at(field)
    if place is None:
        return []
    start = place + footer.number("<I", place)
    count = min(footer.number("<I", start), MAX_MESSAGES + 1)
    return [max(footer.number("<q", start + 4 + BLOCK_BYTES * index), 0) for index in range(count)]


def _root(data: bytes) -> _Table:
    whole = _Table(data, 0)
    return _Table(data, whole.number("<I", 0))


def _word(data: BinaryIO) -> int:
    """Read four bytes as a number; 0 at the end."""
    return int.from_bytes(data.read(4), "little")

"""JSON columns, which are read side by side, some rows at a time: as Python objects, they would take fifty times their text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Any

import msgspec

from shared.errors import MalformedInput
from shared.formats.json_columns import JsonRows
from shared.formats.json_parts import elements_of
from shared.formats.json_pieces import NOT_IN_BULK, part_of
from shared.reasons import cut

PIECE_BYTES = 2**15
"""Approximate size of what is decoded of a column at a time; there may be a hundred columns."""

CUT_ATTEMPTS = 100
"""Commas that are tried as an end of a piece; only those of lists and objects are none, which are not values anyway."""

STRING_OR_COMMA = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|,', re.DOTALL)
REST_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some consecutive values of a column."""

    text: bytes
    """A JSON array of them."""
    values: Sequence[Any] | None
    """None if not all are of the type of the column."""
    count: int

    def texts(self) -> Sequence[bytes]:
        """Return their texts."""
        return elements_of(self.text) or ()


@dataclass(frozen=True, slots=True)
class Part:
    """The values of one column in some consecutive rows: parts of pieces."""

    pieces: list[tuple[_Piece, slice]]

    @property
    def count(self) -> int:
        """Number of values."""
        return sum(part.stop - part.start for _, part in self.pieces)

    def values(self) -> Sequence[Any] | None:
        """Return the values; None if not all are of the type of the column."""
        found: list[Any] = []
        for piece, part in self.pieces:
            if piece.values is None:
                return None
            found += piece.values[part]
        return found

    def texts(self) -> list[bytes]:
        """Return the texts of the values."""
        return [text for piece, part in self.pieces for text in piece.texts()[part]]


class Column:
    """A column of a document, from its text, a JSON array. It is read once, from its beginning to its end."""

    def __init__(self, name: str, text: bytes, rows: JsonRows) -> None:
        self._name = name
        self._text = text
        self._rows = rows
        self._decoder: Any = msgspec.json.Decoder(GenericAlias(list, rows.types[name]))
        self._pieces = self._read()
        self._piece = _Piece(b"[]", (), 0)
        self._used = 0

    def take(self, count: int) -> Part:
        """Return the next values, fewer at the end of the column; raises MalformedInput if it is not a list of values."""
        taken: list[tuple[_Piece, slice]] = []
        while count:
            if self._used == self._piece.count:
                if (piece := next(self._pieces, None)) is None:
                    break
                self._piece, self._used = piece, 0
            end = min(self._used + count, self._piece.count)
            taken.append((self._piece, slice(self._used, end)))
            count -= end - self._used
            self._used = end
        return Part(taken)

    def _read(self) -> Iterator[_Piece]:
        if not self._text.startswith(b"["):
            raise MalformedInput("column-not-a-list", column=cut(self._name))
        position: int | None = 1
        while position is not None:
            piece, position = self._next_piece(position)
            yield piece

    def _next_piece(self, position: int) -> tuple[_Piece, int | None]:
        """Return the piece that begins here, and where the next one does."""
        for end in _ends(self._text, position):
            piece = self._decoded(part_of(self._text, position, end))
            if piece is not None:
                return piece, None if end is None else end + 1
        raise MalformedInput("column-nested", column=cut(self._name))

    def _decoded(self, text: bytes) -> _Piece | None:
        """Decode a piece; None if the text is not an array."""
        if not self._rows.may_underflow(text):
            try:
                values = self._decoder.decode(text)
                return _Piece(text, values, len(values))
            except NOT_IN_BULK:
                """Perhaps the values are only of another type."""
        texts = elements_of(text)
        return None if texts is None else _Piece(text, None, len(texts))


def _ends(array: bytes, position: int) -> Iterator[int | None]:
    """Give the positions of commas at which a piece may end, and None if the rest of the array may be one."""
    start = _outside_of_strings(array, position, position + PIECE_BYTES)
    tried = 0
    for found in STRING_OR_COMMA.finditer(array, start):
        if found[0] == b",":
            yield found.start()
            tried += 1
            if tried == CUT_ATTEMPTS:
                return
    yield None


def _outside_of_strings(array: bytes, start: int, position: int) -> int:
    """Return the position, or the end of the string that it is in; `start` is in none."""
    plain = array[start:position].replace(rb"\\", b"__").replace(rb"\"", b"__")
    if plain.count(b'"') % 2 == 0:
        return position
    rest = REST_OF_STRING.match(array, position + plain.endswith(b"\\"))
    return rest.end() if rest else len(array)

"""Long texts of JSON, a piece at a time: no other thread of the process runs while one is searched or decoded."""

import re
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import chain
from typing import TypeVar

import msgspec
import pyarrow as pa

NOT_IN_BULK = (msgspec.DecodeError, pa.ArrowException, ArithmeticError, ValueError, TypeError, RecursionError)
"""Errors by which a fast reader gives up. ValueError: invalid UTF-8, or NaN; ArithmeticError: a number is too large."""

MAX_ROW_BYTES = 2**18
"""Maximum length of a row that is searched for errors."""

PIECE_BYTES = 2**16
"""Approximate size of a piece; takes 1 ms at most."""

BETWEEN_VALUES = re.compile(rb"(,)")
BETWEEN_OBJECTS = re.compile(rb"\}[ \t\r\n]*(,)[ \t\r\n]*\{")
BETWEEN_ARRAYS = re.compile(rb"\][ \t\r\n]*(,)[ \t\r\n]*\[")
"""The comma after an element of an array, which may also be within a string or nested deeper."""

BLANKS = b" \t\r\n"

T = TypeVar("T")
Elements = TypeVar("Elements", bound=Sized)


def begins_at(text: bytes) -> int:
    """Return the position of the first sign that is not blank; the length of the text if there is none."""
    for start in range(0, len(text), PIECE_BYTES):
        piece = text[start : start + PIECE_BYTES]
        if rest := piece.lstrip(BLANKS):
            return start + len(piece) - len(rest)
    return len(text)


def elements_in_pieces(array: bytes, decode: Callable[[bytes], Iterable[T]], between: re.Pattern[bytes]) -> Iterator[T]:
    """Decode the elements of an array, as `in_pieces` does."""
    return chain.from_iterable(in_pieces(array, decode, between))


def commas(between: re.Pattern[bytes], text: bytes, start: int) -> Iterator[int]:
    """Find commas from a position on; one of a match that begins in one piece and ends in the next is passed over."""
    for begin in range(start, len(text), PIECE_BYTES):
        for found in between.finditer(text, begin, begin + PIECE_BYTES):
            yield found.start(1)


def part_of(array: bytes, position: int, end: int | None) -> bytes:
    """Return the elements between two positions as an array; the end is None for all that follow, with the closing bracket."""
    return b"[" + array[position:end] + (b"" if end is None else b"]")


def in_pieces(array: bytes, decode: Callable[[bytes], T], between: re.Pattern[bytes]) -> Iterator[T]:
    """Cut the text of a JSON array at commas, and decode the pieces, each an array; raises what `decode` raises.

    Where a comma is not between elements, the piece before it is no valid array, and the rest stays whole.
    """
    position = array.find(b"[") + 1
    while (end := next(commas(between, array, position + PIECE_BYTES), None)) is not None:
        try:
            decoded = decode(part_of(array, position, end))
        except NOT_IN_BULK:
            break
        yield decoded
        position = end + 1
    yield decode(part_of(array, position, None))


def flat_pieces(array: bytes, decode: Callable[[bytes], Elements], between: re.Pattern[bytes]) -> Iterator[Elements]:
    """Do the same with an array of numbers, or of rows of them; raises an error of NOT_IN_BULK where it holds anything else.

    In such an array all commas that match are between elements, so none of it is tried as a whole.
    """
    first = array.find(b"[") + 1
    position: int | None = first
    while position is not None:
        end = next(commas(between, array, position + PIECE_BYTES), None)
        piece = part_of(array, position, end)
        if len(piece) > PIECE_BYTES + MAX_ROW_BYTES:
            raise ValueError("a row is too long")
        decoded = decode(piece)
        # Cut at a comma, a piece with nothing in it is an array too.
        if not len(decoded) and (position, end) != (first, None):
            raise ValueError("nothing beside a comma")
        yield decoded
        position = None if end is None else end + 1

"""Long texts of JSON, a piece at a time: no other thread of the process runs while one is searched or decoded."""

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
import pyarrow as pa

NOT_IN_BULK = (msgspec.DecodeError, pa.ArrowException, ArithmeticError, ValueError, TypeError, RecursionError)
"""Errors by which a fast reader gives up. ValueError: invalid UTF-8, or NaN; ArithmeticError: a number is too large."""

PIECE_BYTES = 2**18
"""Approximate size of a piece; takes 3 ms at most."""

BLANKS = b" \t\r\n"

T = TypeVar("T")


def begins_at(text: bytes) -> int:
    """Return the position of the first sign that is not blank; the length of the text if there is none."""
    for start in range(0, len(text), PIECE_BYTES):
        piece = text[start : start + PIECE_BYTES]
        if rest := piece.lstrip(BLANKS):
            return start + len(piece) - len(rest)
    return len(text)


def found_in_pieces(pattern: re.Pattern[bytes], text: bytes, start: int) -> Iterator[re.Match[bytes]]:
    """Find a pattern from a position on; what begins in one piece and ends in the next is passed over."""
    for begin in range(start, len(text), PIECE_BYTES):
        yield from pattern.finditer(text, begin, begin + PIECE_BYTES)


def in_pieces(array: bytes, decode: Callable[[bytes], T]) -> Iterator[T]:
    """Cut the text of a JSON array at commas, and decode the pieces, each an array; raises what `decode` raises.

    A comma may be within a string or nested deeper. Then the piece before it is no valid array, and the rest stays whole.
    """
    position = array.find(b"[") + 1
    while (end := array.find(b",", position + PIECE_BYTES)) >= 0:
        try:
            decoded = decode(b"[" + array[position:end] + b"]")
        except NOT_IN_BULK:
            break
        yield decoded
        position = end + 1
    yield decode(b"[" + array[position:])

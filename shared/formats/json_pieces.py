"""Long arrays of JSON, decoded a piece at a time: no other thread of the process runs while msgspec decodes."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec
import pyarrow as pa

NOT_IN_BULK = (msgspec.DecodeError, pa.ArrowException, ArithmeticError, ValueError, TypeError, RecursionError)
"""Errors by which a fast reader gives up. ValueError: invalid UTF-8, or NaN; ArithmeticError: a number is too large."""

PIECE_BYTES = 2**18
"""Approximate size of a piece; takes 3 ms at most."""

T = TypeVar("T")


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

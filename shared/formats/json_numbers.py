"""JSON arrays of numbers to NumPy arrays without looking at them one by one, and these to columns.

simdjson reads a number as whoever reads it alone, but takes less for one: any other value, and a whole number of more than 64
bits, is an error. A missing number is a number too, until it is a column.
"""

import re
from collections.abc import Callable
from random import SystemRandom
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.contract.contract import Feature
from shared.formats.json_pieces import NOT_IN_BULK

try:
    import simdjson
except ImportError:
    simdjson = None  # type: ignore[assignment]

EXACT = 2.0**53
"""Below it, all whole numbers are floats."""

NULL = re.compile(rb"null(?<=[\[,:\s]null)(?=[\],}\s])")
"""A value, and not a part of what is no JSON, such as -null. A pattern that begins with its letters is found fastest."""

MISSING = float(SystemRandom().randrange(2**52, 2**53))
"""Stands for null. Drawn anew by each process, so that nobody can send it; as a whole number it is decoded fastest."""

Decode = Callable[[bytes], Any]
Numbers = npt.NDArray[np.float64]


def is_simdjson_installed() -> bool:
    """Whether arrays can be read here; there are no wheels for some versions of Python."""
    return simdjson is not None


def vector(array: bytes) -> Numbers:
    """Read an array of numbers, shape (numbers,); raises an error of NOT_IN_BULK for anything else."""
    if array.rfind(b"[") != 0:
        raise ValueError("nested")
    return _flat(_parsed(array))


def matrix(array: bytes, width: int) -> Numbers:
    """Read an array of arrays of `width` numbers, shape (arrays, width); raises an error of NOT_IN_BULK for anything else."""
    rows = _parsed(array)
    # simdjson does not mind where in nested arrays a number is.
    if set(map(len, rows)) != {width} or array.count(b"[") != len(rows) + 1:
        raise ValueError("not of the width, or nested deeper")
    return _flat(rows).reshape(-1, width)


def taking_null(decode: Decode) -> Decode:
    """Have a decoder of numbers take null, where it can only be a value; it is not looked for until there may have been one."""
    has_null = False

    def decode_with_null(array: bytes) -> Any:
        nonlocal has_null
        if not has_null:
            try:
                return decode(array)
            except NOT_IN_BULK:
                has_null = True
        return decode(NULL.sub(b"%d" % MISSING, array))

    return decode_with_null


def column(values: npt.NDArray[Any], feature: Feature) -> pa.Array | None:
    """Return the values of one feature, a number; None if they may be others than in the text, or one must not be missing."""
    numbers = values.astype(np.float64)
    missing = numbers == MISSING
    if has_missing := bool(missing.any()):
        if not feature.nullable:
            return None
        numbers[missing] = 0.0
    if feature.kind.python is int and np.abs(numbers).max() >= EXACT:
        return None
    # -0.0 also stands for the integer -0, which pydantic reads as 0.
    if (np.signbit(numbers) & (numbers == 0)).any():
        return None
    return pa.array(numbers, mask=missing if has_missing else None)


def _parsed(array: bytes) -> Any:
    assert simdjson is not None  # noqa: S101 - `is_simdjson_installed` was asked
    try:
        return simdjson.Parser().parse(array)
    except RuntimeError as error:  # nested too deeply, or a whole number that is too large
        raise ValueError from error


def _flat(array: Any) -> Numbers:
    return np.frombuffer(array.as_buffer(of_type="d"), np.float64)

"""Extracts of large JSON rows: what is wrong with a row is found in a text that is as small as the answer.

Each key that a contract does not know costs pydantic 20 µs, and each value within a value 100 ns, during which nothing else in the
process goes on.
"""

import json
import re
from collections.abc import Collection
from typing import NamedTuple

import msgspec
import numpy as np

from shared.contract.findings import json_fault
from shared.errors import MalformedInput
from shared.formats.json_nan import with_nan
from shared.formats.json_parts import decoded, not_json
from shared.reasons import MAX_REPORTED

LARGE_ROW_BYTES = 2**14
"""Rows of this length or less are validated as they are."""

SMALL_NUMBER = re.compile(rb"[eE]-0*(?:[3-9][0-9]|[1-9][0-9]{2,})")
MANY_ZEROS = b"0" * 290
"""What is in a number that is so small that float64 has only 0 for it: one of the two."""

SEARCHED_BYTES = 2**20
"""Bytes that are searched at once: no other thread of the process runs meanwhile."""

LONGEST_SIGN = 300
"""Bytes that such an exponent may take without having MANY_ZEROS in it."""

NOT_ZERO = re.compile(rb"-?[0.]*[1-9][0-9]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?")
SMALLEST = b"5e-324"


class Extract(NamedTuple):
    """A row that pydantic accepts or refuses as it would the whole row, for the same reasons."""

    text: bytes
    omitted: int = 0
    """Unknown keys that are not in it, beyond the MAX_REPORTED that are."""


def may_underflow(text: bytes) -> bool:
    """Whether there may be a number in a text that is not 0, but too small for a float."""
    if len(text) <= SEARCHED_BYTES:
        return _may_underflow(text)
    pieces = (text[start : start + SEARCHED_BYTES + LONGEST_SIGN] for start in range(0, len(text), SEARCHED_BYTES))
    return any(map(_may_underflow, pieces))


def _may_underflow(text: bytes) -> bool:
    # Most texts have no negative exponent, which is found out faster without a regular expression, and fastest by one sign.
    has_small = b"-" in text and _has_negative_exponent(text) and SMALL_NUMBER.search(text) is not None
    return has_small or MANY_ZEROS in text


def _has_negative_exponent(text: bytes) -> bool:
    # Of few bytes, the calls of NumPy would take longer.
    if len(text) <= LARGE_ROW_BYTES:
        return b"e-" in text or b"E-" in text
    signs = np.frombuffer(text, np.uint8)
    before = signs[np.flatnonzero(signs == ord("-")) - 1]
    return bool(((before == ord("e")) | (before == ord("E"))).any())


def extract(text: bytes, names: Collection[str], whole_numbers: Collection[str] = ()) -> Extract:
    """Reduce a large row to the values of `names`, without what is nested in them, and to some of its other keys.

    In a row of any size, a number that is too small for a float is written as the smallest one where it should be a whole
    number: 0 is a whole number, and it is not. Raises MalformedInput if a large row is not JSON.
    """
    is_large = len(text) > LARGE_ROW_BYTES
    if not is_large and not may_underflow(text):
        return Extract(text)
    try:
        text.decode()  # msgspec does not validate text that it skips
        content, has_nan = decoded(text, msgspec.Raw)
    except UnicodeDecodeError as error:
        raise not_json(*json_fault(str(error), len(text))) from None
    except MalformedInput:
        if is_large:
            raise
        return Extract(text)
    try:
        values = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return Extract(b"[]")
    unknown = [name for name in values if name not in names]
    known = [
        b"%s:%s"
        % (_encoded(name), _outline(with_nan(bytes(value)) if has_nan else bytes(value), name in whole_numbers))
        for name, value in values.items()
        if name in names
    ]
    others = [b"%s:null" % _encoded(name) for name in unknown[:MAX_REPORTED]]
    return Extract(b"{%s}" % b",".join([*known, *others]), len(unknown) - len(others))


def _encoded(name: str) -> bytes:
    return json.dumps(name).encode()


def _outline(value: bytes, is_whole: bool) -> bytes:
    """Write a nested value without what it holds, and a whole number that is none so that it is not read as one."""
    if is_whole and NOT_ZERO.fullmatch(value) and float(value) == 0:
        return SMALLEST
    return {b"[": b"[]", b"{": b"{}"}.get(value[:1], value)

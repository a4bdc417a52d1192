"""Extracts of large JSON rows: what is wrong with a row is found in a text that is as small as the answer.

Each key that a contract does not know costs pydantic 20 µs, and each value within a value 100 ns, during which nothing else in the
process goes on.
"""

import json
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from shared.reasons import MAX_REPORTED

LARGE_ROW_BYTES = 2**14
"""Rows of this length or less are validated as they are."""

MAX_ROW_BYTES = 2**18
"""Maximum length of a row that is searched for errors."""


class Extract(NamedTuple):
    """A row that pydantic accepts or refuses as it would the whole row, for the same reasons."""

    text: bytes
    omitted: int = 0
    """Unknown keys that are not in it, beyond the MAX_REPORTED that are."""


def extract(text: bytes, names: Collection[str]) -> Extract:
    """Reduce a large row to the values of `names`, without what is nested in them, and to some of its other keys.

    Raises an error of msgspec, or a ValueError, if it is not JSON; unlike in a small row, NaN is not.
    """
    if len(text) <= LARGE_ROW_BYTES:
        return Extract(text)
    text.decode()  # msgspec does not validate text that it skips
    try:
        values = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        msgspec.json.decode(text, type=msgspec.Raw)  # validates what follows, too
        return Extract(b"[]")
    unknown = [name for name in values if name not in names]
    known = [b"%s:%s" % (_encoded(name), _outline(bytes(values[name]))) for name in values if name in names]
    others = [b"%s:null" % _encoded(name) for name in unknown[:MAX_REPORTED]]
    return Extract(b"{%s}" % b",".join([*known, *others]), len(unknown) - len(others))


def _encoded(name: str) -> bytes:
    return json.dumps(name).encode()


def _outline(value: bytes) -> bytes:
    """Write a nested value without what it holds."""
    return {b"[": b"[]", b"{": b"{}"}.get(value[:1], value)

"""JSON arrays of rows, validated a slice at a time: cut at commas between rows, and read as fast as what is in them allows."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import GenericAlias
from typing import Any

import msgspec

from shared.contract.validated import Validated
from shared.errors import MalformedInput
from shared.formats.json_parts import decoded, elements_of
from shared.formats.json_pieces import BETWEEN_OBJECTS, begins_at, commas, part_of

SLICE_ROWS = 2000
"""Approximate number of rows validated at a time: those among which one is invalid are read again, one by one."""

MAX_SLICE_BYTES = 2**20
"""Maximum size of a slice, unless a single row is larger: as Python objects, its values take fifty times as much."""

FIRST_SLICE_BYTES = 2**16
"""Size of the first one, which tells how long a row is."""

LARGE_SLICE_BYTES = 5 * MAX_SLICE_BYTES
"""The same where no value is a Python object. A slice costs calls, however small it is; they take as long as some 2,000 rows."""

MOST_REFUSED = 2
"""Large slices that may turn out to need another reader, before none is tried any more."""

CUT_ATTEMPTS = 20
"""False row boundaries that are tried before the rest of an array is treated as one slice."""

ReadInBulk = Callable[[bytes, int], Validated | None]
"""Validates an array of rows, the first of which has this number; None if it cannot."""


@dataclass(frozen=True)
class Readers:
    """The ways to read rows, from the fastest one to the one that says of each value what is wrong with it."""

    without_objects: ReadInBulk | None
    in_bulk: ReadInBulk
    """Tries the one before, too."""
    one_by_one: Callable[[Sequence[bytes], int], Validated]
    """Takes the texts of the rows."""


def validated_array(array: bytes, readers: Readers, between: re.Pattern[bytes]) -> Iterator[Validated]:
    """Validate the rows of an array in slices; raises MalformedInput if it is no array, or has no rows.

    A matching comma may be within a string or nested deeper. But if a piece is a valid JSON array once enclosed in brackets,
    it was cut between elements, since the state of a parser at the cut depends only on the text before.
    """
    start, size, refused, is_bulk = 0, FIRST_SLICE_BYTES, 0, True
    position: int | None = _first_position(array)
    while position is not None:
        if readers.without_objects and is_bulk and refused < MOST_REFUSED:
            end = next(commas(between, array, position + LARGE_SLICE_BYTES), None)
            large = readers.without_objects(part_of(array, position, end), start)
            if large is None:
                refused, is_bulk = refused + 1, False
                continue
            yield large
            rows = large.batch.num_rows
        else:
            found, end = _next_piece(array, position, size, start, readers.in_bulk, between)
            is_bulk = isinstance(found, Validated)
            if isinstance(found, Validated):
                yield found
                rows = found.batch.num_rows
            else:
                rows = len(found)
                for i in range(0, rows, SLICE_ROWS):
                    yield readers.one_by_one(found[i : i + SLICE_ROWS], start + i)
            length = (len(array) if end is None else end) - position
            size = min(length * SLICE_ROWS // max(rows, 1), MAX_SLICE_BYTES)
        start += rows
        position = None if end is None else end + 1
    if not start:
        raise MalformedInput("no-rows")


def _first_position(array: bytes) -> int:
    """Return the position after the opening bracket; raises MalformedInput if the text does not begin with one."""
    position = begins_at(array)
    if not array.startswith(b"[", position):
        raise _no_array(array)
    return position + 1


def _next_piece(
    array: bytes,
    position: int,
    size: int,
    start: int,
    in_bulk: ReadInBulk,
    between: re.Pattern[bytes],
) -> tuple[Validated | list[bytes], int | None]:
    """Return the next rows, validated or raw, and the position of the comma after them; None if they are the last."""
    for end in (*islice(commas(between, array, position + size), CUT_ATTEMPTS), None):
        piece = part_of(array, position, end)
        if (checked := in_bulk(piece, start)) is not None:
            return checked, end
        _check_elements(piece, between)
        if (rows := elements_of(piece)) is not None:
            return rows, end
    raise _no_array(array)


class _AnyObject(msgspec.Struct, gc=False):
    """Any JSON object; its content is discarded."""


class _AnyArray(msgspec.Struct, array_like=True, gc=False):
    """Any JSON array; its content is discarded."""


def _check_elements(array: bytes, between: re.Pattern[bytes]) -> None:
    """Raise MalformedInput if a large array contains anything other than rows: numbers take a hundred times their size."""
    if len(array) <= 2 * MAX_SLICE_BYTES:
        return
    row: Any = _AnyObject if between is BETWEEN_OBJECTS else _AnyArray
    try:
        decoded(array, GenericAlias(list, row))
    except msgspec.ValidationError:
        raise MalformedInput("json-not-rows") from None
    except MalformedInput:
        """Reported by the next reader."""


def _no_array(text: bytes) -> MalformedInput:
    """Tell why a text is not a JSON array."""
    try:
        decoded(text, msgspec.Raw)
    except MalformedInput as error:
        return error
    return MalformedInput("json-not-an-array")

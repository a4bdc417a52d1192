"""Translate pydantic errors to our own invalid values: with parameters, and without repeating the input."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from shared.reasons import InvalidValue, Params, cut

PLACES = (
    re.compile(r"(?P<fault>.*) at line (?P<line>\d+) column (?P<character>\d+)"),  # pydantic
    re.compile(r"(?:JSON is malformed: )?(?P<fault>.*) \((?P<line>)byte (?P<character>\d+)\)"),  # msgspec
)

NULLS = ("float_type", "int_type", "bool_type", "string_type")
"""Pydantic's errors for null, the same as for any value of a wrong type; a missing value gets its own message."""

BEYOND_INT64 = 2**63
BEYOND_EXACT = 2**53


def invalid_values(
    error: ValidationError, row: int | None, allowed: Mapping[str | None, Sequence[Any] | None]
) -> list[InvalidValue]:
    """Translate the errors of one row, or of a single value, whose column is None.

    `allowed` holds the accepted values by column, if they are listed.
    """
    found = []
    for detail in error.errors(include_url=False):
        column = str(detail["loc"][0]) if detail["loc"] else None
        if detail["input"] is None and detail["loc"] and detail["type"] in NULLS:
            found.append(InvalidValue(row, cut(str(column)), "null_not_allowed"))
            continue
        params = _params(detail["type"], detail.get("ctx", {}), allowed.get(column))
        found.append(InvalidValue(row, None if column is None else cut(column), detail["type"], params))
    return found


class JsonFault(NamedTuple):
    """A JSON syntax error in the words of the parser, and its position: `line` from 1, `character` within it."""

    fault: str
    line: int
    character: int


def json_fault(message: str, length: int = 0) -> JsonFault:
    """Parse an error message of pydantic or msgspec about a text of `length` characters."""
    for place in PLACES:
        if found := place.fullmatch(message):
            return JsonFault(found["fault"], int(found["line"] or 1), int(found["character"]))
    return JsonFault("nested too deeply" if "recursion" in message else "unexpected end", 1, length)


def _params(kind: str, context: Mapping[str, Any], allowed: Sequence[Any] | None) -> Params:
    match kind:
        case "greater_than_equal":
            return {"limit": _number(context["ge"])}
        case "less_than_equal":
            return {"limit": _number(context["le"])}
        case "literal_error":
            return {"values": list(allowed or ())}
        case "json_invalid":
            return json_fault(context["error"])._asdict()
    return {}


def _number(bound: float) -> float:
    """Return a bound as people write it: whole numbers without a fraction, and nothing that JSON parsers would round."""
    if isinstance(bound, int):
        return bound if -BEYOND_INT64 <= bound < BEYOND_INT64 else float(bound)
    return int(bound) if bound.is_integer() and abs(bound) < BEYOND_EXACT else bound

"""Reject parameters that are unknown or repeated: otherwise a misspelt option, or one of two values, would be silently ignored."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_origin

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Header, Path
from pydantic_core import PydanticCustomError

from api.errors import InvalidParameters
from shared.reasons import MAX_REPORTED, fill
from shared.sentences import INVALID_PARAMETERS

SYNONYMS: Mapping[str, str] = {
    "sep": "delimiter",
    "separator": "delimiter",
    "columns": "keep",
    "filename": "name",
    "webhook": "callback_url",
    "page": "offset",
    "skip": "offset",
    "page_size": "limit",
    "size": "limit",
    "status": "state",
}
"""Names that other services use for the same parameters."""


def check_query(request: Request) -> None:
    """Raise InvalidParameters if the query has a parameter that the route does not declare, or one twice that is not a list."""
    declared = get_flat_params(request.scope["route"].dependant)
    known = [field for field in declared if not isinstance(field.field_info, Header | Path)]
    lists = [field.alias for field in known if get_origin(field.field_info.annotation) is list]
    given = (name for name, _ in request.query_params.multi_items())
    check_names(given, [field.alias for field in known], "query", lists)


def check_names(given: Iterable[str], known: Sequence[str], place: str, lists: Collection[str] = ()) -> None:
    """Raise InvalidParameters if a name in this location, `query` or `body`, is unknown, or there twice and not one of `lists`."""
    times = Counter(given)
    wrong = [name for name, count in times.items() if name not in known or (count > 1 and name not in lists)]
    if wrong:
        raise InvalidParameters([_detail(name, known, place) for name in wrong[:MAX_REPORTED]], len(wrong))


def invalid(type: str, **params: Any) -> PydanticCustomError:
    """Make a pydantic error about a parameter, with a type of INVALID_PARAMETERS."""
    return PydanticCustomError(type, fill(INVALID_PARAMETERS[type], params))


def rejected(name: str, error: PydanticCustomError) -> InvalidParameters:
    """Make the error of a query parameter for the route to raise."""
    return InvalidParameters([{"loc": ("query", name), "msg": error.message(), "type": error.type}])


def _detail(name: str, known: Sequence[str], place: str) -> dict[str, Any]:
    error = invalid("repeated_parameter") if name in known else _unknown(name, known)
    return {"loc": (place, name), "msg": error.message(), "type": error.type}


def _unknown(name: str, known: Sequence[str]) -> PydanticCustomError:
    if not known:
        return invalid("no_parameters")
    plain = name[:100].lower().replace("-", "_")
    nearest = [SYNONYMS[plain]] if SYNONYMS.get(plain) in known else get_close_matches(plain, known, 1)
    if nearest:
        return invalid("misspelt_parameter", nearest=nearest[0])
    return invalid("unknown_parameter", accepted=list(known))


KnownParameters = Depends(check_query)
"""For the `dependencies` of a route."""

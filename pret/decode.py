"""From JSON to frozen dataclasses, by their annotations: unknown keys are ignored, absent ones take their default."""

import types
from collections.abc import Callable, Hashable
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class WrongShape(ValueError):
    """The JSON is not what it should be."""


def decode(kind: type[T], value: Any) -> T:
    """Make a value of the type, such as a dataclass or `list[Dataclass]`; raises WrongShape."""
    decoder: Callable[[Any], T] = _decoder(cast(Hashable, kind))
    return decoder(value)


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda value: value
    if origin in (Union, types.UnionType):
        return _optional(arguments)
    if origin in (list, tuple):
        return _sequence(origin, _decoder(arguments[0]))
    if origin is dict:
        return _mapping(_decoder(arguments[1]))
    if is_dataclass(kind):
        return _record(kind)
    return _moment if kind is datetime else _plain(kind)


def _optional(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    (kind,) = (argument for argument in arguments if argument is not types.NoneType)
    inner = _decoder(kind)
    return lambda value: None if value is None else inner(value)


def _sequence(make: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: make(map(inner, _checked(list, value)))


def _mapping(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: {name: inner(part) for name, part in _checked(dict, value).items()}


def _record(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name]) for field in fields(kind)}
    required = {field.name for field in fields(kind) if not _has_default(field)}

    def record(value: Any) -> Any:
        known = _checked(dict, value)
        if missing := required - known.keys():
            raise WrongShape(f"{kind.__name__} lacks {min(missing)!r}")
        return kind(**{name: inner(known[name]) for name, inner in decoders.items() if name in known})

    return record


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _moment(value: Any) -> datetime:
    try:
        return datetime.fromisoformat(_checked(str, value))
    except ValueError as error:
        raise WrongShape("a time is not in ISO 8601") from error


def _plain(kind: Any) -> Callable[[Any], Any]:
    if kind is float:
        return lambda value: float(_checked((int, float), value))
    return lambda value: _checked(kind, value)


def _checked(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise WrongShape(f"{type(value).__name__} where something else belongs")
    return value

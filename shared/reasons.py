"""Why something is not as it should be: a stable type, some parameters, and the English sentence that they make.

The sentences stand in `shared/sentences.py`. Programs and other languages go by type and parameters. These hold what JSON has:
numbers, texts, lists of names, and a `reason` within a reason; never a value that a caller sent. `line` and `row` say where,
`limit` and `count` how much, `accepted` what would do instead, `fault` is a word of the machine's own, such as the name of an
exception or what a parser says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from string import Formatter
from typing import Any, Self

from shared.sentences import INVALID_VALUES, REASONS

MAX_REPORTED = 100
"""Invalid values that a report names; it counts all of them."""

MAX_NAME_LENGTH = 100
"""A name that the caller made up is cut to this many characters."""

MAX_NAMES = 100
"""Names in one list; where there are more, the last one is MORE."""

MAX_NAMES_IN_SENTENCE = 5

MORE = "…"

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Reason:
    """Why something is not as it should be; `type` is one of REASONS."""

    type: str
    params: Params = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The sentence; of a type that only another version of the service knows, its name."""
        return fill(REASONS.get(self.type, self.type), self.params)

    def as_dict(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {"type": self.type, "message": self.message, "params": dict(self.params)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read it again; the sentence is made anew."""
        return cls(content["type"], content.get("params", {}))


@dataclass(frozen=True)
class InvalidValue:
    """A value that breaks the contract; `type` is one of INVALID_VALUES.

    `row` counts from 0 and is None for a lone row, `column` is None where no one column is meant.
    """

    row: int | None
    column: str | None
    type: str
    params: Params = field(default_factory=dict)

    @property
    def message(self) -> str:
        """What is wrong with it, in words."""
        return fill(INVALID_VALUES.get(self.type, self.type), self.params)

    @property
    def text(self) -> str:
        """The words for people who see only the row."""
        return self.message if self.column is None else f"{self.column}: {self.message}"

    def in_row(self) -> dict[str, Any]:
        """Give what JSON can hold, for where the row is known."""
        return {"column": self.column, "type": self.type, "message": self.message, "params": dict(self.params)}

    def as_dict(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        return {"row": self.row, **self.in_row()}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read it again; the words are made anew."""
        return cls(content["row"], content["column"], content["type"], content.get("params", {}))


def cut(name: str) -> str:
    """Shorten a name that the caller made up."""
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[:MAX_NAME_LENGTH]}{MORE}"


def cut_names(names: Sequence[str]) -> list[str]:
    """Shorten a list of names that the caller made up."""
    return [*map(cut, names[:MAX_NAMES]), *([MORE] if len(names) > MAX_NAMES else [])]


def fill(sentence: str, params: Params) -> str:
    """Write the parameters into a sentence of the tables."""
    return "".join(
        text if name is None else f"{text}{_written(params.get(name), spec, conversion)}"
        for text, name, spec, conversion in _parts(sentence)
    )


@lru_cache(maxsize=1024)
def _parts(sentence: str) -> tuple[tuple[str, str | None, str, str | None], ...]:
    return tuple((text, name, spec or "", conversion) for text, name, spec, conversion in Formatter().parse(sentence))


def _written(value: Any, spec: str, conversion: str | None) -> str:
    if value is None:
        return MORE  # another version of the service has other parameters
    if isinstance(value, Mapping):
        return Reason.from_dict(value).message
    if isinstance(value, list | tuple):
        return _alternatives(value) if spec == "or" else _enumeration(value)
    if conversion == "r":
        return repr(value)
    if "|" in spec:
        one, many = spec.split("|")
        return one if value == 1 else many
    return _bytes(value) if spec == "size" and isinstance(value, int) else format(value, spec)


def _alternatives(values: Sequence[Any]) -> str:
    *front, last = map(repr, values)
    return f"{', '.join(front)} or {last}" if front else last


def _enumeration(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:MAX_NAMES_IN_SENTENCE]))
    if names[-1:] == [MORE]:
        return f"{listed} and more"
    more = len(names) - MAX_NAMES_IN_SENTENCE
    return f"{listed} and {more} more" if more > 0 else listed


def _bytes(count: int) -> str:
    for unit, size in (("GB", 2**30), ("MB", 2**20)):
        if count and count % size == 0:
            return f"{count // size:,} {unit}"
    return f"{count:,} {'byte' if count == 1 else 'bytes'}"

"""The form of one applicant, made only from the signature of the live model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pret import Column, ModelSignature
from ui.labels import label_of

MAX_FIELDS = 200
"""A form with more fields would be slow, and of no use."""
MAX_CHOICES = 5
"""An integer with at most this many possible values is chosen, not typed."""
LARGEST_NUMBER = 2**53 - 1
"""Larger integers are not exact in every program; they are neither filled in nor shown as bounds."""

Kind = Literal["number", "integer", "boolean", "choice", "text"]
KINDS: dict[str, Kind] = {"double": "number", "float": "number", "long": "integer", "integer": "integer"}
NUMERIC = ("number", "integer")
MISSING = frozenset({"na", "nan", "null", "none"})
"""What programs write for a missing number."""


@dataclass(frozen=True)
class FormField:
    """One feature as a field; `index` is its position in the signature."""

    index: int
    name: str
    label: str
    kind: Kind
    required: bool = True
    description: str | None = None
    lowest: float | None = None
    highest: float | None = None
    choices: tuple[Any, ...] = ()
    default: Any = None
    is_sent_empty: bool = False
    """Whether its key must be there, though its value may be missing."""
    group: str | None = None
    """What the model calls the group that it belongs to, for people."""

    @property
    def key(self) -> str:
        """The key of its widget."""
        return f"field_{self.index}"


def fields_of(signature: ModelSignature) -> tuple[FormField, ...]:
    """Make the fields, in the order of the signature, with the values of the model's example as defaults."""
    example = signature.input_example or {}
    fields = [_field(index, column, example.get(column.name)) for index, column in enumerate(signature.columns)]
    labels = [field.label for field in fields]
    return tuple(replace(field, label=field.name) if labels.count(field.label) > 1 else field for field in fields)


def row_of(
    fields: Iterable[FormField], values: Mapping[str, Any], read_number: Callable[[str], float | str]
) -> dict[str, Any]:
    """Make the row to score from the values of the widgets, by key; empty ones are left out, or null.

    Numbers are text that `read_number` reads; what it cannot parse is sent unchanged, and the service reports it as invalid.
    """
    row: dict[str, Any] = {}
    for field in fields:
        value = values.get(field.key)
        if value is not None and str(value).strip() != "":
            row[field.name] = read_number(value) if field.kind in NUMERIC else value
        elif field.is_sent_empty:
            row[field.name] = None
    return row


def values_of(
    fields: Iterable[FormField], row: Mapping[str, Any], write_number: Callable[[float], str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Make the values of the widgets, by key, from a row: the reverse of `row_of`.

    Values are those of JSON, or text. Also returns the labels of the choices that have no such value, which stay empty.
    """
    values, unfit = {}, []
    for field in fields:
        given = row.get(field.name)
        value = None if _is_missing(given, field) else _widget_value(field, given, write_number)
        if value is None and not _is_missing(given, field):
            unfit.append(field.label)
        values[field.key] = value
    return values, tuple(unfit)


def _field(index: int, column: Column, example: Any) -> FormField:
    kind, choices = _kind(column)
    lowest, highest = _bounds(column, kind)
    field = FormField(
        index,
        column.name,
        label_of(column.name, column.label),
        kind,
        not column.may_be_missing,
        column.description,
        lowest,
        highest,
        choices,
        is_sent_empty=column.required and column.may_be_missing,
        group=label_of(column.group, column.group_label) if column.group else None,
    )
    return replace(field, default=_default(field, example))


def _kind(column: Column) -> tuple[Kind, tuple[Any, ...]]:
    if column.values is not None:
        return "choice", tuple(column.values)
    if column.type == "boolean":
        return "boolean", (True, False)
    kind = KINDS.get(column.type, "text")
    if kind == "integer" and column.ge is not None and column.le is not None and column.le - column.ge < MAX_CHOICES:
        return "choice", tuple(range(_up(column.ge), int(column.le // 1) + 1))
    return kind, ()


def _bounds(column: Column, kind: Kind) -> tuple[float | None, float | None]:
    """Return the bounds to show: floats for numbers, integers for integers."""
    if kind == "number":
        return _as_float(column.ge), _as_float(column.le)
    if kind != "integer":
        return None, None
    lowest = None if column.ge is None or column.ge < -LARGEST_NUMBER else _up(column.ge)
    highest = None if column.le is None or column.le > LARGEST_NUMBER else int(column.le // 1)
    return lowest, highest


def _default(field: FormField, example: Any) -> Any:
    """Return the example's value if it has the field's kind and is within its bounds."""
    if field.choices:
        return next((choice for choice in field.choices if _same(choice, example)), None)
    if field.kind == "text":
        return example if isinstance(example, str) else None
    if isinstance(example, bool) or not isinstance(example, int | float):
        return None
    value = float(example) if field.kind == "number" else int(example)
    largest = float("inf") if field.kind == "number" else LARGEST_NUMBER
    lowest = -largest if field.lowest is None else field.lowest
    highest = largest if field.highest is None else field.highest
    return value if lowest <= value <= highest else None


def _is_missing(value: Any, field: FormField) -> bool:
    if isinstance(value, str):
        return not value.strip() or (field.kind in NUMERIC and value.strip().casefold() in MISSING)
    return value is None or value != value


def _widget_value(field: FormField, given: Any, write_number: Callable[[float], str]) -> Any:
    """Return what the widget of a field holds; None if it has no such choice."""
    if field.choices:
        return next((choice for choice in field.choices if _same(choice, given) or _is_written(choice, given)), None)
    if field.kind == "text":
        return str(given)
    number = _number(given)
    # The service says of everything else that it is not a number.
    return str(given) if number is None else write_number(number)


def _is_written(choice: Any, given: Any) -> bool:
    """Whether a choice may be written like this in a file."""
    if isinstance(choice, bool):
        return isinstance(given, str) and given.strip().casefold() == str(choice).casefold()
    return str(given) == choice if isinstance(choice, str) else _number(given) == choice


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return value if isinstance(value, int) else float(value)
    except ValueError:
        return None


def _same(choice: Any, value: Any) -> bool:
    """Whether two values are equal and of one type; for Python, True equals 1."""
    return type(choice) is type(value) and bool(choice == value)


def _as_float(bound: float | None) -> float | None:
    return None if bound is None else float(bound)


def _up(bound: float) -> int:
    return -int(-bound // 1)

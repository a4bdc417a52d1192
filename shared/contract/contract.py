"""The feature contract: which rows a model accepts.

It is implemented twice: here as a pydantic validator for JSON rows; in `shared.contract.columns` for columns. Both give the
same result in the same words.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil, floor, inf
from typing import Annotated, Any, Literal, NotRequired

import msgspec
import pyarrow as pa
from pydantic import ConfigDict, Field, GetPydanticSchema, TypeAdapter, ValidationError, WithJsonSchema
from pydantic.config import ExtraValues
from pydantic_core import core_schema
from typing_extensions import TypedDict

from shared.contract.findings import invalid_values
from shared.contract.mlmodel import DEFAULT_MISSING_CATEGORY
from shared.contract.objects import object_type
from shared.contract.text import Language, Text
from shared.reasons import InvalidValue, cut
from shared.sentences import INVALID_VALUES

Row = dict[str, Any]
"""One applicant: feature name to number, boolean, string or None."""

RowValues = list[Any]
"""The same as the values of all features, in the model's order; None where one is missing."""

Nullability = Literal[
    "stated", "optional", "gaps-in-training", "no-gaps-in-training", "missing-category", "no-missing-category"
]
"""Why a value may or may not be missing."""

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)


@dataclass(frozen=True)
class FeatureType:
    """The meaning of one MLflow column type: the Python type in JSON, the Arrow type in batches, the bounds of the type."""

    python: type
    arrow: pa.DataType
    bounds: tuple[int, int] | None = None


# `float` is kept in 64 bits like `double`: rounding to 32 bits before checking a bound would change the result.
FEATURE_TYPES: dict[str, FeatureType] = {
    "double": FeatureType(float, pa.float64()),
    "float": FeatureType(float, pa.float64()),
    "long": FeatureType(int, pa.int64(), INT64),
    "integer": FeatureType(int, pa.int64(), INT32),
    "boolean": FeatureType(bool, pa.bool_()),
    "string": FeatureType(str, pa.string()),
}


@dataclass(frozen=True)
class Feature:
    """One column of the signature, with its metadata."""

    name: str
    type: str
    required: bool = True
    """Whether the column or key must be present."""
    description: Text | None = None
    ge: float | None = None
    le: float | None = None
    values: tuple[str | int, ...] | None = None
    nullable: bool = False
    """Whether the value may be missing."""
    nullable_because: Nullability = "stated"
    label: Text | None = None
    reason: Text | None = None
    """What a declined applicant is told if it counted against them."""
    group: str | None = None
    actionable: bool = True
    """Whether the applicant can do anything about it."""
    protected: bool = False
    """Whether a decision must not be explained with it to the applicant."""

    @property
    def kind(self) -> FeatureType:
        """The meaning of the column type."""
        return FEATURE_TYPES[self.type]

    def named(self, language: Language) -> str:
        """Return its label, or its name where it has none."""
        return self.label.said(language) if self.label else self.name

    def described(self, language: Language) -> str | None:
        """Return its description, if it has one."""
        return self.description.said(language) if self.description else None

    def annotation(self) -> Any:
        """Build the type with which pydantic validates the value."""
        value = self._value_type() | None if self.nullable else self._value_type()
        annotated: Any = Annotated[value, Field(description=self.described("en"))]
        return annotated if self.required else NotRequired[annotated]

    def quick_type(self) -> Any:
        """Build the type with which msgspec decodes the value: it accepts no more than `annotation` does."""
        kind: Any = self.kind.python
        lowest, highest = self.bounds
        if self.values is not None:
            within = [value for value in self.values if kind is str or lowest <= value <= highest]
            kind = Literal[tuple(within)]
        elif kind in (int, float):
            kind = Annotated[kind, msgspec.Meta(ge=lowest, le=highest)]
        return kind | None if self.nullable else kind

    @cached_property
    def bounds(self) -> tuple[Any, Any]:
        """Minimum and maximum, or None: those of the metadata, within those of the type; floats for fractions."""
        if self.kind.bounds is None:
            return None if self.ge is None else float(self.ge), None if self.le is None else float(self.le)
        lowest, highest = self.kind.bounds
        return (
            lowest if self.ge is None else max(lowest, ceil(self.ge)),
            highest if self.le is None else min(highest, floor(self.le)),
        )

    def finding(self, value: Any) -> InvalidValue:
        """Return why pydantic considers a value invalid; None stands for a missing value where one is required."""
        if value is None:
            return InvalidValue(None, cut(self.name), "null_not_allowed")
        try:
            self._adapter.validate_json(json.dumps(value))
        except ValidationError as error:
            return replace(invalid_values(error, None, {None: self.values})[0], column=cut(self.name))
        raise ValueError(f"The value of {self.name!r} is valid.")

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._value_type(), config=ConfigDict(strict=True))

    def _value_type(self) -> Any:
        if self.kind.python is float:
            return Annotated[float, Field(ge=self.ge, le=self.le, allow_inf_nan=False)]
        if self.kind.python is int:
            return self._by_schema(_whole_number(*self.bounds), {"type": "integer"})
        if self.kind.python is str and self.values is not None:
            return self._by_schema(core_schema.str_schema(), {"type": "string"})
        return self.kind.python

    def _by_schema(self, schema: core_schema.CoreSchema, described: dict[str, Any]) -> Any:
        """Build a type from a pydantic-core schema and its JSON Schema."""
        if self.values is not None:
            # Validate the type first: a bare Literal accepts true and 1.0 for 1.
            allowed = list(self.values)
            schema, described = (
                core_schema.chain_schema([schema, core_schema.literal_schema(allowed)]),
                described | {"enum": allowed},
            )
        elif self.kind.python is int:
            described |= {"maximum": self.bounds[1], "minimum": self.bounds[0]}
        return Annotated[self.kind.python, GetPydanticSchema(lambda _type, _handler: schema), WithJsonSchema(described)]


def _whole_number(lowest: int, highest: int) -> core_schema.CoreSchema:
    """Accept 59, 59.0 and 5.9e1, but neither booleans nor strings, which pydantic's lax mode would accept too."""
    beyond = float(2**63)
    return core_schema.chain_schema(
        [
            _integer_or(core_schema.float_schema(strict=True), "int_type"),
            _integer_or(core_schema.float_schema(allow_inf_nan=False), "finite_number"),
            # Without this step, pydantic would report a "string" that is too long.
            _integer_or(core_schema.float_schema(gt=-beyond, lt=beyond), "int_size"),
            core_schema.int_schema(strict=False, ge=lowest, le=highest),
        ]
    )


def _integer_or(other: core_schema.CoreSchema, error: str) -> core_schema.CoreSchema:
    """Accept an integer or `other`, with one error for both."""
    integer = core_schema.int_schema(strict=True)
    return core_schema.union_schema(
        [integer, other],
        mode="left_to_right",
        custom_error_type=error,
        # Pydantic requires a message for an error type it does not know, though the message is never used.
        custom_error_message=INVALID_VALUES[error] if error == "int_size" else None,
    )


@dataclass(frozen=True)
class Group:
    """Features that people understand as one, such as the columns of a one-hot code."""

    name: str
    features: tuple[str, ...]
    """Their names, in the model's order."""
    label: Text | None = None
    reason: Text | None = None
    """What a declined applicant is told if they counted against them together."""

    def named(self, language: Language) -> str:
        """Return its label, or its name where it has none."""
        return self.label.said(language) if self.label else self.name


@dataclass(frozen=True)
class Contract:
    """The ordered features of one model, and the validators of a row."""

    features: tuple[Feature, ...]
    ordered: tuple[tuple[str, ...], ...] = ()
    missing_category: str = DEFAULT_MISSING_CATEGORY
    groups: Mapping[str, Group] = field(default_factory=dict)
    """By name; a feature is in one at most."""

    @cached_property
    def names(self) -> list[str]:
        """Feature names, in the model's order."""
        return [feature.name for feature in self.features]

    @cached_property
    def names_known(self) -> frozenset[str]:
        """Feature names, to look one up."""
        return frozenset(self.names)

    @cached_property
    def whole_numbers(self) -> frozenset[str]:
        """Names of the features that are whole numbers."""
        return frozenset(feature.name for feature in self.features if feature.kind.python is int)

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """One nullable column per feature, in the model's order."""
        return pa.schema([(feature.name, feature.kind.arrow) for feature in self.features])

    @cached_property
    def row_type(self) -> Any:
        """The TypedDict of a row: exact types, unknown keys forbidden. A TypedDict, since a feature may have any name."""
        return self._row_type("forbid")

    def _row_type(self, extra: ExtraValues) -> Any:
        fields = {feature.name: feature.annotation() for feature in self.features}
        make: Any = TypedDict
        row_type = make("Features", fields)
        row_type.__pydantic_config__ = ConfigDict(extra=extra, strict=True)
        return row_type

    @cached_property
    def row_adapter(self) -> TypeAdapter[Row]:
        """Validator of one row."""
        return TypeAdapter(self.row_type)

    @cached_property
    def features_adapter(self) -> TypeAdapter[Row]:
        """Validator of the features of one row, ignoring all other keys."""
        return TypeAdapter(self._row_type("ignore"))

    @cached_property
    def quick_decoder(self) -> msgspec.json.Decoder[Any] | None:
        """Decoder of one valid row, in a fourth of the time; it raises for others, but does not look at their order.

        None if a feature has a name or bounds that msgspec cannot handle.
        """
        optional = dict.fromkeys(feature.name for feature in self.features if not feature.required)
        try:
            row = object_type({feature.name: feature.quick_type() for feature in self.features}, optional)
            return msgspec.json.Decoder(row) if row else None
        except (ValueError, TypeError, OverflowError):
            return None

    @cached_property
    def rows_adapter(self) -> TypeAdapter[list[Row]]:
        """Validator of an array of rows."""
        return TypeAdapter(list[self.row_type])  # type: ignore[name-defined]

    def findings(self, error: ValidationError, row: int | None = None) -> list[InvalidValue]:
        """Return the values of one row that pydantic considers invalid; `row` is its number."""
        return invalid_values(error, row, self._allowed)

    @cached_property
    def _allowed(self) -> dict[str | None, tuple[str | int, ...] | None]:
        return {feature.name: feature.values for feature in self.features}

    def unordered(self, row: Row, number: int | None = None) -> list[InvalidValue]:
        """Return the features of `row` that violate the order, being below an earlier one; missing values are skipped."""
        found = []
        for names in self.ordered:
            previous: tuple[str, float] | None = None
            for name in names:
                value = row.get(name)
                if value is None:
                    continue
                if previous is not None and float(value) < previous[1]:
                    found.append(not_ordered(name, previous[0], number))
                previous = (name, float(value))
        return found

    def is_ordered(self, values: RowValues) -> bool:
        """Whether a row, given as the values of all features, is in order; takes a third of the time of `unordered`."""
        for places in self._ordered_places:
            previous = -inf
            for place in places:
                value = values[place]
                if value is not None:
                    if float(value) < previous:
                        return False
                    previous = float(value)
        return True

    @cached_property
    def _ordered_places(self) -> list[list[int]]:
        return [[self.names.index(name) for name in names] for names in self.ordered]

    def to_batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Put validated rows into columns; absent and null become Arrow nulls."""
        return pa.RecordBatch.from_arrays(
            [
                pa.array([row.get(name) for row in rows], kind.type)
                for name, kind in zip(self.names, self.arrow_schema, strict=True)
            ],
            schema=self.arrow_schema,
        )


def not_ordered(name: str, other: str, row: int | None = None) -> InvalidValue:
    """Report that a feature is below `other`, which violates the order."""
    return InvalidValue(row, cut(name), "not_ordered", {"other": cut(other)})

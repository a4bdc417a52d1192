"""The feature contract: which rows a model accepts, made from its signature and its metadata.

One contract, two faces: a pydantic validator for rows that come as JSON, an Arrow schema and vectorised checks for batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from math import ceil, floor
from typing import Annotated, Any, NotRequired

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field, GetPydanticSchema, TypeAdapter, WithJsonSchema
from pydantic_core import core_schema
from typing_extensions import TypedDict

from shared.errors import BadArtifact, RowError
from shared.models.mlmodel import DEFAULT_MISSING_CATEGORY, Column, ColumnType, FeatureNotes, MLmodel

Row = dict[str, Any]
"""One applicant: feature name to number, boolean, string or None."""

INT32 = (-(2**31), 2**31 - 1)
INT64 = (-(2**63), 2**63 - 1)

MAX_NAMES_IN_MESSAGE = 5


@dataclass(frozen=True)
class FeatureType:
    """What one MLflow column type means here: the Python type in JSON, the Arrow type in batches, its own bounds."""

    python: type
    arrow: pa.DataType
    bounds: tuple[int, int] | None = None


# `float` is kept in 64 bits like `double`: rounding to 32 before a bound is checked would change the verdict.
FEATURE_TYPES: dict[ColumnType, FeatureType] = {
    "double": FeatureType(float, pa.float64()),
    "float": FeatureType(float, pa.float64()),
    "long": FeatureType(int, pa.int64(), INT64),
    "integer": FeatureType(int, pa.int64(), INT32),
    "boolean": FeatureType(bool, pa.bool_()),
    "string": FeatureType(str, pa.string()),
}


@dataclass(frozen=True)
class Feature:
    """One column of the signature and what the metadata adds to it. A feature that is not required may be null or absent."""

    name: str
    type: ColumnType
    required: bool = True
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    values: tuple[str | int, ...] | None = None

    @property
    def kind(self) -> FeatureType:
        """The meaning of the column type."""
        return FEATURE_TYPES[self.type]

    def annotation(self) -> Any:
        """Make the type that pydantic checks this feature's value with."""
        value: Any = Annotated[self._value_type(), self._constraints()]
        if self.required:
            return Annotated[value, Field(description=self.description)]
        return NotRequired[Annotated[value | None, Field(description=self.description)]]

    def _value_type(self) -> Any:
        if self.values is None:
            return self.kind.python
        # The value must first be of the type: for a bare Literal, true and 1.0 are 1.
        allowed, plain = (
            list(self.values),
            core_schema.str_schema() if self.kind.python is str else self._whole_number(),
        )
        schema = core_schema.chain_schema([plain, core_schema.literal_schema(allowed)])
        name = "string" if self.kind.python is str else "integer"
        return Annotated[
            self.kind.python,
            GetPydanticSchema(lambda _type, _handler: schema),
            WithJsonSchema({"type": name, "enum": allowed}),
        ]

    def _whole_number(self) -> core_schema.CoreSchema:
        lowest, highest = self._bounds()
        return core_schema.int_schema(strict=True, ge=lowest, le=highest)

    def _bounds(self) -> tuple[Any, Any]:
        """Lowest and highest value: the metadata's, within the type's."""
        if self.kind.bounds is None:
            return self.ge, self.le
        lowest, highest = self.kind.bounds
        return (
            lowest if self.ge is None else max(lowest, ceil(self.ge)),
            highest if self.le is None else min(highest, floor(self.le)),
        )

    def _constraints(self) -> Any:
        if self.values or self.kind.python in (bool, str):
            return Field()
        lowest, highest = self._bounds()
        if self.kind.python is float:
            return Field(ge=lowest, le=highest, allow_inf_nan=False)
        return Field(ge=lowest, le=highest)


@dataclass(frozen=True)
class Contract:
    """The ordered features of one model and the checks on a row."""

    features: tuple[Feature, ...]
    ordered: tuple[tuple[str, ...], ...] = ()
    missing_category: str = DEFAULT_MISSING_CATEGORY

    @classmethod
    def from_mlmodel(cls, mlmodel: MLmodel) -> "Contract":
        """Join signature and metadata; raises BadArtifact where they contradict each other."""
        columns, metadata = mlmodel.signature.inputs, mlmodel.metadata
        _check_names([column.name for column in columns], {*metadata.features, *chain.from_iterable(metadata.ordered)})
        features = tuple(_feature(column, metadata.features.get(column.name, FeatureNotes())) for column in columns)
        contract = cls(features, metadata.ordered, metadata.missing_category)
        for name in chain.from_iterable(metadata.ordered):
            if contract.features[contract.names.index(name)].kind.python not in (int, float):
                raise BadArtifact(f"Feature {name!r} is ordered in the metadata, but is not a number.")
        return contract

    @cached_property
    def names(self) -> list[str]:
        """Feature names, in the model's order."""
        return [feature.name for feature in self.features]

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """One nullable column a feature, in the model's order."""
        return pa.schema([(feature.name, feature.kind.arrow) for feature in self.features])

    @cached_property
    def row_type(self) -> Any:
        """The TypedDict of a row: exact types, unknown keys refused. A TypedDict, since a feature may have any name."""
        fields = {feature.name: feature.annotation() for feature in self.features}
        make: Any = TypedDict
        row_type = make("Features", fields)
        row_type.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)
        return row_type

    @cached_property
    def row_adapter(self) -> TypeAdapter[Row]:
        """Validator of one row."""
        return TypeAdapter(self.row_type)

    @cached_property
    def rows_adapter(self) -> TypeAdapter[list[Row]]:
        """Validator of an array of rows."""
        return TypeAdapter(list[self.row_type])  # type: ignore[name-defined]

    def order_errors(self, row: Row, number: int | None = None) -> list[RowError]:
        """Name the features of `row` that are below one that they must not be below; missing values are passed over."""
        errors = []
        for names in self.ordered:
            previous: tuple[str, float] | None = None
            for name in names:
                value = row.get(name)
                if value is None:
                    continue
                if previous is not None and float(value) < previous[1]:
                    errors.append(RowError(number, name, f"Input should not be less than {previous[0]}", "not_ordered"))
                previous = (name, float(value))
        return errors

    def unordered_rows(self, batch: pa.RecordBatch) -> list[int]:
        """Row numbers within `batch` for which `order_errors` finds something."""
        bad = pa.array([False] * batch.num_rows, pa.bool_()) if self.ordered else pa.array([], pa.bool_())
        for names in self.ordered:
            previous = None
            for name in names:
                value = pc.cast(batch.column(name), pa.float64(), safe=False)
                if previous is not None:
                    bad = pc.or_(bad, pc.fill_null(pc.less(value, previous), False))
                    value = pc.coalesce(value, previous)
                previous = value
        rows: list[int] = pc.indices_nonzero(bad).to_pylist()
        return rows

    def to_batch(self, rows: Sequence[Row]) -> pa.RecordBatch:
        """Put validated rows into columns; absent and null become Arrow nulls."""
        return pa.RecordBatch.from_arrays(
            [
                pa.array([row.get(name) for row in rows], kind.type)
                for name, kind in zip(self.names, self.arrow_schema, strict=True)
            ],
            schema=self.arrow_schema,
        )


def _check_names(names: list[str], mentioned: set[str]) -> None:
    if len(set(names)) != len(names):
        raise BadArtifact("The signature names a feature twice.")
    if unknown := sorted(mentioned - set(names)):
        listed = ", ".join(unknown[:MAX_NAMES_IN_MESSAGE])
        raise BadArtifact(f"The metadata speaks of features that are not in the signature: {listed}.")


def _feature(column: Column, notes: FeatureNotes) -> Feature:
    wanted = FEATURE_TYPES[column.type].python
    if notes.values is not None and any(type(value) is not wanted for value in notes.values):
        raise BadArtifact(f"Feature {column.name!r} has allowed values that do not fit its type {column.type}.")
    limits = FEATURE_TYPES[column.type].bounds
    if limits and not all(limits[0] <= int(value) <= limits[1] for value in notes.values or ()):
        raise BadArtifact(f"Feature {column.name!r} has allowed values beyond its type {column.type}.")
    if (notes.ge is not None or notes.le is not None) and wanted not in (int, float):
        raise BadArtifact(f"Feature {column.name!r} has a bound, but is not a number.")
    return Feature(column.name, column.type, column.required, notes.description, notes.ge, notes.le, notes.values)

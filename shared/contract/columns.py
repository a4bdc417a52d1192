"""The feature contract for columns: the same result, in the same words, as for a JSON row.

For valid data this takes a few passes over each column; only a column with invalid values is searched for rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from math import isfinite, isnan
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from shared.contract.contract import INT64, Contract, Feature, not_ordered
from shared.contract.kept import kept_column
from shared.contract.matching import match_columns
from shared.contract.plain import plain
from shared.contract.validated import Validated, Write
from shared.errors import ALL_VALID, Report, WrongColumns
from shared.reasons import MAX_REPORTED, InvalidValue, cut

BEYOND_INT64 = float(2**63)

WIDEST_INTEGER = pa.decimal256(76, 0)


@dataclass(frozen=True)
class Invalid:
    """The rows in which one column is invalid, for one reason."""

    rows: pa.BooleanArray
    """True for each of them; null counts as false."""
    value: InvalidValue
    """The invalid value, without a row number."""


NOTHING_INVALID: Mapping[str, Sequence[Invalid]] = MappingProxyType({})


def wrong_type(feature: Feature, rows: pa.BooleanArray) -> Invalid:
    """Mark rows whose value has the wrong type for the feature, such as a JSON string for a number."""
    return Invalid(rows, feature.finding([]))


def validate_columns(
    contract: Contract,
    columns: pa.RecordBatch,
    start: int,
    keep: Sequence[str] = (),
    invalid: Mapping[str, Sequence[Invalid]] = NOTHING_INVALID,
) -> Validated:
    """Validate columns, in any order and of any Arrow type compatible with the feature; other columns are ignored.

    `start` is the number of the first row. `invalid` holds, by feature, the rows in which the reader found the value
    invalid: they get that reason and no other, whatever the column contains (preferably null).
    Raises WrongColumns for missing or duplicate columns, and for incompatible types.
    """
    names = columns.schema.names
    match_columns(contract, names, keep)
    arrays: list[pa.Array] = []
    found: list[Invalid] = []
    for feature in contract.features:
        absent = feature.name not in names
        values = pa.nulls(columns.num_rows) if absent else columns.column(names.index(feature.name))
        column = _Column(feature, values, invalid.get(feature.name, ()))
        arrays.append(column.validated())
        found.extend(column.found)
    batch = pa.RecordBatch.from_arrays(arrays, schema=contract.arrow_schema)
    found += list(_unordered(contract, batch, found))
    kept = {}
    for name in keep:
        kept[name], beyond = kept_column(columns.column(names.index(name)), name)
        if beyond is not None:
            found.append(Invalid(beyond, InvalidValue(None, cut(name), "kept_date")))
    return Validated(
        batch,
        pa.RecordBatch.from_pydict(kept) if kept else None,
        _report(found, start),
        partial(_told, found) if found else None,
    )


class _Column:
    """The column of one feature, being converted to the contract's type. Invalid values become null and are not checked again."""

    def __init__(self, feature: Feature, column: pa.Array, invalid: Sequence[Invalid]) -> None:
        self.feature = feature
        self.found: list[Invalid] = []
        """Their row masks never contain null."""
        self._values = plain(column)
        if not _can_be(feature, self._values.type):
            raise WrongColumns(
                "column-type",
                column=cut(feature.name),
                kind=cut(str(column.type)),
                expected=str(feature.kind.arrow),
            )
        for each in invalid:
            self._mark(each.rows, each.value)

    def validated(self) -> pa.Array:
        """Return the values in the contract's type; the invalid ones are recorded in `found`."""
        if types.is_null(self._values.type):
            self._values = pc.cast(self._values, self.feature.kind.arrow)
        elif self.feature.kind.python is float:
            self._check_floats()
        elif self.feature.kind.python is int:
            self._check_integers()
        if self.feature.values is not None:
            allowed = pa.array(self.feature.values, self._values.type)
            self._mark(pc.and_not(pc.is_valid(self._values), pc.is_in(self._values, allowed)))
        if not self.feature.nullable and self._values.null_count:
            self._check_missing()
        return self._values

    def _mark(self, rows: pa.BooleanArray, finding: InvalidValue | None = None) -> None:
        """Mark the rows as invalid, by default with pydantic's reason for the first of them."""
        rows = pc.fill_null(rows, False)
        first = pc.index(rows, True).as_py()
        if first < 0:
            return
        if finding is None:
            value = self._values[first].as_py()
            finding = self.feature.finding(value if isinstance(value, float | str) else int(value))
        self.found.append(Invalid(rows, finding))
        self._values = pc.if_else(rows, pa.scalar(None, self._values.type), self._values)

    def _check_missing(self) -> None:
        rows = pc.is_null(self._values)
        for invalid in self.found:
            rows = pc.and_not(rows, invalid.rows)
        self._mark(rows, self.feature.finding(None))

    def _check_floats(self) -> None:
        if types.is_decimal(self._values.type):
            self._values = pc.cast(self._values, pa.string())
        self._values = pc.cast(self._values, pa.float64(), safe=False)
        lowest, highest = self._finite_range()
        least, most = self.feature.bounds
        if most is not None and highest > most:
            self._mark(pc.greater(self._values, pa.scalar(most, pa.float64())))
        if least is not None and lowest < least:
            self._mark(pc.less(self._values, pa.scalar(least, pa.float64())))

    def _finite_range(self) -> tuple[float, float]:
        """Return the minimum and maximum of float64 values. NaN is missing, infinity is invalid. Without values: 0, 0."""
        lowest, highest = _range(self._values)
        if isnan(lowest):
            self._values = pc.if_else(pc.is_nan(self._values), pa.scalar(None, pa.float64()), self._values)
            lowest, highest = _range(self._values)
        if not (isfinite(lowest) and isfinite(highest)):
            self._mark(pc.invert(pc.is_finite(self._values)))
            lowest, highest = _range(self._values)
        return lowest, highest

    def _check_integers(self) -> None:
        kind = self._values.type
        if types.is_floating(kind) or (types.is_decimal(kind) and kind.scale):
            self._check_whole()
        elif types.is_decimal(kind) or types.is_uint64(kind):
            self._check_size()
        self._values = pc.cast(self._values, pa.int64())
        ends = pc.min_max(self._values)
        lowest, highest = ends["min"].as_py(), ends["max"].as_py()
        least, most = self.feature.bounds
        if highest is not None and highest > most:
            self._mark(_above(self._values, most))
        if lowest is not None and lowest < least:
            self._mark(_below(self._values, least))

    def _check_whole(self) -> None:
        """Mark values that are not whole numbers; they are floats, or decimals that may be written with a fraction."""
        if types.is_decimal(self._values.type):
            self._values = pc.cast(self._values, pa.string())
        self._values = pc.cast(self._values, pa.float64())
        lowest, highest = self._finite_range()
        if lowest <= -BEYOND_INT64 or highest >= BEYOND_INT64:
            self._mark(pc.greater_equal(pc.abs(self._values), BEYOND_INT64))
        try:
            self._values = pc.cast(self._values, pa.int64())
        except pa.ArrowInvalid:
            self._mark(pc.not_equal(self._values, pc.trunc(self._values)))

    def _check_size(self) -> None:
        """Mark whole numbers beyond 64 bits as out of bounds."""
        if types.is_decimal(self._values.type):
            self._values = pc.cast(self._values, WIDEST_INTEGER)
        kind = self._values.type
        self._mark(pc.greater(self._values, pa.scalar(INT64[1], pa.uint64()).cast(kind)))
        if types.is_decimal(kind):
            self._mark(pc.less(self._values, pa.scalar(INT64[0]).cast(kind)))


def _can_be(feature: Feature, kind: pa.DataType) -> bool:
    if types.is_null(kind):
        return True
    if feature.kind.python is bool:
        return bool(types.is_boolean(kind))
    if feature.kind.python is str:
        return bool(types.is_string(kind))
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _range(values: pa.DoubleArray) -> tuple[float, float]:
    """Return minimum and maximum, both NaN if any value is: NumPy is ten times as fast as Arrow. Without values: 0, 0."""
    plain = (pc.drop_null(values) if values.null_count else values).to_numpy()
    return (float(np.min(plain)), float(np.max(plain))) if len(plain) else (0.0, 0.0)


def _above(values: pa.Int64Array, most: int) -> pa.BooleanArray:
    return pc.greater(values, most) if most >= INT64[0] else pc.is_valid(values)


def _below(values: pa.Int64Array, least: int) -> pa.BooleanArray:
    return pc.less(values, least) if least <= INT64[1] else pc.is_valid(values)


def _unordered(contract: Contract, batch: pa.RecordBatch, found: Sequence[Invalid]) -> Iterator[Invalid]:
    """Apply `Contract.unordered` to all rows that are otherwise valid."""
    for names in contract.ordered:
        numbers = [pc.cast(batch.column(name), pa.float64(), safe=False) for name in names]
        if not _is_ordered(numbers):
            for rows, value in _pairs(names, numbers):
                for invalid in found:
                    rows = pc.and_not(rows, invalid.rows)
                if pc.any(rows).as_py():
                    yield Invalid(rows, value)


def _is_ordered(columns: Iterable[pa.DoubleArray]) -> bool:
    previous = None
    for values in columns:
        if previous is not None:
            if pc.any(pc.less(values, previous)).as_py():
                return False
            values = pc.coalesce(values, previous) if values.null_count else values
        previous = values
    return True


def _pairs(names: Sequence[str], columns: Sequence[pa.DoubleArray]) -> Iterator[tuple[pa.BooleanArray, InvalidValue]]:
    """Compare each column with each earlier one, in the rows in which all columns between them are missing."""
    for later in range(1, len(columns)):
        adjacent = pa.scalar(True)
        for earlier in range(later - 1, -1, -1):
            below = pc.fill_null(pc.less(columns[later], columns[earlier]), False)
            yield pc.and_(below, adjacent), not_ordered(names[later], names[earlier])
            adjacent = pc.and_(adjacent, pc.is_null(columns[earlier]))


def _told(found: Sequence[Invalid], write: Write, separator: str) -> pa.StringArray:
    """Write the invalid values row by row, as `Validated.told` specifies."""
    # Arrow's join would drop a row in which all parts are null, so null is represented by an empty string until the end.
    parts = [pc.if_else(invalid.rows, f"{separator}{write(invalid.value)}", "") for invalid in found]
    joined = pc.binary_join_element_wise(*parts, "")
    told = pc.utf8_slice_codeunits(joined, len(separator))
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), told)


def _report(found: Sequence[Invalid], start: int) -> Report:
    """Count invalid rows and values, and list the first ones; `start` is the number of the first row."""
    if not found:
        return ALL_VALID
    places = []
    for i, invalid in enumerate(found):
        for row in pc.indices_nonzero(invalid.rows)[:MAX_REPORTED].to_pylist():
            places.append((row, i))
    first = (replace(found[i].value, row=start + row) for row, i in sorted(places)[:MAX_REPORTED])
    masks = [invalid.rows for invalid in found]
    return Report(reduce(pc.or_, masks).true_count, sum(rows.true_count for rows in masks), tuple(first))

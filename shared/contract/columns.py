"""The feature contract for columns: the same verdict, in the same words, as for a row that comes as JSON.

While nothing is wrong this is some passes over each column; only a column in which something is wrong is searched for rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from math import isfinite, isnan
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from shared.contract.contract import INT64, Contract, Feature, not_ordered
from shared.contract.matching import match_columns
from shared.contract.validated import Validated, Write
from shared.errors import ALL_VALID, Report, WrongColumns
from shared.reasons import MAX_REPORTED, InvalidValue, cut

BEYOND_INT64 = float(2**63)

WIDEST_INTEGER = pa.decimal256(76, 0)


@dataclass(frozen=True)
class Invalid:
    """Rows in which the value of one column is invalid, for one reason."""

    rows: pa.BooleanArray
    """True for each of them; null is as good as false."""
    value: InvalidValue
    """What is wrong, of no row."""


NOTHING_INVALID: Mapping[str, Invalid] = MappingProxyType({})


def wrong_type(feature: Feature, rows: pa.BooleanArray) -> Invalid:
    """Mark rows whose value is not of the feature's type at all, as JSON text for a number is."""
    return Invalid(rows, feature.finding([]))


def validate_columns(
    contract: Contract,
    columns: pa.RecordBatch,
    start: int,
    keep: Sequence[str] = (),
    kept_as_text: bool = False,
    invalid: Mapping[str, Invalid] = NOTHING_INVALID,
) -> Validated:
    """Validate rows that come as columns, in any order and of any Arrow type that can be the feature's; others are ignored.

    `start` is the number of the first row. `invalid` has, by feature, the rows in which the reader itself found the value
    invalid: they get that reason for it and no other, whatever stands in the column (best a null).
    Raises WrongColumns for columns that are missing or come twice, and for types that can never be right.
    """
    names = columns.schema.names
    match_columns(contract, names, keep)
    arrays: list[pa.Array] = []
    found: list[Invalid] = []
    for feature in contract.features:
        absent = feature.name not in names
        values = pa.nulls(columns.num_rows) if absent else columns.column(names.index(feature.name))
        column = _Column(feature, values, invalid.get(feature.name))
        arrays.append(column.validated())
        found.extend(column.found)
    batch = pa.RecordBatch.from_arrays(arrays, schema=contract.arrow_schema)
    found += list(_unordered(contract, batch, found))
    kept = {name: kept_column(columns.column(names.index(name)), name, as_text=kept_as_text) for name in keep}
    return Validated(
        batch,
        pa.RecordBatch.from_pydict(kept) if kept else None,
        _report(found, start),
        partial(_told, found) if found else None,
    )


def kept_column(column: pa.Array, name: str, *, as_text: bool = False) -> pa.Array:
    """Bring a column that is repeated in the results to one of few types; raises WrongColumns if it is nested or binary."""
    plain = _plain(column)
    if types.is_float16(plain.type):
        plain = pc.cast(plain, pa.float32())
    if not any(is_kind(plain.type) for is_kind in KEPT_KINDS):
        raise WrongColumns("kept-column-type", column=cut(name), kind=cut(str(column.type)))
    return pc.cast(plain, pa.string()) if as_text else plain


KEPT_KINDS: tuple[Callable[[pa.DataType], bool], ...] = (
    types.is_null,
    types.is_boolean,
    types.is_integer,
    types.is_floating,
    types.is_decimal,
    types.is_string,
    types.is_date,
    types.is_time,
    types.is_timestamp,
)


class _Column:
    """The column of one feature on its way to the contract's type. What is invalid becomes null, and is not looked at again."""

    def __init__(self, feature: Feature, column: pa.Array, invalid: Invalid | None) -> None:
        self.feature = feature
        self.found: list[Invalid] = []
        """Their rows are never null."""
        self._values = _plain(column)
        if not _can_be(feature, self._values.type):
            raise WrongColumns(
                "column-type",
                column=cut(feature.name),
                kind=cut(str(column.type)),
                expected=str(feature.kind.arrow),
            )
        if invalid is not None:
            self._mark(invalid.rows, invalid.value)

    def validated(self) -> pa.Array:
        """Give the values in the contract's type; what is wrong with them is in `found`."""
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
        """Mark the rows as invalid, for what pydantic finds in the first of them unless that is given."""
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
        """Give lowest and highest of float64 values. NaN is missing, what is infinite is invalid. Without values: 0, 0."""
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
        """Mark what is no whole number; the values are floats, or decimals that may be written with a fraction."""
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
        """Mark whole numbers beyond 64 bits for the bounds that they break."""
        if types.is_decimal(self._values.type):
            self._values = pc.cast(self._values, WIDEST_INTEGER)
        kind = self._values.type
        self._mark(pc.greater(self._values, pa.scalar(INT64[1], pa.uint64()).cast(kind)))
        if types.is_decimal(kind):
            self._mark(pc.less(self._values, pa.scalar(INT64[0]).cast(kind)))


def _plain(column: pa.Array) -> pa.Array:
    """Undo encodings, and make all text `string`."""
    while types.is_dictionary(column.type) or types.is_run_end_encoded(column.type):
        encoded = types.is_dictionary(column.type)
        column = column.dictionary_decode() if encoded else pc.run_end_decode(column)
    if types.is_large_string(column.type) or types.is_string_view(column.type):
        return pc.cast(column, pa.string())
    return column


def _can_be(feature: Feature, kind: pa.DataType) -> bool:
    if types.is_null(kind):
        return True
    if feature.kind.python is bool:
        return bool(types.is_boolean(kind))
    if feature.kind.python is str:
        return bool(types.is_string(kind))
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _range(values: pa.DoubleArray) -> tuple[float, float]:
    """Lowest and highest, both NaN if one is: NumPy's are ten times as fast as Arrow's. Without values: 0, 0."""
    plain = (pc.drop_null(values) if values.null_count else values).to_numpy()
    return (float(np.min(plain)), float(np.max(plain))) if len(plain) else (0.0, 0.0)


def _above(values: pa.Int64Array, most: int) -> pa.BooleanArray:
    return pc.greater(values, most) if most >= INT64[0] else pc.is_valid(values)


def _below(values: pa.Int64Array, least: int) -> pa.BooleanArray:
    return pc.less(values, least) if least <= INT64[1] else pc.is_valid(values)


def _unordered(contract: Contract, batch: pa.RecordBatch, found: Sequence[Invalid]) -> Iterator[Invalid]:
    """Do what `Contract.unordered` does for a row, for all rows in which nothing else was found."""
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
    """Compare each column with each before it, in the rows in which all between the two are missing."""
    for later in range(1, len(columns)):
        adjacent = pa.scalar(True)
        for earlier in range(later - 1, -1, -1):
            below = pc.fill_null(pc.less(columns[later], columns[earlier]), False)
            yield pc.and_(below, adjacent), not_ordered(names[later], names[earlier])
            adjacent = pc.and_(adjacent, pc.is_null(columns[earlier]))


def _told(found: Sequence[Invalid], write: Write, separator: str) -> pa.StringArray:
    """Write what is invalid row by row, as `Validated.told` promises."""
    # Arrow's join would drop a row in which all parts are null, so that nothing is the empty text until the end.
    parts = [pc.if_else(invalid.rows, f"{separator}{write(invalid.value)}", "") for invalid in found]
    joined = pc.binary_join_element_wise(*parts, "")
    told = pc.utf8_slice_codeunits(joined, len(separator))
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), told)


def _report(found: Sequence[Invalid], start: int) -> Report:
    """Count rows and values, and name the first ones; `start` is the number of the first row."""
    if not found:
        return ALL_VALID
    places = []
    for i, invalid in enumerate(found):
        for row in pc.indices_nonzero(invalid.rows)[:MAX_REPORTED].to_pylist():
            places.append((row, i))
    first = (replace(found[i].value, row=start + row) for row, i in sorted(places)[:MAX_REPORTED])
    masks = [invalid.rows for invalid in found]
    return Report(reduce(pc.or_, masks).true_count, sum(rows.true_count for rows in masks), tuple(first))

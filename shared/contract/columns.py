"""The feature contract for columns: the same verdict, in the same words, as for a row that comes as JSON.

While nothing is wrong this is some passes over each column; only a column in which something is wrong is searched for rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from shared.contract.contract import INT64, MAX_NAMES_IN_MESSAGE, Contract, Feature
from shared.contract.validated import Validated
from shared.errors import MAX_REPORTED_ROW_ERRORS, RowError, WrongColumns, cut

BEYOND_INT64 = float(2**63)

SEPARATOR = "; "
"""Between the reasons of a row."""

WIDEST_INTEGER = pa.decimal256(76, 0)


@dataclass(frozen=True)
class Refusal:
    """Rows in which the value of one feature is refused, and why."""

    rows: pa.BooleanArray
    """True for each of them; null is as good as false."""
    reason: str
    type: str


NO_REFUSALS: Mapping[str, Refusal] = MappingProxyType({})


def wrong_type(feature: Feature, rows: pa.BooleanArray) -> Refusal:
    """Refuse rows whose value is not of the feature's type at all, in the words that JSON text for a number meets."""
    return Refusal(rows, *feature.refusal_of([]))


def match_columns(contract: Contract, names: Sequence[str], keep: Sequence[str] = ()) -> None:
    """Raise WrongColumns unless columns of these names have all that the contract needs and `keep` asks for.

    A feature or a kept column must not come twice. An optional feature may be absent if no column is unknown: an unknown
    one may be the feature, misspelt.
    """
    there, wanted = set(names), {*contract.names, *keep}
    if len(there) < len(names) and (twice := [name for name in there & wanted if names.count(name) > 1]):
        raise WrongColumns(f"Columns that come more than once: {_listed(sorted(twice))}.")
    if unknown := [name for name in dict.fromkeys(keep) if name not in there]:
        raise WrongColumns(f"Columns to keep that are not there: {_listed(unknown)}.")
    if not (missing := [name for name in contract.names if name not in there]):
        return
    if unknown := [name for name in dict.fromkeys(names) if name not in wanted]:
        raise WrongColumns(f"Missing columns: {_listed(missing)}. Unknown columns: {_listed(unknown)}.")
    if needed := [feature.name for feature in contract.features if feature.required and feature.name not in there]:
        raise WrongColumns(f"Missing columns: {_listed(needed)}.")


def validate_columns(
    contract: Contract,
    columns: pa.RecordBatch,
    start: int,
    keep: Sequence[str] = (),
    kept_as_text: bool = False,
    refused: Mapping[str, Refusal] = NO_REFUSALS,
) -> Validated:
    """Check rows that come as columns, in any order and of any Arrow type that can be the feature's; others are ignored.

    `start` is the number of the first row. `refused` has, by feature, the rows in which the reader itself found the value
    wrong: they get that reason for it and no other, whatever stands in the column (best a null).
    Raises WrongColumns for columns that are missing or come twice, and for types that can never be right.
    """
    names = columns.schema.names
    match_columns(contract, names, keep)
    arrays, faults = [], []
    for feature in contract.features:
        absent = feature.name not in names
        values = pa.nulls(columns.num_rows) if absent else columns.column(names.index(feature.name))
        column = _Column(feature, values, refused.get(feature.name))
        arrays.append(column.checked())
        faults.extend(column.faults)
    batch = pa.RecordBatch.from_arrays(arrays, schema=contract.arrow_schema)
    faults += list(_order_faults(contract, batch, faults))
    kept = {name: kept_column(columns.column(names.index(name)), name, as_text=kept_as_text) for name in keep}
    return Validated(
        batch,
        pa.RecordBatch.from_pydict(kept) if kept else None,
        _reasons(faults),
        _first_errors(faults, start),
        sum(fault.rows.true_count for fault in faults),
    )


def kept_column(column: pa.Array, name: str, *, as_text: bool = False) -> pa.Array:
    """Bring a column that is repeated in the results to one of few types; raises WrongColumns if it is nested or binary."""
    plain = _plain(column)
    if types.is_float16(plain.type):
        plain = pc.cast(plain, pa.float32())
    if not any(is_kind(plain.type) for is_kind in KEPT_KINDS):
        raise WrongColumns(f"Column {cut(name)!r} cannot be kept, for it is of type {cut(str(column.type))}.")
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


def reason_text(error: RowError) -> str:
    """Word a refusal for people who see only the row."""
    return error.reason if error.feature is None else f"{error.feature}: {error.reason}"


@dataclass(frozen=True)
class _Fault:
    """Rows (true, never null) that are refused for one reason."""

    rows: pa.BooleanArray
    error: RowError


class _Column:
    """The column of one feature on its way to the contract's type. What is refused becomes null, and is not looked at again."""

    def __init__(self, feature: Feature, column: pa.Array, refused: Refusal | None) -> None:
        self.feature = feature
        self.faults: list[_Fault] = []
        self._values = _plain(column)
        if not _can_be(feature, self._values.type):
            raise WrongColumns(
                f"Column {cut(feature.name)!r} is of type {cut(str(column.type))}, which can not be {feature.kind.arrow}."
            )
        if refused is not None:
            self._refuse(refused.rows, (refused.reason, refused.type))

    def checked(self) -> pa.Array:
        """Give the values in the contract's type; what is wrong with them is in `faults`."""
        if types.is_null(self._values.type):
            self._values = pc.cast(self._values, self.feature.kind.arrow)
        elif self.feature.kind.python is float:
            self._check_floats()
        elif self.feature.kind.python is int:
            self._check_integers()
        if self.feature.values is not None:
            allowed = pa.array(self.feature.values, self._values.type)
            self._refuse(pc.and_not(pc.is_valid(self._values), pc.is_in(self._values, allowed)))
        if self.feature.required and self._values.null_count:
            self._check_missing()
        return self._values

    def _refuse(self, rows: pa.BooleanArray, words: tuple[str, str] | None = None) -> None:
        """Refuse the rows for what pydantic says of the first of them, unless the words are given."""
        rows = pc.fill_null(rows, False)
        first = pc.index(rows, True).as_py()
        if first < 0:
            return
        if words is None:
            value = self._values[first].as_py()
            words = self.feature.refusal_of(value if isinstance(value, float | str) else int(value))
        self.faults.append(_Fault(rows, RowError(None, cut(self.feature.name), *words)))
        self._values = pc.if_else(rows, pa.scalar(None, self._values.type), self._values)

    def _check_missing(self) -> None:
        rows = pc.is_null(self._values)
        for fault in self.faults:
            rows = pc.and_not(rows, fault.rows)
        self._refuse(rows, self.feature.refusal_of(None))

    def _check_floats(self) -> None:
        if types.is_decimal(self._values.type):
            self._values = pc.cast(self._values, pa.string())
        self._values = pc.cast(self._values, pa.float64(), safe=False)
        lowest, highest = self._finite_range()
        least, most = self.feature.bounds
        if most is not None and highest > most:
            self._refuse(pc.greater(self._values, pa.scalar(most, pa.float64())))
        if least is not None and lowest < least:
            self._refuse(pc.less(self._values, pa.scalar(least, pa.float64())))

    def _finite_range(self) -> tuple[float, float]:
        """Give lowest and highest of float64 values. NaN is missing, what is infinite is refused. Without values: 0, 0."""
        lowest, highest = _range(self._values)
        if isnan(lowest):
            self._values = pc.if_else(pc.is_nan(self._values), pa.scalar(None, pa.float64()), self._values)
            lowest, highest = _range(self._values)
        if not (isfinite(lowest) and isfinite(highest)):
            self._refuse(pc.invert(pc.is_finite(self._values)))
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
            self._refuse(_above(self._values, most))
        if lowest is not None and lowest < least:
            self._refuse(_below(self._values, least))

    def _check_whole(self) -> None:
        """Refuse what is no whole number; the values are floats, or decimals that may be written with a fraction."""
        if types.is_decimal(self._values.type):
            self._values = pc.cast(self._values, pa.string())
        self._values = pc.cast(self._values, pa.float64())
        lowest, highest = self._finite_range()
        if lowest <= -BEYOND_INT64 or highest >= BEYOND_INT64:
            self._refuse(pc.greater_equal(pc.abs(self._values), BEYOND_INT64))
        try:
            self._values = pc.cast(self._values, pa.int64())
        except pa.ArrowInvalid:
            self._refuse(pc.not_equal(self._values, pc.trunc(self._values)))

    def _check_size(self) -> None:
        """Refuse whole numbers beyond 64 bits for the bounds that they break."""
        if types.is_decimal(self._values.type):
            self._values = pc.cast(self._values, WIDEST_INTEGER)
        kind = self._values.type
        self._refuse(pc.greater(self._values, pa.scalar(INT64[1], pa.uint64()).cast(kind)))
        if types.is_decimal(kind):
            self._refuse(pc.less(self._values, pa.scalar(INT64[0]).cast(kind)))


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


def _order_faults(contract: Contract, batch: pa.RecordBatch, found: Sequence[_Fault]) -> Iterator[_Fault]:
    """Do what `Contract.order_errors` does for a row, for all rows in which nothing else was found."""
    for names in contract.ordered:
        numbers = [pc.cast(batch.column(name), pa.float64(), safe=False) for name in names]
        if not _is_ordered(numbers):
            for rows, error in _unordered(names, numbers):
                for fault in found:
                    rows = pc.and_not(rows, fault.rows)
                if pc.any(rows).as_py():
                    yield _Fault(rows, error)


def _is_ordered(columns: Iterable[pa.DoubleArray]) -> bool:
    previous = None
    for values in columns:
        if previous is not None:
            if pc.any(pc.less(values, previous)).as_py():
                return False
            values = pc.coalesce(values, previous) if values.null_count else values
        previous = values
    return True


def _unordered(names: Sequence[str], columns: Sequence[pa.DoubleArray]) -> Iterator[tuple[pa.BooleanArray, RowError]]:
    """Compare each column with each before it, in the rows in which all between the two are missing."""
    for later in range(1, len(columns)):
        adjacent = pa.scalar(True)
        for earlier in range(later - 1, -1, -1):
            below = pc.fill_null(pc.less(columns[later], columns[earlier]), False)
            reason = f"Input should not be less than {names[earlier]}"
            yield pc.and_(below, adjacent), RowError(None, names[later], reason, "not_ordered")
            adjacent = pc.and_(adjacent, pc.is_null(columns[earlier]))


def _reasons(faults: Sequence[_Fault]) -> pa.StringArray | None:
    """Join the reasons of each row; None without faults."""
    if not faults:
        return None
    # Arrow's join would drop a row in which all parts are null, so that nothing is the empty text until the end.
    parts = [pc.if_else(fault.rows, f"{SEPARATOR}{reason_text(fault.error)}", "") for fault in faults]
    joined = pc.binary_join_element_wise(*parts, "")
    reasons = pc.utf8_slice_codeunits(joined, len(SEPARATOR))
    return pc.if_else(pc.equal(joined, ""), pa.scalar(None, pa.string()), reasons)


def _first_errors(faults: Sequence[_Fault], start: int) -> tuple[RowError, ...]:
    found = []
    for i, fault in enumerate(faults):
        for row in pc.indices_nonzero(fault.rows)[:MAX_REPORTED_ROW_ERRORS].to_pylist():
            found.append((row, i))
    return tuple(
        RowError(start + row, faults[i].error.feature, faults[i].error.reason, faults[i].error.type)
        for row, i in sorted(found)[:MAX_REPORTED_ROW_ERRORS]
    )


def _listed(names: Sequence[str]) -> str:
    """Name some of the names."""
    named = ", ".join(repr(cut(name)) for name in names[:MAX_NAMES_IN_MESSAGE])
    more = len(names) - MAX_NAMES_IN_MESSAGE
    return f"{named} and {more} more" if more > 0 else named

"""Kept columns: the types and values that every format of results can write exactly."""

from collections.abc import Callable, Iterable
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from shared.contract.plain import plain
from shared.errors import WrongColumns
from shared.reasons import cut

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

USUAL_DIGITS, MOST_DIGITS = 38, 76
"""Digits of the decimals that other programs read, and of the widest ones."""

FIRST_DAY, LAST_DAY = (day.toordinal() - date(1970, 1, 1).toordinal() for day in (date.min, date.max))
"""Ends of the years 1 to 9999, in days from 1970-01-01. Beyond them, Arrow's own text is wrong."""

DAY = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
"""Length of a day in each unit of a timestamp."""


def kept_column(column: pa.Array, name: str) -> tuple[pa.Array, pa.BooleanArray | None]:
    """Convert a kept column to a type that every format can write; raises WrongColumns if it is nested or binary.

    Also returns the rows whose date no format can write, if there are any; they are null in the column.
    """
    values = plain(column)
    kind = _kept_kind(values.type)
    if kind is None:
        raise WrongColumns("kept-column-type", column=cut(name), kind=cut(str(column.type)))
    values = pc.cast(values, kind)
    beyond = _beyond_years(values)
    if beyond is not None:
        values = pc.if_else(beyond, pa.scalar(None, kind), values)
    return values, beyond


def common_type(kinds: Iterable[pa.DataType]) -> pa.DataType:
    """Return the type that holds the values of all: float64 of whole numbers and fractions, otherwise text where they differ."""
    different = {*kinds} - {pa.null()}
    if len(different) < 2:
        return different.pop() if different else pa.null()
    return pa.float64() if different == {pa.int64(), pa.float64()} else pa.string()


def _kept_kind(kind: pa.DataType) -> pa.DataType | None:
    """Return the type in which every format can write all values; None if there is none."""
    if types.is_float16(kind):
        return pa.float32()
    if types.is_decimal(kind) and not 0 <= kind.scale <= kind.precision:
        # Parquet has neither tens as the smallest unit, nor more decimals than digits.
        digits, scale = max(kind.precision - min(kind.scale, 0), kind.scale), max(kind.scale, 0)
        if digits > MOST_DIGITS:
            return None
        return pa.decimal128(digits, scale) if digits <= USUAL_DIGITS else pa.decimal256(digits, scale)
    return kind if any(is_kind(kind) for is_kind in KEPT_KINDS) else None


def _beyond_years(column: pa.Array) -> pa.BooleanArray | None:
    """Mark the dates and timestamps that are not in the years 1 to 9999, in UTC; None if there are none."""
    kind = column.type
    if types.is_date32(kind):
        day, numbers = 1, pc.cast(column, pa.int32())
    elif types.is_date64(kind) or types.is_timestamp(kind):
        day, numbers = DAY["ms" if types.is_date64(kind) else kind.unit], pc.cast(column, pa.int64())
    else:
        return None
    least, most = FIRST_DAY * day, (LAST_DAY + 1) * day - 1
    ends = pc.min_max(numbers)
    if ends["min"].as_py() is None or least <= ends["min"].as_py() <= ends["max"].as_py() <= most:
        return None
    return pc.fill_null(pc.or_(pc.less(numbers, least), pc.greater(numbers, most)), False)

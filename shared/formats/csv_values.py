"""Parse CSV fields as values: the slow, exact path for columns that Arrow's CSV reader cannot parse directly.

Both paths accept the same spellings and yield identical bits. Spaces and tabs around numbers and booleans are ignored.
"""

from collections.abc import Sequence
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

from shared.contract.columns import Invalid, wrong_type
from shared.contract.contract import Feature

MISSING_WORDS = ("", "NA", "N/A", "#N/A", "#NA", "<NA>", "NaN", "null", "None", "-")
"""Spellings of a missing value in numeric and boolean columns, in any case; in text columns, only the empty field."""

MISSING = tuple(
    {"".join(signs) for word in MISSING_WORDS for signs in product(*({s.lower(), s.upper()} for s in word))}
)
"""All of them, as Arrow compares exactly."""

TRUE = ("true", "True", "TRUE", "1")
FALSE = ("false", "False", "FALSE", "0")
BLANKS = " \t"

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^[+-]?(?i:inf|infinity)$"
INTEGER = r"^[+-]?[0-9]+$"

NOT_ZERO = r"^[+-]?[0.]*[1-9]"
SMALLEST = 5e-324

EXACT_IN_FLOAT64 = 2.0**53
BEYOND_INT64 = 2.0**63
DECIMAL_DIGITS = 38
"""Digits of the longest integers that are distinguished; longer ones exceed every bound."""

NO_TEXT = pa.scalar(None, pa.string())


def text_or_missing(text: pa.StringArray, missing: Sequence[str] = ()) -> pa.StringArray:
    """Take fields verbatim, empty ones and those in `missing` as null."""
    return pc.if_else(pc.is_in(text, pa.array(["", *missing])), NO_TEXT, text)


def values_of(
    feature: Feature, text: pa.StringArray, decimal: str, missing: Sequence[str] = ()
) -> tuple[pa.Array, list[Invalid]]:
    """Parse the fields of a feature; missing values become null, as do unreadable ones, which are invalid.

    `missing` are spellings of missing values, beside those that are always known. Whole numbers are returned as float64, or as
    decimals if float64 cannot represent them exactly.
    """
    kind = feature.kind.python
    if kind is str:
        return text_or_missing(text, missing), []
    text = pc.ascii_trim(text, BLANKS)
    text = pc.if_else(pc.is_in(text, pa.array([*MISSING, *missing])), NO_TEXT, text)
    if kind is bool:
        values = pc.if_else(
            pc.is_in(text, pa.array(TRUE)), True, pc.if_else(pc.is_in(text, pa.array(FALSE)), False, None)
        )
        wrong = pc.and_(pc.is_valid(text), pc.is_null(values))
        return values, _of_wrong_type(feature, wrong)
    text, numbers, wrong = _numbers(text, decimal)
    if kind is int:
        numbers = _without_underflow(text, numbers)
    if kind is int and (large := _large_integers(text, numbers)) is not None:
        values, odd = large
        return values, _of_wrong_type(feature, wrong) + _odd(feature, odd, numbers)
    return numbers, _of_wrong_type(feature, wrong)


def _of_wrong_type(feature: Feature, wrong: pa.BooleanArray) -> list[Invalid]:
    return [wrong_type(feature, wrong)] if pc.any(wrong).as_py() else []


def _numbers(text: pa.StringArray, decimal: str) -> tuple[pa.StringArray, pa.DoubleArray, pa.BooleanArray]:
    """Return numbers as text with a decimal point, as float64, and a mask of the fields that are not numbers."""
    if decimal != ".":
        pointed = pc.match_substring(text, ".")
        # A point would be taken for the decimal separator; replaced by a letter, the field is not a number.
        text = pc.if_else(pointed, "x", pc.replace_substring(text, decimal, "."))
    try:
        numbers = pc.cast(text, pa.float64())
        if not pc.any(pc.is_nan(numbers)).as_py():
            return text, numbers, pa.repeat(False, len(text))
    except pa.ArrowInvalid:
        pass
    # Arrow accepts more spellings of NaN than are allowed.
    right = pc.match_substring_regex(text, NUMBER)
    text = pc.if_else(right, text, NO_TEXT)
    return text, pc.cast(text, pa.float64()), pc.fill_null(pc.invert(right), False)


def _without_underflow(text: pa.StringArray, numbers: pa.DoubleArray) -> pa.DoubleArray:
    """Replace 0 by the smallest fraction where a number is not 0, but too small for a float: it is no whole number."""
    zero = pc.equal(numbers, 0.0)
    if not pc.any(pc.and_(zero, pc.greater(pc.binary_length(text), 1))).as_py():
        return numbers
    return pc.if_else(pc.and_(zero, pc.match_substring_regex(text, NOT_ZERO)), SMALLEST, numbers)


def _large_integers(text: pa.StringArray, numbers: pa.DoubleArray) -> tuple[pa.Array, pa.BooleanArray] | None:
    """Parse integers that float64 cannot represent exactly; None if there are none.

    Also returns a mask of the fields that are not whole, not finite, or beyond 64 bits in a non-integer notation.
    """
    large = pc.greater_equal(pc.abs(numbers), EXACT_IN_FLOAT64)
    if not pc.any(large).as_py():
        return None
    plain = pc.fill_null(pc.match_substring_regex(text, INTEGER), False)
    if not pc.any(pc.and_(plain, large)).as_py():
        return None
    digits = pc.replace_substring_regex(text, r"^([+-]?)0+([0-9])", r"\1\2")
    widest = pc.if_else(pc.less(numbers, 0.0), "-" + "9" * (DECIMAL_DIGITS - 1), "9" * (DECIMAL_DIGITS - 1))
    digits = pc.if_else(pc.less(pc.binary_length(digits), DECIMAL_DIGITS), digits, widest)
    kind = pa.decimal128(DECIMAL_DIGITS, 0)
    whole = pc.and_(pc.equal(numbers, pc.trunc(numbers)), pc.less(pc.abs(numbers), BEYOND_INT64))
    others = pc.cast(pc.if_else(pc.and_not(whole, plain), numbers, pa.scalar(None, pa.float64())), pa.int64())
    values = pc.if_else(plain, pc.cast(pc.if_else(plain, digits, NO_TEXT), kind), pc.cast(others, kind))
    return values, pc.fill_null(pc.invert(pc.or_(whole, plain)), False)


def _odd(feature: Feature, odd: pa.BooleanArray, numbers: pa.DoubleArray) -> list[Invalid]:
    """Give each of these numbers its own reason, as for a column of floats."""
    finite, small = pc.is_finite(numbers), pc.less(pc.abs(numbers), BEYOND_INT64)
    found = []
    for kind in (pc.invert(finite), pc.and_not(finite, small), small):
        rows = pc.fill_null(pc.and_(odd, kind), False)
        if (first := pc.index(rows, True).as_py()) >= 0:
            found.append(Invalid(rows, feature.finding(numbers[first].as_py())))
    return found

"""Counting invalid rows and values while slices pass by."""

import pyarrow as pa
import pytest

from shared.contract.validated import Tally, Validated
from shared.errors import ALL_VALID, InvalidRows, Report
from shared.reasons import MAX_REPORTED, InvalidValue

BATCH = pa.record_batch({"x": [1.0, 2.0]})


def slice_of(start: int, bad: int) -> Validated:
    """Some rows, `bad` of them invalid; the first one has two invalid values."""
    errors = [InvalidValue(start + max(i - 1, 0), "x", "float_type") for i in range(bad + 1 if bad else 0)]
    return Validated(BATCH, None, Report(bad, len(errors), tuple(errors)))


def test_good_slices_pass() -> None:
    slices = [slice_of(0, 0), slice_of(2, 0)]
    assert list(Tally().watch(slices, "reject")) == slices


def test_with_reject_nothing_follows_a_bad_slice_and_all_that_is_invalid_is_counted() -> None:
    tally = Tally()
    passed = []
    with pytest.raises(InvalidRows) as caught:
        for checked in tally.watch([slice_of(0, 0), slice_of(2, 90), slice_of(4, 0), slice_of(6, 90)], "reject"):
            passed.append(checked)
    assert len(passed) == 1
    report = caught.value.report
    assert (report.invalid_rows, report.invalid_values) == (180, 182)
    assert len(report.errors) == MAX_REPORTED
    assert [error.row for error in report.errors[-2:]] == [12, 13]
    assert caught.value.reason.params == {"count": 182, "limit": MAX_REPORTED}
    assert str(caught.value) == "182 values break the feature contract; the report lists up to 100."


def test_with_flag_all_slices_pass_and_are_counted() -> None:
    tally = Tally()
    assert len(list(tally.watch([slice_of(0, 1), slice_of(2, 0), slice_of(4, 2)], "flag"))) == 3
    assert (tally.report.invalid_rows, tally.report.invalid_values) == (3, 5)
    tally.clear()
    assert tally.report == ALL_VALID


def test_counting_ends_when_there_are_enough() -> None:
    def endless() -> object:
        start = 0
        while True:
            yield slice_of(start, 50)
            start += 2

    with pytest.raises(InvalidRows) as caught:
        list(Tally(enough=120).watch(endless(), "reject"))  # type: ignore[arg-type]
    assert (caught.value.report.invalid_rows, caught.value.report.invalid_values) == (150, 153)

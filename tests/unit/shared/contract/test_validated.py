"""Counting refusals while slices pass by."""

import pyarrow as pa
import pytest

from shared.contract.validated import Tally, Validated
from shared.errors import MAX_REPORTED_ROW_ERRORS, InvalidRows, RowError

BATCH = pa.record_batch({"x": [1.0, 2.0]})


def slice_of(start: int, bad: int) -> Validated:
    errors = tuple(RowError(start + i, "x", "wrong", "type") for i in range(bad))
    return Validated(BATCH, None, None, errors, bad)


def test_good_slices_pass() -> None:
    slices = [slice_of(0, 0), slice_of(2, 0)]
    assert list(Tally().watch(slices, "reject")) == slices


def test_with_reject_nothing_follows_a_bad_slice_and_all_refusals_are_counted() -> None:
    tally = Tally()
    passed = []
    with pytest.raises(InvalidRows) as refusal:
        for checked in tally.watch([slice_of(0, 0), slice_of(2, 90), slice_of(4, 0), slice_of(6, 90)], "reject"):
            passed.append(checked)
    assert len(passed) == 1
    assert refusal.value.total == 180
    assert len(refusal.value.errors) == MAX_REPORTED_ROW_ERRORS
    assert [error.row for error in refusal.value.errors[-2:]] == [14, 15]


def test_with_flag_all_slices_pass_and_are_counted() -> None:
    tally = Tally()
    assert len(list(tally.watch([slice_of(0, 1), slice_of(2, 0), slice_of(4, 2)], "flag"))) == 3
    assert tally.total == 3
    tally.clear()
    assert (tally.errors, tally.total) == ([], 0)


def test_counting_ends_when_there_are_enough() -> None:
    def endless() -> object:
        start = 0
        while True:
            yield slice_of(start, 50)
            start += 2

    with pytest.raises(InvalidRows) as refusal:
        list(Tally(enough=120).watch(endless(), "reject"))  # type: ignore[arg-type]
    assert refusal.value.total == 150

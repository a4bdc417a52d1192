"""Rows that went through the feature contract."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import ALL_VALID, InvalidRows, Report
from shared.reasons import InvalidValue

SEPARATOR = "; "
"""Between the invalid values of a row, where they are told in words."""

Write = Callable[[InvalidValue], str]
Told = Callable[[Write, str], pa.StringArray]
"""Writes the invalid values of each row: how to write one, and what to put between two. Null for a valid row."""


@dataclass(frozen=True)
class Validated:
    """Some rows in a row of their input, and what the contract says of them."""

    batch: pa.RecordBatch
    """The features, in the contract's own Arrow schema; whatever stands in an invalid row does not matter."""
    kept: pa.RecordBatch | None
    """The columns to repeat in the results, as many rows; None if there are none."""
    report: Report = ALL_VALID
    """What is invalid, ordered by row; rows count from the beginning of the input."""
    told: Told | None = None
    """What is invalid, row by row; None if all rows are valid."""

    @cached_property
    def words(self) -> pa.StringArray | None:
        """For each row null, or in words what is invalid, joined by `; `; None if all rows are valid."""
        return self.told(lambda value: value.text, SEPARATOR) if self.told else None

    @cached_property
    def details(self) -> pa.StringArray | None:
        """For each row null, or a JSON list of its invalid values; None if all rows are valid."""
        if self.told is None:
            return None
        listed = self.told(lambda value: json.dumps(value.in_row(), ensure_ascii=False), ",")
        return pc.binary_join_element_wise("[", listed, "]", "")


@dataclass
class Tally:
    """What is invalid in all the rows that pass by."""

    report: Report = ALL_VALID
    enough: int | None = None
    """With `reject`, count no further than about so many values: finding what is wrong takes longer than the rest."""

    def watch(self, slices: Iterable[Validated], on_invalid: str) -> Iterator[Validated]:
        """Pass the slices on and count. With `reject`, an invalid one ends that: the rest is counted, then raises InvalidRows."""
        for validated in slices:
            self.report = self.report.joined(validated.report)
            if on_invalid == "flag" or not self.report.invalid_values:
                yield validated
            elif self.enough is not None and self.report.invalid_values >= self.enough:
                break
        if self.report.invalid_values and on_invalid != "flag":
            raise InvalidRows(self.report)

    def clear(self) -> None:
        """Begin anew."""
        self.report = ALL_VALID

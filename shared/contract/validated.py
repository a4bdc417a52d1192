"""Rows that were validated against the feature contract."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from shared.errors import ALL_VALID, InvalidRows, Report
from shared.reasons import InvalidValue

SEPARATOR = "; "
"""Separator of the invalid values of a row, when written in words."""

Write = Callable[[InvalidValue], str]
Told = Callable[[Write, str], pa.StringArray]
"""Writes the invalid values of each row, given a function that writes one, and a separator. Null for a valid row."""


@dataclass(frozen=True)
class Validated:
    """Some consecutive rows of the input, and the result of their validation."""

    batch: pa.RecordBatch
    """The features, in the contract's Arrow schema; the content of invalid rows is arbitrary."""
    kept: pa.RecordBatch | None
    """The kept columns, with the same number of rows; None if there are none."""
    report: Report = ALL_VALID
    """The invalid values, ordered by row; rows are numbered from the beginning of the input."""
    told: Told | None = None
    """Writes the invalid values row by row; None if all rows are valid."""
    offset: int | None = None
    """Where they begin in a file of text, in bytes of its UTF-8; None if the file is not a sequence of lines."""

    @cached_property
    def words(self) -> pa.StringArray | None:
        """For each row, null or its invalid values in words, joined by `; `; None if all rows are valid."""
        return self.told(lambda value: value.text, SEPARATOR) if self.told else None

    @cached_property
    def details(self) -> pa.StringArray | None:
        """For each row, null or a JSON list of its invalid values; None if all rows are valid."""
        if self.told is None:
            return None
        listed = self.told(lambda value: json.dumps(value.in_row(), ensure_ascii=False), ",")
        return pc.binary_join_element_wise("[", listed, "]", "")


@dataclass
class Tally:
    """Collects the invalid values of all rows that pass through."""

    report: Report = ALL_VALID
    enough: int | None = None
    """With `reject`, stop counting at about this many values: finding invalid values takes longer than the rest."""

    def watch(self, slices: Iterable[Validated], on_invalid: str) -> Iterator[Validated]:
        """Pass the slices through and count. With `reject`, stop at an invalid one: count the rest, then raise InvalidRows."""
        for validated in slices:
            self.report = self.report.joined(validated.report)
            if on_invalid == "flag" or not self.report.invalid_values:
                yield validated
            elif self.enough is not None and self.report.invalid_values >= self.enough:
                break
        if self.report.invalid_values and on_invalid != "flag":
            raise InvalidRows(self.report)

    def clear(self) -> None:
        """Start over."""
        self.report = ALL_VALID

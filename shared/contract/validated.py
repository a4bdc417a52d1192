"""Rows that went through the feature contract."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from shared.errors import MAX_REPORTED_ROW_ERRORS, InvalidRows, RowError


@dataclass(frozen=True)
class Validated:
    """Some rows in a row of their input, and what the contract says of them."""

    batch: pa.RecordBatch
    """The features, in the contract's own Arrow schema; whatever stands in a refused row does not matter."""
    kept: pa.RecordBatch | None
    """The columns to repeat in the results, as many rows; None if there are none."""
    reasons: pa.StringArray | None
    """For each row null, or in words why it is refused, all reasons joined by `; `; None if all rows are good."""
    errors: tuple[RowError, ...] = ()
    """The first MAX_REPORTED_ROW_ERRORS refusals, ordered by row; rows count from the beginning of the input."""
    total: int = 0
    """Number of refusals; a row may have several."""


@dataclass
class Tally:
    """The refusals of all the rows that pass by: the first ones, and how many there are."""

    errors: list[RowError] = field(default_factory=list)
    total: int = 0
    enough: int | None = None
    """With `reject`, do not count much further than that: finding what is wrong takes longer than the rest."""

    def watch(self, slices: Iterable[Validated], on_invalid: str) -> Iterator[Validated]:
        """Pass the slices on and count. With `reject`, none follows a bad one: reads on to count, then raises InvalidRows."""
        for checked in slices:
            self.total += checked.total
            self.errors.extend(checked.errors[: MAX_REPORTED_ROW_ERRORS - len(self.errors)])
            if on_invalid == "flag" or not self.total:
                yield checked
            elif self.enough is not None and self.total >= self.enough:
                break
        if self.total and on_invalid != "flag":
            raise InvalidRows(self.errors, self.total)

    def clear(self) -> None:
        """Begin anew."""
        self.errors, self.total = [], 0

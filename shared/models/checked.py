"""Rows that went through the feature contract."""

from dataclasses import dataclass

import pyarrow as pa

from shared.errors import RowError


@dataclass(frozen=True)
class Checked:
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

"""Results of any length in a Parquet file, read batch by batch: counts, and pages of filtered, sorted rows.

Its columns are the kept ones, then score, prediction and decision, and for a job with `on_invalid="flag"` also `error`, what is
invalid in words, and `errors`, the same as a JSON list.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pret import InvalidValue

BATCH_ROWS = 1 << 15
FINE_BINS = 1000
"""Intervals of the score, from 0 to 1, in which rows are counted."""
MAX_SORTED = 10_000
"""Rows that can be seen in the order of their scores, from the first one on."""
MAX_REASONS = 1000
"""Different combinations of reasons that are counted."""

EXPLAINED = "reasons"
"""The column of a job with `explain`: a list of `{feature, contribution}`, the strongest first."""
OUTCOMES = ("granted", "refused", "invalid")
ORDERS = ("row", "highest", "lowest")

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Declined:
    """Refused rows for which one feature, or group, speaks against the applicant."""

    feature: str
    mainly: int
    """Rows of which it is the strongest reason."""
    also: int
    """Rows that have it among their reasons."""


@dataclass(frozen=True)
class Summary:
    """Counts over all rows."""

    granted: Counts
    """Granted rows in each of FINE_BINS intervals of the score."""
    refused: Counts
    reasons: tuple[tuple[InvalidValue, int], ...]
    """Why rows have no score, with the number of rows for each reason, the most frequent first."""
    declined: tuple[Declined, ...] = ()
    """What refused rows were refused for, the most frequent first; nothing if the results have no reasons."""


@dataclass(frozen=True)
class Wanted:
    """Which rows to show, in which order."""

    outcomes: frozenset[str] = frozenset(OUTCOMES)
    lowest: float = 0.0
    highest: float = 1.0
    text: str = ""
    order: str = "row"

    @property
    def is_everything(self) -> bool:
        """Whether all rows are wanted."""
        return self.outcomes == frozenset(OUTCOMES) and not self.is_narrow and not self.text

    @property
    def is_narrow(self) -> bool:
        """Whether rows are wanted by their score, which excludes those without one."""
        return self.lowest > 0 or self.highest < 1


@dataclass(frozen=True)
class Page:
    """Some of the wanted rows; `numbers` are their places in the file, from 0."""

    rows: pa.Table
    numbers: tuple[int, ...]
    total: int
    """Number of all wanted rows."""


def summarise(path: Path) -> Summary:
    """Count the rows by score and decision, and the reasons of those without a score."""
    file = pq.ParquetFile(path)
    counts = np.zeros((2, FINE_BINS), np.int64)
    reasons: Counter[str] = Counter()
    mainly: Counter[str] = Counter()
    also: Counter[str] = Counter()
    has_reasons, is_explained = ("errors" in file.schema_arrow.names, EXPLAINED in file.schema_arrow.names)
    columns = ["score", "prediction", *(["errors"] if has_reasons else []), *([EXPLAINED] if is_explained else [])]
    for batch in file.iter_batches(BATCH_ROWS, columns=columns):
        scored = batch.filter(batch["score"].is_valid())
        bins = np.minimum((scored["score"].to_numpy() * FINE_BINS).astype(np.int64), FINE_BINS - 1)
        places = bins + FINE_BINS * scored["prediction"].to_numpy().astype(np.int64)
        counts += np.bincount(places, minlength=2 * FINE_BINS).reshape(2, FINE_BINS)
        if has_reasons and batch["errors"].null_count < batch.num_rows:
            _count(reasons, batch["errors"])
        if is_explained:
            _count_declined(mainly, also, batch)
    declined = [Declined(feature, mainly[feature], count) for feature, count in also.items()]
    declined.sort(key=lambda it: (-it.mainly, -it.also, it.feature))
    return Summary(counts[0], counts[1], _single(reasons), tuple(declined))


def kept_columns(names: Sequence[str]) -> list[str]:
    """Return the kept columns among those of the results."""
    return list(names[: names.index("score")])


def invalid_values(errors: str) -> list[InvalidValue]:
    """Decode what is invalid in a row."""
    return msgspec.json.decode(errors, type=list[InvalidValue])


def page_of(path: Path, wanted: Wanted, offset: int, limit: int, total: int | None = None) -> Page:
    """Return rows `offset` to `offset + limit` of the wanted ones; in the order of scores, at most the first MAX_SORTED.

    With the `total` of an earlier page, nothing is read beyond the rows of this one.
    """
    file = pq.ParquetFile(path)
    if wanted.order != "row":
        numbers, total = _by_score(file, wanted, min(offset + limit, MAX_SORTED))
        numbers = numbers[offset:]
    elif wanted.is_everything:
        total = file.metadata.num_rows
        numbers = np.arange(min(offset, total), min(offset + limit, total))
    else:
        numbers, total = _by_row(file, wanted, offset, limit, total)
    return Page(_rows(file, numbers), tuple(numbers.tolist()), total)


def _by_row(file: pq.ParquetFile, wanted: Wanted, offset: int, limit: int, total: int | None) -> tuple[Counts, int]:
    seen, found = 0, [np.zeros(0, np.int64)]
    for start, batch in _batches(file, wanted):
        matches = np.flatnonzero(_mask(batch, wanted))
        if seen + len(matches) > offset and seen < offset + limit:
            found.append(start + matches[max(offset - seen, 0) : offset + limit - seen])
        seen += len(matches)
        if total is not None and seen >= offset + limit:
            return np.concatenate(found), total
    return np.concatenate(found), seen


def _by_score(file: pq.ParquetFile, wanted: Wanted, most: int) -> tuple[Counts, int]:
    """Return the positions of the first rows in the order of their scores; rows without a score come last."""
    total, best, places = 0, np.zeros(0), np.zeros(0, np.int64)
    for start, batch in _batches(file, wanted):
        matches = np.flatnonzero(_mask(batch, wanted))
        total += len(matches)
        scores = batch["score"].to_numpy(zero_copy_only=False)[matches]
        keys = np.where(np.isnan(scores), np.inf, -scores if wanted.order == "highest" else scores)
        if len(best) == most and most:
            matches, keys = matches[keys < best[-1]], keys[keys < best[-1]]
        best, places = np.concatenate([best, keys]), np.concatenate([places, start + matches])
        first = np.lexsort((places, best))[:most]
        best, places = best[first], places[first]
    return places, total


def _batches(file: pq.ParquetFile, wanted: Wanted) -> Iterator[tuple[int, pa.RecordBatch]]:
    names = file.schema_arrow.names
    searched = [*kept_columns(names), *(["error"] if "error" in names else [])] if wanted.text else []
    start = 0
    for batch in file.iter_batches(BATCH_ROWS, columns=["score", "prediction", *searched]):
        yield start, batch
        start += batch.num_rows


def _mask(batch: pa.RecordBatch, wanted: Wanted) -> npt.NDArray[np.bool_]:
    prediction = batch["prediction"].fill_null(2).to_numpy()
    mask = np.isin(prediction, [index for index, name in enumerate(OUTCOMES) if name in wanted.outcomes])
    if wanted.is_narrow:
        scores = batch["score"].to_numpy(zero_copy_only=False)
        mask &= (scores >= wanted.lowest) & (scores <= wanted.highest)
    if wanted.text:
        mask &= _holding(batch, wanted.text)
    return mask


def _holding(batch: pa.RecordBatch, text: str) -> npt.NDArray[np.bool_]:
    found = np.zeros(batch.num_rows, np.bool_)
    for name in batch.schema.names:
        if name not in ("score", "prediction"):
            values = batch[name].cast(pa.string())
            hits = pc.match_substring(values, text, ignore_case=True).fill_null(False)
            found |= hits.to_numpy(zero_copy_only=False)
    return found


def _rows(file: pq.ParquetFile, numbers: Counts) -> pa.Table:
    """Read single rows, in the order in which their places are given."""
    ascending = np.sort(numbers)
    schema = file.schema_arrow
    picked: list[pa.RecordBatch] = []
    start = 0
    for group in range(file.num_row_groups):
        end = start + file.metadata.row_group(group).num_rows
        inside = ascending[(ascending >= start) & (ascending < end)] - start
        if len(inside):
            picked.extend(_picked(file, group, inside))
        start = end
    table = pa.Table.from_batches(picked, schema) if picked else schema.empty_table()
    return table.take(np.searchsorted(ascending, numbers))


def _picked(file: pq.ParquetFile, group: int, places: Counts) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in file.iter_batches(BATCH_ROWS, row_groups=[group]):
        inside = places[(places >= start) & (places < start + batch.num_rows)] - start
        if len(inside):
            yield batch.take(pa.array(inside))
        start += batch.num_rows


def _count_declined(mainly: Counter[str], also: Counter[str], batch: pa.RecordBatch) -> None:
    refused = batch.filter(pc.equal(batch["prediction"], 1).fill_null(False))[EXPLAINED]
    told = refused.flatten()
    against = pc.greater(told.field("contribution"), 0)
    rows = pc.list_parent_indices(refused).filter(against).to_numpy()
    features = told.field("feature").cast(pa.string()).filter(against)
    # The reasons of a row are in the order of their weight.
    _, strongest = np.unique(rows, return_index=True)
    for counter, found in ((mainly, features.take(pa.array(strongest))), (also, features)):
        for entry in pc.value_counts(found).to_pylist():
            counter[entry["values"]] += entry["counts"]


def _count(reasons: Counter[str], errors: pa.Array) -> None:
    counted: Sequence[dict[str, object]] = pc.value_counts(errors.drop_null()).to_pylist()
    for entry in counted:
        reason = str(entry["values"])
        if reason in reasons or len(reasons) < MAX_REASONS:
            reasons[reason] += int(str(entry["counts"]))


def _single(combinations: Counter[str]) -> tuple[tuple[InvalidValue, int], ...]:
    """Count the rows by each single reason; a row may have several."""
    reasons: Counter[bytes] = Counter()
    for combination, count in combinations.items():
        for reason in set(map(bytes, msgspec.json.decode(combination, type=list[msgspec.Raw]))):
            reasons[reason] += count
    return tuple((msgspec.json.decode(reason, type=InvalidValue), count) for reason, count in reasons.most_common())

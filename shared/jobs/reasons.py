"""The reasons for the scores of a job: pairs of columns as they are stored and as CSV has them, a list elsewhere."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from shared.scoring import Answer, Strongest

REASONS_COLUMN = "reasons"
REASONS = pa.list_(pa.struct([("feature", pa.string()), ("contribution", pa.float64())]))

FACTOR = pa.dictionary(pa.int16(), pa.string())


class ReasonOfRow(msgspec.Struct, frozen=True, gc=False):
    """What one factor contributes to the score of a row."""

    feature: str
    """Name of the feature or group."""
    contribution: float
    """In log-odds of the positive class."""


class ReasonedAnswer(Answer, frozen=True, gc=False):
    """The answer for one row of a batch, with the reasons."""

    reasons: list[ReasonOfRow]


def reason_names(count: int) -> list[str]:
    """Return the names of the pairs of columns."""
    return [f"{what}_{number}" for number in range(1, count + 1) for what in ("reason", "contribution")]


def reason_fields(count: int) -> list[pa.Field]:
    """Return the pairs of columns, from the factor that contributes most."""
    return [
        pa.field(name, kind) for name, kind in zip(reason_names(count), [FACTOR, pa.float64()] * count, strict=True)
    ]


def reason_columns(strongest: Strongest, count: int) -> list[pa.Array]:
    """Write reasons as `reason_fields`; null in rows without a score, and where the model has fewer factors."""
    rows, found = strongest.places.shape
    names = pa.array(strongest.names, pa.string())
    columns: list[pa.Array] = []
    for place in range(count):
        indices, contributions = pa.nulls(rows, pa.int16()), pa.nulls(rows, pa.float64())
        if place < found:
            places = strongest.places[:, place]
            indices = pa.array(places, mask=places < 0)
            contributions = pa.array(strongest.contributions[:, place], mask=places < 0)
        columns += [pa.DictionaryArray.from_arrays(indices, names), contributions]
    return columns


def reason_lists(columns: Sequence[pa.Array]) -> pa.ListArray:
    """Write the pairs of columns as a list for each row, of the type REASONS; null in rows without a score."""
    factors, contributions = columns[0::2], columns[1::2]
    there = np.stack([column.is_valid().to_numpy(zero_copy_only=False) for column in factors], axis=1)
    # Row by row.
    places = np.stack([column.indices.fill_null(0).to_numpy() for column in factors], axis=1)[there]
    numbers = np.stack([column.to_numpy(zero_copy_only=False) for column in contributions], axis=1)[there]
    features = factors[0].dictionary.take(pa.array(places))
    reasons = pa.StructArray.from_arrays([features, pa.array(numbers)], fields=list(REASONS.value_type))
    counts = there.sum(axis=1)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, reasons, type=REASONS, mask=pa.array(counts == 0))


def with_reasons(answers: Sequence[Answer], columns: Sequence[pa.Array]) -> list[ReasonedAnswer]:
    """Add the reasons to the answers for rows that all have a score."""
    reasons = msgspec.convert(reason_lists(columns).to_pylist(), list[list[ReasonOfRow]])
    return [
        ReasonedAnswer(**msgspec.structs.asdict(answer), reasons=each)
        for answer, each in zip(answers, reasons, strict=True)
    ]

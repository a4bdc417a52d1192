"""The door to scoring: rows in, predictions out. Whoever scores passes here, and here alone a score becomes a decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, TypedDict

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.contract.contract import Row
from shared.models.artifact import Model

Decision = Literal["Accordé", "Refusé"]
GRANTED: Decision = "Accordé"
REFUSED: Decision = "Refusé"
"""The decisions: below the threshold, and from it up."""

DECISIONS = pa.array([GRANTED, REFUSED])

PREDICTION_FIELDS = (
    pa.field("score", pa.float64()),
    pa.field("prediction", pa.int8()),
    pa.field("decision", pa.dictionary(pa.int8(), pa.string())),
)
"""The columns that `Predictions.columns` gives."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What one scored row is answered with. Not a pydantic object: thousands are written at a time."""

    score: float
    prediction: int
    threshold: float
    decision: Decision
    model_version: str


@dataclass(frozen=True)
class StoredRows:
    """Rows as a job stores them: written as the model reads them, and which of them to score (None: all)."""

    encoded: pa.RecordBatch
    """In the scorer's `encoded_schema`."""
    to_score: pa.BooleanArray | None = None


Rows: TypeAlias = Sequence[Row] | pa.RecordBatch | StoredRows
"""Rows that keep the model's contract: a handful of dicts, a batch in the contract's Arrow schema, or stored rows."""


class Counts(TypedDict):
    """Numbers of rows by what became of them."""

    granted: int
    refused: int
    invalid: int


@dataclass(frozen=True)
class Predictions:
    """The scores of some rows, in their order, and all that follows from them."""

    scores: pa.DoubleArray
    """Probabilities, shape (rows,); null for a row that is not scored."""
    threshold: float
    model_version: str

    @cached_property
    def is_refused(self) -> npt.NDArray[np.bool_]:
        """The decision rule: an applicant is refused from the threshold up. False for a row without a score."""
        refused: npt.NDArray[np.bool_] = self.scores.to_numpy(zero_copy_only=False) >= self.threshold
        return refused

    def columns(self) -> list[pa.Array]:
        """Give score, prediction and decision of each row, as PREDICTION_FIELDS says; null where there is no score."""
        prediction = pa.array(self.is_refused.view(np.int8))
        if self.scores.null_count:
            prediction = pc.if_else(pc.is_valid(self.scores), prediction, pa.scalar(None, pa.int8()))
        return [self.scores, prediction, pa.DictionaryArray.from_arrays(prediction, DECISIONS)]

    def answers(self) -> list[Answer]:
        """Give the answer for each row; all must have a score."""
        return [
            Answer(score, int(refused), self.threshold, REFUSED if refused else GRANTED, self.model_version)
            for score, refused in zip(self.scores.to_pylist(), self.is_refused.tolist(), strict=True)
        ]

    def counts(self) -> Counts:
        """Count the rows that are granted, refused and without a score."""
        refused = int(np.count_nonzero(self.is_refused))
        invalid = self.scores.null_count
        return Counts(granted=len(self.scores) - refused - invalid, refused=refused, invalid=invalid)


def score(model: Model, rows: Rows, threshold: float | None = None) -> Predictions:
    """Score rows in this thread; `threshold` replaces the model's own, for a job that was pinned to one.

    Some thousand rows take milliseconds, during which CatBoost releases the GIL; who has an event loop calls it for more than
    a handful from another thread.
    """
    scorer = model.scorer
    mask = None
    if isinstance(rows, StoredRows):
        scores = scorer.score_encoded(rows.encoded)
        mask = None if rows.to_score is None else ~rows.to_score.to_numpy(zero_copy_only=False)
    elif isinstance(rows, pa.RecordBatch):
        scores = scorer.score_batch(rows)
    else:
        scores = scorer.score_rows(rows)
    return Predictions(pa.array(scores, mask=mask), model.threshold if threshold is None else threshold, model.version)

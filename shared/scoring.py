"""Scoring: rows in, predictions out. All scoring goes through this module, the only place that applies the threshold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, TypeAlias, TypedDict

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from shared.contract.contract import Row, RowValues
from shared.explanation import Explanation, Factors, Wanted, strongest_of_each
from shared.metrics import Metrics
from shared.models.artifact import Model
from shared.models.categories import UnseenCount
from shared.models.evaluator import Scores
from shared.models.shapley import Values

EXPLAINED_ROWS = 8192
"""Most rows that are explained at a time: of 100 features they take 7 MB."""

Decision = Literal["Accordé", "Refusé"]
GRANTED: Decision = "Accordé"
REFUSED: Decision = "Refusé"
"""The decisions: below the threshold, and at or above it."""

DECISIONS = pa.array([GRANTED, REFUSED])

PREDICTION_FIELDS = (
    pa.field("score", pa.float64()),
    pa.field("prediction", pa.int8()),
    pa.field("decision", pa.dictionary(pa.int8(), pa.string())),
)
"""The columns that `Predictions.columns` returns."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The response for one scored row. Not a pydantic model: thousands are written at a time."""

    score: float
    prediction: int
    threshold: float
    decision: Decision
    model_version: str


class ExplainedAnswer(Answer, frozen=True, gc=False):
    """The response for one scored row, with the reasons."""

    explanation: Explanation


@dataclass(frozen=True)
class StoredRows:
    """Rows as a job stores them: encoded for the model, with a mask of those to score (None: all)."""

    encoded: pa.RecordBatch
    """Has the scorer's `encoded_schema`."""
    to_score: pa.BooleanArray | None = None


@dataclass(frozen=True)
class RowsOfValues:
    """A few rows as lists; their categories may be rewritten."""

    rows: Sequence[RowValues]


Rows: TypeAlias = Sequence[Row] | RowsOfValues | pa.RecordBatch | StoredRows
"""Rows that satisfy the model's contract: a few dicts or lists, a batch in the contract's Arrow schema, or stored rows."""


class Counts(TypedDict):
    """Numbers of rows by outcome."""

    granted: int
    refused: int
    invalid: int


@dataclass(frozen=True)
class Predictions:
    """The scores of some rows, in order, and the predictions and decisions derived from them."""

    scores: Scores
    """Probabilities, shape (rows,); NaN for a row that is not scored."""
    threshold: float
    model_version: str
    unscored: npt.NDArray[np.bool_] | None = None
    """True for the rows that are not scored, shape (rows,); None if all are."""
    unseen: Mapping[str, int] = field(default_factory=dict)
    """By category feature, the rows whose category was not in the training; of stored rows, and where the model can tell."""

    @classmethod
    def of(cls, stored: pa.DoubleArray, threshold: float, model_version: str) -> "Predictions":
        """Derive the predictions from stored scores, null for a row without one."""
        unscored = pc.is_null(stored).to_numpy(zero_copy_only=False) if stored.null_count else None
        return cls(stored.to_numpy(zero_copy_only=False), threshold, model_version, unscored)

    @property
    def is_refused(self) -> npt.NDArray[np.bool_]:
        """The decision rule: an applicant is refused at or above the threshold. False for a row without a score."""
        refused: npt.NDArray[np.bool_] = self.scores >= self.threshold
        return refused

    def column(self) -> pa.DoubleArray:
        """Return the scores to store them, null for a row without one."""
        return pa.array(self.scores, mask=self.unscored)

    def columns(self) -> list[pa.Array]:
        """Return the score, prediction and decision of each row, as in PREDICTION_FIELDS; null for a row without a score."""
        prediction = pa.array(self.is_refused.view(np.int8), mask=self.unscored)
        return [self.column(), prediction, pa.DictionaryArray.from_arrays(prediction, DECISIONS)]

    def answers(self) -> list[Answer]:
        """Return the answer for each row; all must have a score."""
        return [self._answer(*of_row) for of_row in zip(self.scores.tolist(), self.is_refused.tolist(), strict=True)]

    def encoded_answers(self) -> bytes:
        """Return the answers as a JSON array, byte for byte as msgspec writes them, without an object for each row."""
        if not len(self.scores):
            return b"[]"
        # They differ in the score and the decision alone; the score comes first.
        head, _, granted = msgspec.json.encode(self._answer(0.0, is_refused=False)).partition(b"0.0")
        _, _, refused = msgspec.json.encode(self._answer(0.0, is_refused=True)).partition(b"0.0")
        between = b"," + head
        ends = (granted + between, refused + between)
        parts = [b""] * (2 * len(self.scores))
        parts[::2] = msgspec.json.encode(self.scores.tolist())[1:-1].split(b",")
        parts[1::2] = [ends[is_refused] for is_refused in self.is_refused.tolist()]
        return b"[" + head + b"".join(parts).removesuffix(between) + b"]"

    def _answer(self, score: float, is_refused: bool) -> Answer:
        decision = REFUSED if is_refused else GRANTED
        return Answer(score, int(is_refused), self.threshold, decision, self.model_version)

    def counts(self) -> Counts:
        """Count the granted, refused and unscored rows."""
        refused = int(np.count_nonzero(self.is_refused))
        invalid = 0 if self.unscored is None else int(np.count_nonzero(self.unscored))
        return Counts(granted=len(self.scores) - refused - invalid, refused=refused, invalid=invalid)


def score(model: Model, rows: Rows, threshold: float | None = None) -> Predictions:
    """Score rows in this thread; `threshold` overrides the model's own, for a job that is pinned to one.

    A few thousand rows take milliseconds, during which the evaluator releases the GIL; from an event loop, call it in another
    thread for more than a few rows.
    """
    scorer = model.scorer
    unscored = None
    unseen: Mapping[str, int] = {}
    if isinstance(rows, StoredRows):
        to_score = None if rows.to_score is None else rows.to_score.to_numpy(zero_copy_only=False)
        count = UnseenCount(model.seen_categories, to_score)
        scores = scorer.score_encoded(rows.encoded, count.add)
        unseen = count.counts
        if to_score is not None:
            unscored = ~to_score
            scores[unscored] = np.nan
    elif isinstance(rows, pa.RecordBatch):
        scores = scorer.score_batch(rows)
    elif isinstance(rows, RowsOfValues):
        scores = scorer.score_values(rows.rows)
    else:
        scores = scorer.score_rows(rows)
    threshold = model.threshold if threshold is None else threshold
    return Predictions(scores, threshold, model.version, unscored, unseen)


def score_counted(model: Model, rows: Rows, metrics: Metrics, threshold: float | None = None) -> Predictions:
    """Score rows as `score` does, and count them in the metrics."""
    began = perf_counter()
    found = score(model, rows, threshold)
    seconds = perf_counter() - began
    scores = found.scores if found.unscored is None else found.scores[~found.unscored]
    metrics.scored(model.version, model.scorer.evaluator.name, scores, found.counts()["refused"], seconds)
    return found


def explain(model: Model, rows: Sequence[Row], wanted: Wanted, threshold: float | None = None) -> list[ExplainedAnswer]:
    """Score a few rows and give the reasons; from an event loop, call it in another thread: a row takes milliseconds.

    Raises NotExplainable for a model whose scores cannot be explained.
    """
    predictions = score(model, rows, threshold)
    contributions = model.explainer.explain_rows(rows)
    contributions.check(predictions.scores)
    factors = Factors(model.contract)
    return [
        ExplainedAnswer(**msgspec.structs.asdict(answer), explanation=factors.explain(contributions, row, wanted))
        for row, answer in enumerate(predictions.answers())
    ]


@dataclass(frozen=True)
class Strongest:
    """The factors that contribute most to the score of each row, largest first."""

    names: list[str]
    """Of all factors of the model."""
    places: npt.NDArray[np.int16]
    """Among the names, shape (rows, k); -1 in a row without a score."""
    contributions: Values
    """In log-odds of the positive class, shape (rows, k)."""


def strongest_factors(model: Model, rows: StoredRows, predictions: Predictions, count: int) -> Strongest:
    """Find the `count` factors, or all if there are fewer, that contribute most to the predictions for stored rows.

    Raises NotExplainable. It takes ten times as long as the scores, or more.
    """
    factors = Factors(model.contract)
    scored = np.arange(rows.encoded.num_rows) if rows.to_score is None else np.flatnonzero(rows.to_score)
    shape = (rows.encoded.num_rows, min(count, len(factors.all)))
    places, found = np.full(shape, -1, np.int16), np.zeros(shape)
    for start in range(0, len(scored), EXPLAINED_ROWS):
        piece = scored[start : start + EXPLAINED_ROWS]
        contributions = model.explainer.explain_encoded(rows.encoded.take(pa.array(piece)))
        contributions.check(predictions.scores[piece])
        sums = factors.sums(contributions.values)
        strongest = strongest_of_each(sums, count)
        places[piece] = strongest
        found[piece] = np.take_along_axis(sums, strongest, axis=1)
    return Strongest([factor.named.name for factor in factors.all], places, found)


def rows_per_second(model: Model, *, explains: bool) -> float:
    """Tell about how many rows one core scores in a second, and also explains if it `explains` them; raises NotExplainable."""
    scored = model.scorer.rows_per_second
    return 1 / (1 / scored + 1 / model.explainer.rows_per_second) if explains else scored

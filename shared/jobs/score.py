"""The step that scores one chunk: its rows in, a blob of scores out. The rows are stored, or a range of the job's file."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator

import pyarrow as pa

from shared.contract.validated import Tally
from shared.errors import BadArtifact, InvalidRows
from shared.formats.readers import RANGE_READERS
from shared.jobs.blobs import read_batches, write_batches
from shared.jobs.job import Job
from shared.jobs.read import opened_file
from shared.jobs.reasons import reason_columns, reason_names
from shared.jobs.rows import encoded_rows, parted, regrouped
from shared.jobs.unit import Attempt, remove_rows_if_done
from shared.models.artifact import Model
from shared.scoring import Counts, Predictions, StoredRows, score, strongest_factors

SCORE = "score"
"""Name of the first column of the blob."""


def score_chunk(attempt: Attempt) -> list[str] | None:
    """Score the chunk, and count it once even if another worker scores it too."""
    job, at = attempt.job, attempt.at
    model = at.models.load(job.model_version)
    if job.positive_class not in ("", model.positive_class):
        raise BadArtifact("positive-class-differs", label=job.positive_class, other=model.positive_class)
    return _score_in_place(attempt, model) if job.in_place else _score_stored(attempt, model)


def _score_stored(attempt: Attempt, model: Model) -> list[str] | None:
    job, at, chunk = attempt.job, attempt.at, int(attempt.unit)
    outcome = _Outcome(job, model)
    rows = read_batches(job.rows_blob, at.storage, job.batches_of(chunk))
    write_batches(outcome.scored(rows), job.scores_blob(chunk), at.storage)
    units = at.store.commit(job.id, attempt.unit, at.window(), **outcome.counts(), unseen=outcome.unseen)
    if not units:
        remove_rows_if_done(job, at)
    return units


def _score_in_place(attempt: Attempt, model: Model) -> list[str] | None:
    """Decode, validate and score a range of the file; once a row is known to fail the job, only validate it."""
    job, at = attempt.job, attempt.at
    rows = job.rows_of(int(attempt.unit))
    tally, outcome = Tally(), _Outcome(job, model)
    try:
        with opened_file(job, model, at) as source:
            slices = RANGE_READERS[job.format].read(source, job.read_options, model.contract, rows, job.checksum or "")
            good = tally.watch(slices, job.on_invalid)
            if job.is_rejected:
                deque(good, maxlen=0)
            else:
                encoded = regrouped(encoded_rows(good, job, model), job.batch_rows or 1)
                write_batches(outcome.scored(encoded), job.scores_blob(int(attempt.unit)), at.storage)
    except InvalidRows as error:
        # The job fails with its last chunk, since the report counts the invalid rows of all.
        outcome.withdraw(error.report.invalid_rows)
    counts, unscored = outcome.counts(), len(rows) - outcome.rows
    return at.store.commit(
        job.id, attempt.unit, at.window(), **counts, unscored=unscored, unseen=outcome.unseen, report=tally.report
    )


class _Outcome:
    """Scores the batches of a chunk, and adds up what comes of it."""

    def __init__(self, job: Job, model: Model) -> None:
        self._job = job
        self._model = model
        self._counts: Counter[str] = Counter()
        self.unseen: Counter[str] = Counter()

    def scored(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Score encoded rows; give the scores, the reasons if they are wanted, and the kept columns that come with the rows."""
        for batch in batches:
            own, echo = parted(batch, self._job, self._model)
            rows = _stored_rows(own, self._job)
            predictions = score(self._model, rows, self._job.threshold)
            self._counts.update(predictions.counts())
            self.unseen.update(predictions.unseen)
            columns = [predictions.column(), *self._reasons(rows, predictions), *echo.columns]
            names = [SCORE, *reason_names(self._job.explain or 0), *echo.schema.names]
            yield pa.RecordBatch.from_arrays(columns, names=names)

    def _reasons(self, rows: StoredRows, predictions: Predictions) -> list[pa.Array]:
        count = self._job.explain
        return reason_columns(strongest_factors(self._model, rows, predictions, count), count) if count else []

    def withdraw(self, invalid: int) -> None:
        """Forget what was scored, since so many rows of the chunk are invalid."""
        self._counts, self.unseen = Counter(invalid=invalid), Counter()

    @property
    def rows(self) -> int:
        """Number of rows that were counted."""
        return self._counts.total()

    def counts(self) -> Counts:
        """Return the number of rows by outcome."""
        counts = self._counts
        return Counts(granted=counts["granted"], refused=counts["refused"], invalid=counts["invalid"])


def _stored_rows(batch: pa.RecordBatch, job: Job) -> StoredRows:
    """Separate the features from the column that marks the rows to score."""
    if not job.is_flagged:
        return StoredRows(batch)
    return StoredRows(batch.select(range(batch.num_columns - 1)), batch.columns[-1])

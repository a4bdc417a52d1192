"""The results of a job, read from its blobs in row order: kept columns, score, decision, invalid values."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from math import ceil

import pyarrow as pa

from shared.errors import JobConflict, StorageUnavailable
from shared.formats.format import Format
from shared.jobs.blobs import read_batches, read_schema
from shared.jobs.job import Job, JobState
from shared.jobs.reasons import (
    REASONS,
    REASONS_COLUMN,
    reason_fields,
    reason_lists,
    reason_names,
    with_reasons,
)
from shared.jobs.rows import ERROR_COLUMN, ERRORS_COLUMN
from shared.jobs.store import JobStore
from shared.scoring import PREDICTION_FIELDS, Answer, Predictions
from shared.storage import Storage

INVALID_COLUMNS = (ERROR_COLUMN, ERRORS_COLUMN)
"""For a flagged job, the invalid values of a row, in words and as a JSON list; null if the row is scored."""

RESULT_COLUMNS = (
    *(item.name for item in PREDICTION_FIELDS),
    "threshold",
    "model_version",
    REASONS_COLUMN,
    *INVALID_COLUMNS,
)
"""Names that kept columns cannot use."""

NOTHING = pa.record_batch({})


@dataclass(frozen=True)
class Results:
    """The first `rows` rows of a job: all of them, or those scored so far."""

    job: Job
    rows: int
    storage: Storage
    is_flat: bool = False
    """Whether reasons are pairs of columns rather than a list."""

    @classmethod
    def of(cls, job: Job, store: JobStore, storage: Storage, *, partial: bool = False) -> "Results":
        """Find the available results; raises JobConflict if there are none."""
        if job.state is JobState.SUCCEEDED:
            return cls(job, job.rows or 0, storage)
        if partial and job.state in (JobState.QUEUED, JobState.RUNNING):
            done = 0 if job.is_withheld else store.finished_chunks(job) * (job.chunk_rows or 0)
            return cls(job, min(done, job.rows or 0), storage)
        if job.error is not None:
            raise JobConflict("no-results-failed", reason=job.error)
        raise JobConflict("no-results", state=job.state.value)

    def laid_out(self, format: Format) -> "Results":
        """Return the same results as this format can write them."""
        return replace(self, is_flat=format is Format.CSV)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns: kept ones, score, prediction, decision, reasons if wanted, and the invalid values if rows may be invalid."""
        echo = self._echo_schema() if self.job.has_echo and self.rows else []
        kept = [item for item in echo if item.name not in INVALID_COLUMNS]
        invalid = [pa.field(name, pa.string()) for name in INVALID_COLUMNS] if self.job.is_flagged else []
        facts = {"model_version": self.job.model_version, "threshold": repr(self.job.threshold), "job": self.job.id}
        return pa.schema([*kept, *PREDICTION_FIELDS, *self._reason_fields(), *invalid], metadata=facts)

    def batches(self, start: int = 0, end: int | None = None) -> Iterator[pa.RecordBatch]:
        """Read the rows from `start` to `end`, or to the last one, in small batches; raises StorageUnavailable."""
        for _, part in self.parts(start, end):
            yield self.made(part)

    def answers(self, start: int = 0, end: int | None = None) -> Iterator[Answer]:
        """Read the answers alone, with the reasons if wanted, of rows that all have a score."""
        for _, part in self.parts(start, end):
            answers = self._predictions(part).answers()
            yield from with_reasons(answers, part.columns[1 : self._beside]) if self.job.explain else answers

    def made(self, part: pa.RecordBatch) -> pa.RecordBatch:
        """Make results, in the schema, of some rows as they are stored."""
        reasons, echo = part.columns[1 : self._beside], part.columns[self._beside :]
        if reasons and not self.is_flat:
            reasons = [reason_lists(reasons)]
        count = len(echo) - (len(INVALID_COLUMNS) if self.job.is_flagged else 0)
        columns = [*echo[:count], *self._predictions(part).columns(), *reasons, *echo[count:]]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    @property
    def _beside(self) -> int:
        """How many columns are stored before the kept ones: the score and the reasons."""
        return 1 + len(reason_names(self.job.explain or 0))

    def _reason_fields(self) -> list[pa.Field]:
        if not self.job.explain:
            return []
        return reason_fields(self.job.explain) if self.is_flat else [pa.field(REASONS_COLUMN, REASONS)]

    def _predictions(self, part: pa.RecordBatch) -> Predictions:
        return Predictions.of(part.column(0), self.job.threshold, self.job.model_version)

    def parts(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Read rows like `batches`, but as they are stored: score, reasons, kept columns, invalid values.

        The number of its first row precedes each part.
        """
        end = self.rows if end is None else min(end, self.rows)
        size = self.job.chunk_rows or 1
        for chunk in range(start // size, -(-end // size) if start < end else 0):
            for first, batch in self._chunk(chunk, start):
                offset = max(start - first, 0)
                if first + offset >= end:
                    return
                yield first + offset, batch.slice(offset, end - first - offset)

    def _echo_schema(self) -> list[pa.Field]:
        """Return the columns beside the scores: they have a blob of their own, unless both come from the file itself."""
        if self.job.in_place:
            return list(read_schema(self.job.scores_blob(0), self.storage))[self._beside :]
        return list(read_schema(self.job.echo_blob, self.storage))

    def _chunk(self, chunk: int, start: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Read the batches of a chunk that do not end before `start`, each after the number of its first row."""
        job, rows, size = self.job, self.job.rows_of(chunk), self.job.batch_rows or 1
        before = max(start - rows.start, 0) // size
        first, count = rows.start + before * size, ceil(len(rows) / size)
        scores = read_batches(job.scores_blob(chunk), self.storage, range(before, count))
        is_apart = job.has_echo and not job.in_place
        echo = (
            read_batches(job.echo_blob, self.storage, job.batches_of(chunk)[before:]) if is_apart else repeat(NOTHING)
        )
        for batch, beside in zip(scores, echo, strict=False):
            names = [*batch.schema.names, *beside.schema.names]
            yield first, pa.RecordBatch.from_arrays([*batch.columns, *beside.columns], names=names)
            first += batch.num_rows
        if first != rows.stop:
            raise StorageUnavailable("storage-damaged")

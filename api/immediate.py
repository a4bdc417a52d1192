"""Immediate batches: rows that a caller waits for are scored in this process, without a job, Redis or a worker.

They are scored in a thread, one batch at a time, so that single applicants, which the event loop scores, are hardly delayed.
A batch that is too large, or does not get its turn soon, must become a job.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf

import anyio
import msgspec
import pyarrow as pa
from anyio import to_thread

from shared.contract.validated import Tally, Validated
from shared.jobs.reasons import reason_columns, with_reasons
from shared.jobs.submit import COUNTED_VALUES
from shared.metrics import Metrics
from shared.models.artifact import Model
from shared.scoring import StoredRows, rows_per_second, score_counted, strongest_factors

PATIENCE = 2.0
"""Seconds that a batch waits for its turn at most. As a job, it would hold up the others for longer than it waits."""

PATIENT_SHARE = 0.5
"""Of the time that the caller waits: in the rest of it, a job may be done."""

LONGEST = 1.0
"""Seconds that scoring a batch may take: with a slow model, several workers are faster than this one thread."""

ENCODED_AT_ONCE = 2000
"""Answers with reasons that are written in one call, during which the event loop waits: some 0.3 ms."""

ReadRows = Callable[[], Iterable[Validated]]


@dataclass(frozen=True)
class Answers:
    """The answers to the rows of a batch, in order."""

    text: bytes
    """A JSON array."""
    rows: int


class ImmediateBatches:
    """Scores batches of up to `most_rows` rows; none if that is 0."""

    def __init__(self, most_rows: int, metrics: Metrics) -> None:
        self._most_rows = most_rows
        self._metrics = metrics
        self._turn = anyio.Lock()

    async def answers(
        self, read: ReadRows, model: Model, explain: int | None = None, wait: float = inf
    ) -> Answers | None:
        """Return the answers to the rows that `read` validates, with `explain` reasons each; None if they must become a job.

        The caller waits for `wait` seconds. Raises InvalidRows if there are invalid ones, NotExplainable, and whatever `read`
        raises.
        """
        if not self._most_rows:
            return None
        with anyio.move_on_after(min(PATIENCE, PATIENT_SHARE * wait)) as waiting:
            await self._turn.acquire()
        if waiting.cancelled_caught:
            return None
        try:
            return await to_thread.run_sync(self._answers, read, model, explain)
        finally:
            self._turn.release()

    def _answers(self, read: ReadRows, model: Model, explain: int | None) -> Answers | None:
        most_rows = min(self._most_rows, int(rows_per_second(model, explains=bool(explain)) * LONGEST))
        slices = Tally(enough=COUNTED_VALUES).watch(_up_to(most_rows, read()), "reject")
        arrays: list[bytes] = []
        rows = 0
        try:
            for validated in slices:
                arrays += self._encoded(model, validated.batch, explain)
                rows += validated.batch.num_rows
        except _TooManyRows:
            return None
        return Answers(b"[" + b",".join(array[1:-1] for array in arrays) + b"]", rows)

    def _encoded(self, model: Model, batch: pa.RecordBatch, explain: int | None) -> Iterator[bytes]:
        """Score a batch, and give the answers as JSON arrays."""
        if not explain:
            yield score_counted(model, batch, self._metrics).encoded_answers()
            return
        rows = StoredRows(model.scorer.encode(batch))
        predictions = score_counted(model, rows, self._metrics)
        strongest = strongest_factors(model, rows, predictions, explain)
        answers = with_reasons(predictions.answers(), reason_columns(strongest, explain))
        for start in range(0, len(answers), ENCODED_AT_ONCE):
            yield msgspec.json.encode(answers[start : start + ENCODED_AT_ONCE])


class _TooManyRows(Exception):
    """There are more rows than are scored immediately."""


def _up_to(most_rows: int, slices: Iterable[Validated]) -> Iterator[Validated]:
    rows = 0
    for validated in slices:
        rows += validated.batch.num_rows
        if rows > most_rows:
            raise _TooManyRows
        yield validated

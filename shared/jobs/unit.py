"""One attempt at a unit of work of any kind: claim, run, and commit or release. A plain function, independent of Celery.

Each kind of unit is a step: a function that does the work of an `Attempt` and commits it. A step may raise; this module
handles the error for the unit and its job, in the same way for all kinds.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from typing import Literal
from uuid import uuid4

from shared import tracing
from shared.errors import (
    ALL_VALID,
    InputError,
    InvalidRows,
    MalformedInput,
    ModelError,
    PretError,
    RedisUnavailable,
    Report,
    UnknownJob,
)
from shared.jobs.job import READING, WRITING, Job, JobState
from shared.jobs.steps import Steps
from shared.jobs.store import Claim, JobStore
from shared.metrics import Metrics
from shared.models.cache import ModelCache
from shared.reasons import Reason
from shared.settings import Settings
from shared.storage import Storage, is_below
from shared.tracing import Span

RENEW_INTERVAL = 0.5
"""Seconds between the heartbeats of a long unit, which also reveal that its job has ended."""


KINDS = {READING: "read", WRITING: "write"}
SCORING = "score"
"""Kinds of units, as metrics tell them apart; every chunk is of the last one."""


def kind_of(unit: str) -> str:
    """Return the kind of a unit."""
    return KINDS.get(unit, SCORING)


Outcome = Literal["done", "failed", "over", "handed_back", "error"]
"""What came of an attempt: it is committed, the job failed, nobody needs it, another worker is to do it, or it is tried again."""

UNLISTED = "unlisted"
"""Takes the place of the reason of invalid values beyond those that a report lists."""


@dataclass(frozen=True)
class Limits:
    """Limits of one file and its chunks."""

    decoded_bytes: int
    rows: int
    free_bytes: int
    """Free space to leave in the storage."""
    chunk_rows: int | None
    """Rows per chunk; None to derive them from the speed of the model."""
    read_below: Sequence[str] = ()
    write_below: Sequence[str] = ()
    """Addresses of folders, beside the storage."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "Limits":
        """Take the limits from the settings."""
        return cls(
            settings.max_file_bytes,
            settings.max_queued_rows,
            settings.min_free_bytes,
            settings.chunk_rows,
            settings.listed(settings.input_uri_prefixes),
            settings.listed(settings.output_uri_prefixes),
        )

    def check_addresses(self, job: Job) -> None:
        """Raise MalformedInput if the job reads or writes elsewhere: its record is no proof that anybody has checked it."""
        if job.input_uri is not None and not is_below(job.input_uri, self.read_below):
            raise MalformedInput("input-uri-not-allowed")
        if job.output_uri is not None and not is_below(job.output_uri, self.write_below):
            raise MalformedInput("output-uri-not-allowed")


@dataclass(frozen=True)
class Workplace:
    """The dependencies of a unit of work. `window` returns the number of units of one job that may be in progress."""

    worker: str
    """Name of the worker, which may release what its attempts hold."""
    store: JobStore
    storage: Storage
    models: ModelCache
    window: Callable[[], int]
    limits: Limits
    metrics: Metrics
    stopping: Callable[[], bool] = lambda: False
    """Whether the worker was told to end, so that long work is left to another one."""


class JobEnded(Exception):
    """The job was cancelled or removed, or its work done or taken over by another worker, during this attempt."""


class Interrupted(Exception):
    """The worker was told to end during this attempt."""


class Oversized(Exception):
    """The file takes more than files of its queue may, and is left to those who read large ones."""


class Attempt:
    """A claimed unit of a job, and the workplace to do it in."""

    def __init__(self, job: Job, unit: str, owner: str, at: Workplace) -> None:
        self.job = job
        self.unit = unit
        self.owner = owner
        self.at = at
        self.steps = Steps()
        self.outcome: Outcome = "error"
        self._renewed_at = -inf

    def renew(self, rows_read: int | None = None) -> bool:
        """Send a heartbeat if one is due; return whether it was sent.

        Raises JobEnded once the work is no longer needed, Interrupted once the worker is to end.
        """
        if self.at.stopping():
            raise Interrupted
        if time.monotonic() - self._renewed_at <= RENEW_INTERVAL:
            return False
        if not self.at.store.renew(self.job.id, self.unit, self.owner, rows_read):
            raise JobEnded
        self._renewed_at = time.monotonic()
        return True


Step = Callable[[Attempt], list[str] | None]
"""Does the work and commits it; returns the units to publish now, or None if another worker was first."""


def attempt(job_id: str, unit: str, step: Step, at: Workplace, parent: str | None = None) -> list[str]:
    """Run the unit if it is still pending, and return the units to publish now; `parent` is the trace that it belongs to.

    Invalid input or a model that cannot serve fails the job. Any other error releases the unit for another attempt and is
    raised; that Redis did not answer, or that the worker was told to end, does not count as an attempt.
    """
    if at.stopping():
        return [unit]
    owner = f"{at.worker}/{uuid4().hex[:8]}"
    try:
        if at.store.claim(job_id, unit, owner) is not Claim.TAKEN:
            return []
        with tracing.span(f"{kind_of(unit)} unit", "consumer", parent, pret_job=job_id, pret_unit=unit) as span:
            return _run(job_id, unit, owner, step, at, span)
    except RedisUnavailable:
        # The claim may have been made although it was not answered; if the step has been committed, nothing is handed back.
        with suppress(RedisUnavailable):
            at.store.hand_back(job_id, unit, owner)
        raise


def _run(job_id: str, unit: str, owner: str, step: Step, at: Workplace, span: Span) -> list[str]:
    try:
        job = at.store.get(job_id)
    except UnknownJob:
        return []
    with _observed(Attempt(job, unit, owner, at), span) as attempt:
        return _settled(attempt, step)


@contextmanager
def _observed(attempt: Attempt, span: Span) -> Iterator[Attempt]:
    """Count an attempt and its time, and trace its steps."""
    metrics, kind = attempt.at.metrics, kind_of(attempt.unit)
    began = time.perf_counter()
    try:
        yield attempt
    finally:
        metrics.attempts.labels(kind, attempt.outcome).inc()
        metrics.unit_seconds.labels(kind).observe(time.perf_counter() - began)
        for name, step in attempt.steps.times.items():
            metrics.step_seconds.labels(kind, name).inc(step.seconds)
            tracing.past(name, step.began, step.ended, pret_seconds=step.seconds)
        span.note(pret_outcome=attempt.outcome)


def _settled(attempt: Attempt, step: Step) -> list[str]:
    """Do the step, and settle what it raises."""
    job, unit, owner, at = attempt.job, attempt.unit, attempt.owner, attempt.at
    try:
        at.limits.check_addresses(job)
        units = step(attempt)
        attempt.outcome = "over" if units is None else "done"
    except (InputError, ModelError) as error:
        _fail(job, error, at)
        attempt.outcome, units = "failed", None
    except JobEnded:
        attempt.outcome, units = "over", None
    except (Interrupted, Oversized) as error:
        is_large = isinstance(error, Oversized)
        attempt.outcome = "handed_back"
        return [unit] if at.store.hand_back(job.id, unit, owner, is_large=is_large) else []
    except RedisUnavailable:
        raise
    except Exception as error:
        if remove_if_void(job, at):
            attempt.outcome = "over"
            return []
        at.store.release(job.id, unit, owner, reason_of(error))
        raise
    if units is None:
        remove_if_void(job, at)
    return units or []


def reason_of(error: Exception) -> Reason:
    """Return the reason of an error; only our own errors have reasons that are safe to show to the job's owner."""
    return error.reason if isinstance(error, PretError) else Reason("worker-failed", {"fault": type(error).__name__})


def count_invalid(report: Report, metrics: Metrics) -> None:
    """Count the invalid values of a report by the types of their reasons, as far as it lists them."""
    found = Counter(value.type for value in report.errors)
    found[UNLISTED] = report.invalid_values - len(report.errors)
    metrics.found_invalid(+found)


def remove_if_void(job: Job, at: Workplace) -> bool:
    """Remove the blobs of a job that was cancelled or removed in the meantime; return whether it was."""
    try:
        now = at.store.get(job.id)
        void = now.state is JobState.CANCELLED or (now.state is JobState.FAILED and not now.retryable)
    except UnknownJob:
        void = True
    if void:
        at.storage.delete_folder(job.folder)
    return void


def remove_rows_if_done(job: Job, at: Workplace) -> None:
    """Remove the encoded rows of a job once it has succeeded; until then, a retry would start from them. The file stays."""
    with suppress(UnknownJob):
        if not job.in_place and at.store.get(job.id).state is JobState.SUCCEEDED:
            at.storage.delete(job.rows_blob)


def _fail(job: Job, error: InputError | ModelError, at: Workplace) -> None:
    """Fail the job. A retry cannot help with invalid input, but may with a model."""
    if isinstance(error, ModelError):
        params = {"version": job.model_version, "reason": error.reason.as_dict()}
        at.store.fail(job.id, Reason("model-cannot-score", params))
    else:
        report = error.report if isinstance(error, InvalidRows) else ALL_VALID
        count_invalid(report, at.metrics)
        at.store.fail(job.id, error.reason, retryable=False, report=report)

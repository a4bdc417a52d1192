"""One attempt at a unit of work of any kind: claim, run, and commit or release. A plain function, independent of Celery.

Each kind of unit is a step: a function that does the work of an `Attempt` and commits it. A step may raise; this module
handles the error for the unit and its job, in the same way for all kinds.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from uuid import uuid4

from shared.errors import ALL_VALID, InputError, InvalidRows, ModelError, PretError, RedisUnavailable, UnknownJob
from shared.jobs.job import Job, JobState
from shared.jobs.store import Claim, JobStore
from shared.models.cache import ModelCache
from shared.reasons import Reason
from shared.settings import Settings
from shared.storage import Storage

RENEW_INTERVAL = 0.5
"""Seconds between the heartbeats of a long unit, which also reveal that its job has ended."""


@dataclass(frozen=True)
class Limits:
    """Limits of one file and its chunks."""

    decoded_bytes: int
    rows: int
    free_bytes: int
    """Free space to leave in the storage."""
    chunk_rows: int | None
    """Rows per chunk; None to derive them from the speed of the model."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "Limits":
        """Take the limits from the settings."""
        return cls(settings.max_file_bytes, settings.max_queued_rows, settings.min_free_bytes, settings.chunk_rows)


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


def attempt(job_id: str, unit: str, step: Step, at: Workplace) -> list[str]:
    """Run the unit if it is still pending, and return the units to publish now.

    Invalid input or a model that cannot serve fails the job. Any other error releases the unit for another attempt and is
    raised; that Redis did not answer, or that the worker was told to end, does not count as an attempt.
    """
    if at.stopping():
        return [unit]
    owner = f"{at.worker}/{uuid4().hex[:8]}"
    try:
        return _run(job_id, unit, owner, step, at) if at.store.claim(job_id, unit, owner) is Claim.TAKEN else []
    except RedisUnavailable:
        # The claim may have been made although it was not answered; if the step has been committed, nothing is handed back.
        with suppress(RedisUnavailable):
            at.store.hand_back(job_id, unit, owner)
        raise


def _run(job_id: str, unit: str, owner: str, step: Step, at: Workplace) -> list[str]:
    try:
        job = at.store.get(job_id)
    except UnknownJob:
        return []
    try:
        units = step(Attempt(job, unit, owner, at))
    except (InputError, ModelError) as error:
        _fail(job, error, at)
        units = None
    except JobEnded:
        units = None
    except (Interrupted, Oversized) as error:
        is_large = isinstance(error, Oversized)
        return [unit] if at.store.hand_back(job_id, unit, owner, is_large=is_large) else []
    except RedisUnavailable:
        raise
    except Exception as error:
        if remove_if_void(job, at):
            return []
        at.store.release(job_id, unit, owner, reason_of(error))
        raise
    if units is None:
        remove_if_void(job, at)
    return units or []


def reason_of(error: Exception) -> Reason:
    """Return the reason of an error; only our own errors have reasons that are safe to show to the job's owner."""
    return error.reason if isinstance(error, PretError) else Reason("worker-failed", {"fault": type(error).__name__})


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
        at.store.fail(job.id, error.reason, retryable=False, report=report)

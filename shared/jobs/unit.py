"""One attempt at a unit of work, whatever its kind: claim, do, and commit or give back. A plain function, whoever calls it.

A kind of unit is a step: a function that does the work of an `Attempt` and commits it. It may raise what goes wrong; here
stands, once for all kinds, what then becomes of the unit and of its job.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import ALL_VALID, InputError, InvalidRows, ModelError, PretError, UnknownJob
from shared.jobs.job import Job, JobState
from shared.jobs.store import Claim, JobStore
from shared.models.cache import ModelCache
from shared.reasons import Reason
from shared.settings import Settings
from shared.storage import Storage

RENEW_INTERVAL = 0.5
"""Seconds between two signs of life of a long unit, at which it also learns that its job has ended."""


@dataclass(frozen=True)
class Limits:
    """How much one file may become."""

    decoded_bytes: int
    rows: int
    free_bytes: int
    """What must stay free in the storage."""
    chunk_rows: int | None
    """Rows in a chunk, where they are not to follow the speed of the model."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "Limits":
        """Read them."""
        return cls(settings.max_file_bytes, settings.max_queued_rows, settings.min_free_bytes, settings.chunk_rows)


@dataclass(frozen=True)
class Workplace:
    """What a unit of work needs. `window` tells how many units of one job may be under way."""

    store: JobStore
    storage: Storage
    models: ModelCache
    window: Callable[[], int]
    limits: Limits


class JobEnded(Exception):
    """The job was cancelled or removed, or its work done by another, while this worker was at it."""


class Attempt:
    """A claimed unit of a job, and the place to do it."""

    def __init__(self, job: Job, unit: str, at: Workplace) -> None:
        self.job = job
        self.unit = unit
        self.at = at
        self._renewed_at = 0.0

    def renew(self, rows_read: int | None = None) -> bool:
        """Give a sign of life and tell so, if it is time for one; raises JobEnded once nobody wants the work any more."""
        if time.monotonic() - self._renewed_at <= RENEW_INTERVAL:
            return False
        if not self.at.store.renew(self.job.id, self.unit, rows_read):
            raise JobEnded
        self._renewed_at = time.monotonic()
        return True


Step = Callable[[Attempt], list[str] | None]
"""Does the work and commits it; gives the units to publish now, or None if it was done by another before."""


def attempt(job_id: str, unit: str, step: Step, at: Workplace) -> list[str]:
    """Do the unit if it still waits, and give the units to publish now.

    Input that cannot be scored, or a model that cannot serve, fails the job. Anything else that goes wrong is raised, with the
    unit given back for another attempt.
    """
    if at.store.claim(job_id, unit) is not Claim.TAKEN:
        return []
    try:
        job = at.store.get(job_id)
    except UnknownJob:
        return []
    try:
        units = step(Attempt(job, unit, at))
    except (InputError, ModelError) as error:
        _fail(job, error, at)
        units = None
    except JobEnded:
        units = None
    except Exception as error:
        if remove_if_void(job, at):
            return []
        at.store.release(job_id, unit, reason_of(error))
        raise
    if units is None:
        remove_if_void(job, at)
    return units or []


def reason_of(error: Exception) -> Reason:
    """Say what went wrong; only our own errors have reasons that are fit for the job's owner."""
    return error.reason if isinstance(error, PretError) else Reason("worker-failed", {"fault": type(error).__name__})


def remove_if_void(job: Job, at: Workplace) -> bool:
    """Remove what was written for a job that had been cancelled or removed meanwhile, and tell whether it had."""
    try:
        now = at.store.get(job.id)
        void = now.state is JobState.CANCELLED or (now.state is JobState.FAILED and not now.retryable)
    except UnknownJob:
        void = True
    if void:
        at.storage.delete_folder(job.folder)
    return void


def _fail(job: Job, error: InputError | ModelError, at: Workplace) -> None:
    """End the job. Input does not get better by another attempt; a model may."""
    if isinstance(error, ModelError):
        params = {"version": job.model_version, "reason": error.reason.as_dict()}
        at.store.fail(job.id, Reason("model-cannot-score", params))
    else:
        report = error.report if isinstance(error, InvalidRows) else ALL_VALID
        at.store.fail(job.id, error.reason, retryable=False, report=report)

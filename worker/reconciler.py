"""Looks for work that was lost and for jobs that have expired, in the worker's main process, every few seconds."""

import logging
import time
from typing import Any, ClassVar

from celery import bootsteps

from shared.errors import RedisUnavailable
from shared.jobs.job import JOBS_FOLDER, folder_of
from shared.models.fleet import LOOK_INTERVAL
from shared.settings import Settings
from worker.parts import Parts, create_parts

logger = logging.getLogger(__name__)

MODEL_AGE = 3600.0
"""Seconds for which a model version is kept on disk in any case."""

ORPHAN_AGE = 3600.0
"""Seconds after which a folder without a job record is taken for one whose submission died half way."""


class ReconcilerStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs `reconcile` on the consumer's timer: it pauses while the broker is away and starts anew when it is back."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    settings: ClassVar[Settings]

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self._timers: list[Any] = []
        self._parts: Parts | None = None
        super().__init__(consumer, **kwargs)

    def start(self, consumer: Any) -> None:
        """Begin, with a first pass at once."""
        # Made once: a lost connection to the broker starts this step anew, and a preparation under way goes on.
        self._parts = parts = self._parts or create_parts(self.settings, consumer.app, patient=False)
        every = consumer.timer.call_repeatedly
        self._timers = [
            every(LOOK_INTERVAL, parts.member.look),
            every(self.settings.reconcile_interval, reconcile, (parts,)),
        ]
        parts.member.look()
        reconcile(parts)

    def stop(self, consumer: Any) -> None:
        """End."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    def shutdown(self, consumer: Any) -> None:
        """End for good."""
        self.stop(consumer)
        if self._parts is not None:
            self._parts.member.retire()


def reconcile(parts: Parts) -> None:
    """Publish what was lost, remove what has expired and what nobody needs. Several workers may do so at the same time."""
    try:
        republish_lost_chunks(parts)
        remove_expired_jobs(parts)
        discard_old_models(parts)
    except RedisUnavailable:
        logger.warning("Redis is away; lost work is looked for when it is back")
    except Exception:
        # A fault here must not end the consumer, which would stop scoring too.
        logger.exception("The search for lost work failed")


def republish_lost_chunks(parts: Parts) -> None:
    """Publish the chunks that are overdue and do not wait in the queue."""
    overdue = {job_id: chunks for job_id in parts.store.open_jobs() if (chunks := parts.store.overdue_chunks(job_id))}
    if not overdue:
        return
    waiting = parts.queue.waiting()
    for job_id, chunks in overdue.items():
        lost = [chunk for chunk in chunks if (job_id, chunk) not in waiting]
        if lost:
            logger.warning("Publishing %d chunk(s) of job %s again", len(lost), job_id)
        parts.queue.publish((job_id, chunk) for chunk in lost)
        parts.store.postpone(job_id, chunks)


def remove_expired_jobs(parts: Parts) -> None:
    """Remove blobs, then records, of jobs past their time to live, and folders that belong to no job."""
    for job_id in parts.store.expired_jobs():
        parts.storage.delete_folder(folder_of(job_id))
        parts.store.forget(job_id)
    for job_id in parts.storage.folders_older_than(JOBS_FOLDER, ORPHAN_AGE):
        if not parts.store.exists(job_id):
            parts.storage.delete_folder(folder_of(job_id))


def discard_old_models(parts: Parts) -> None:
    """Remove this machine's copies of versions that are neither active, previous, candidate, nor needed by an open job."""
    active, candidate = parts.fleet.look()
    keep = parts.store.versions_in_use()
    keep |= {active.version, active.previous or ""} if active else set()
    keep |= {candidate.version} if candidate else set()
    parts.library.discard(keep, older_than=time.time() - MODEL_AGE)

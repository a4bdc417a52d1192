"""Looks for work that was lost and for jobs that have expired, in the worker's main process, every few seconds."""

import logging
import time
from typing import Any, ClassVar

from celery import bootsteps

from shared.errors import RedisUnavailable
from shared.jobs.job import JOBS_FOLDER, folder_of
from shared.settings import Settings
from worker.parts import Parts, create_parts

logger = logging.getLogger(__name__)

STARTED_AT = time.time()

ORPHAN_AGE = 3600.0
"""Seconds after which a folder without a job record is taken for one whose submission died half way."""


class ReconcilerStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Runs `reconcile` on the consumer's timer: it pauses while the broker is away and starts anew when it is back."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    settings: ClassVar[Settings]

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        super().__init__(consumer, **kwargs)

    def start(self, consumer: Any) -> None:
        """Begin, with a first pass at once."""
        parts = create_parts(self.settings, consumer.app, patient=False)
        self._timer = consumer.timer.call_repeatedly(self.settings.reconcile_interval, reconcile, (parts,))
        reconcile(parts)

    def stop(self, consumer: Any) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    shutdown = stop


def reconcile(parts: Parts) -> None:
    """Report this worker, publish what was lost, remove what has expired. Several workers may do so at the same time."""
    try:
        parts.fleet.report("worker", None, STARTED_AT)
        republish_lost_chunks(parts)
        remove_expired_jobs(parts)
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

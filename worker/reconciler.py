"""Looks for work that was lost and for jobs that have expired, in the worker's main process, every few seconds."""

import logging
import time
from contextlib import suppress
from typing import Any, ClassVar

from celery import bootsteps

from shared.errors import RedisUnavailable, UnknownJob
from shared.jobs.queue import CALLBACK
from shared.models.fleet import LOOK_INTERVAL
from shared.settings import Settings
from worker.parts import Parts, create_parts

logger = logging.getLogger(__name__)

MODEL_AGE = 3600.0
"""Seconds for which a model version is kept on disk in any case."""

REMOVAL_INTERVAL = 60.0
"""Seconds between two looks for folders that belong to no job."""


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
        parts.member.slots = consumer.controller.concurrency
        parts.member.lanes = tuple(queue.name for queue in consumer.task_consumer.queues)
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
    """Publish what was lost and what may follow, and discard old models. Several workers may do so at the same time.

    What touches the storage is left to a task: its client must not be made in this process, which forks.
    """
    try:
        republish_lost_units(parts)
        publish_due_callbacks(parts)
        publish_removal(parts)
        discard_old_models(parts)
    except RedisUnavailable:
        logger.warning("Redis is away; lost work is looked for when it is back")
    except Exception:
        # A fault here must not end the consumer, which would stop scoring too.
        logger.exception("The search for lost work failed")


def republish_lost_units(parts: Parts) -> None:
    """Publish the units that are overdue and do not wait in the queue, and those for which the window has room."""
    overdue: dict[str, list[str]] = {}
    for job_id in parts.store.open_jobs():
        if units := parts.store.overdue(job_id):
            overdue[job_id] = units
        elif units := parts.store.fill(job_id, parts.window()):
            _publish(parts, job_id, units)
    if not overdue:
        return
    waiting = parts.queue.waiting()
    for job_id, units in overdue.items():
        lost = [unit for unit in units if (job_id, unit) not in waiting]
        if lost:
            logger.warning("Publishing %d unit(s) of job %s again", len(lost), job_id)
            _publish(parts, job_id, lost)
        parts.store.postpone(job_id, units)


def _publish(parts: Parts, job_id: str, units: list[str]) -> None:
    with suppress(UnknownJob):
        parts.queue.publish(parts.store.get(job_id), units)


def publish_due_callbacks(parts: Parts) -> None:
    """Have the callers told whose jobs have ended."""
    due = parts.store.due_callbacks()
    waiting = parts.queue.waiting() if due else set()
    for job_id in due:
        if (job_id, CALLBACK) not in waiting:
            parts.queue.publish_callback(job_id)


def publish_removal(parts: Parts) -> None:
    """Have what is expired removed, and now and then what belongs to no job."""
    if parts.store.expired_jobs() or parts.store.is_first_since(REMOVAL_INTERVAL):
        parts.queue.publish_removal()


def discard_old_models(parts: Parts) -> None:
    """Remove this machine's copies of versions that are neither active, previous, candidate, nor needed by an open job."""
    active, candidate = parts.fleet.look()
    keep = parts.store.versions_in_use()
    keep |= {active.version, active.previous or ""} if active else set()
    keep |= {candidate.version} if candidate else set()
    parts.library.discard(keep, older_than=time.time() - MODEL_AGE)

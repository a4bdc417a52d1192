"""Looks for work that was lost and for jobs that have expired. Plain functions; the worker's parent process calls them."""

import logging
import time
from contextlib import suppress

from shared.errors import RedisUnavailable, UnknownJob
from shared.jobs.queue import WEBHOOK
from worker.services import Services

logger = logging.getLogger(__name__)

MODEL_AGE = 3600.0
"""Seconds for which a model version is kept on disk in any case."""

REMOVAL_INTERVAL = 60.0
"""Seconds between two looks for folders that belong to no job."""


def reconcile(services: Services) -> None:
    """Publish what was lost and what may follow, and discard old models. Several workers may do so at the same time.

    What touches the storage is left to a task: its client must not be made in this process, which forks.
    """
    try:
        republish_lost_units(services)
        publish_due_webhooks(services)
        publish_removal(services)
        discard_old_models(services)
    except RedisUnavailable:
        logger.warning("Redis is away; lost work is looked for when it is back")
    except Exception:
        # A fault here must not end the consumer, which would stop scoring too.
        logger.exception("The search for lost work failed")


def republish_lost_units(services: Services) -> None:
    """Publish the units that are overdue and do not wait in the queue, and those for which the window has room."""
    overdue: dict[str, list[str]] = {}
    for job_id in services.store.open_jobs():
        if units := services.store.overdue(job_id):
            overdue[job_id] = units
        elif units := services.store.fill(job_id, services.window()):
            _publish(services, job_id, units)
    if not overdue:
        return
    waiting = services.queue.waiting()
    for job_id, units in overdue.items():
        lost = [unit for unit in units if (job_id, unit) not in waiting]
        if lost:
            logger.warning("Publishing %d unit(s) of job %s again", len(lost), job_id)
            _publish(services, job_id, lost)
        services.store.postpone(job_id, units)


def _publish(services: Services, job_id: str, units: list[str]) -> None:
    with suppress(UnknownJob):
        services.queue.publish(services.store.get(job_id), units)


def publish_due_webhooks(services: Services) -> None:
    """Have the callers told whose jobs have ended."""
    due = services.store.due_webhooks()
    waiting = services.queue.waiting() if due else set()
    for job_id in due:
        if (job_id, WEBHOOK) not in waiting:
            services.queue.publish_webhook(job_id)


def publish_removal(services: Services) -> None:
    """Have what is expired removed, and now and then what belongs to no job."""
    if services.store.expired_jobs() or services.store.is_first_since(REMOVAL_INTERVAL):
        services.queue.publish_removal()


def discard_old_models(services: Services) -> None:
    """Remove this machine's copies of versions that are neither active, previous, candidate, nor needed by an open job."""
    deployed, candidate = services.fleet.look()
    needed = [deployed.active, deployed.previous] if deployed else []
    needed += [candidate.version] if candidate else []
    keep = services.store.versions_in_use() | {version.id for version in needed if version}
    services.models.discard(keep, older_than=time.time() - MODEL_AGE)

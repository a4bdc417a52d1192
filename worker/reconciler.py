"""Finds lost work and expired jobs. Plain functions, called by the worker's parent process."""

import logging
import time
from contextlib import suppress

from shared.errors import RedisUnavailable, UnknownJob
from shared.jobs.queue import WEBHOOK
from shared.logging import about
from worker.services import Services

logger = logging.getLogger(__name__)

MODEL_AGE = 3600.0
"""Seconds for which a model version is always kept on disk."""

REMOVAL_INTERVAL = 60.0
"""Seconds between searches for folders that belong to no job."""


def reconcile(services: Services) -> None:
    """Publish lost and newly allowed units, and discard old models. Several workers may do so at the same time.

    Work on the storage is left to a task: its client must not be created in this process, which forks.
    """
    try:
        republish_lost_units(services)
        publish_due_webhooks(services)
        publish_removal(services)
        discard_old_models(services)
    except RedisUnavailable:
        logger.warning("Redis is unavailable; lost work will be searched for once it is back")
    except Exception:
        # An error here must not stop the consumer, and with it the scoring.
        logger.exception("The search for lost work failed")


def republish_lost_units(services: Services) -> None:
    """Publish the overdue units that are not in the queue, and those for which the window has room."""
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
            with about(job_id):
                logger.warning("Republishing %d unit(s) of job %s", len(lost), job_id)
                services.metrics.republished.inc(len(lost))
                _publish(services, job_id, lost)
        services.store.postpone(job_id, units)


def _publish(services: Services, job_id: str, units: list[str]) -> None:
    with suppress(UnknownJob):
        services.queue.publish(services.store.get(job_id), units)


def publish_due_webhooks(services: Services) -> None:
    """Publish the webhooks that are due."""
    due = services.store.due_webhooks()
    waiting = services.queue.waiting() if due else set()
    for job_id in due:
        if (job_id, WEBHOOK) not in waiting:
            services.queue.publish_webhook(job_id)


def publish_removal(services: Services) -> None:
    """Publish the removal of expired jobs, and periodically of folders that belong to no job."""
    if services.store.expired_jobs(1) or services.store.is_first_since(REMOVAL_INTERVAL):
        services.queue.publish_removal()


def discard_old_models(services: Services) -> None:
    """Remove this machine's copies of versions that are neither active, previous, candidate, nor needed by an open job."""
    deployed, candidate = services.fleet.look()
    needed = [deployed.active, deployed.previous] if deployed else []
    needed += [candidate.version] if candidate else []
    keep = services.store.versions_in_use() | {version.id for version in needed if version}
    services.models.copies.discard(keep, older_than=time.time() - MODEL_AGE)

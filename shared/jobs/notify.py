"""The webhook of a job that has ended. A plain function, independent of Celery."""

import json
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from shared.errors import MalformedInput, UnknownJob
from shared.jobs.job import Job
from shared.jobs.store import JobStore
from shared.webhooks.delivery import Delivery, Outcome, deliver, next_attempt
from shared.webhooks.target import check_webhook_url

logger = logging.getLogger(__name__)

ATTEMPT_SECONDS = 60.0
"""Seconds after which an attempt counts as lost with its worker; longer than a DNS lookup and a request can take."""

TOLD = ("id", "state", "model_version", "rows", "rows_done", "granted", "refused", "invalid")
"""Fields of the job as they are."""


def tell_caller(job_id: str, allowed_hosts: Sequence[str], secret: str | None, store: JobStore) -> None:
    """Send the signed webhook if it is due, and record whether it must be sent again."""
    attempts = store.begin_webhook(job_id, ATTEMPT_SECONDS)
    if attempts is None:
        return
    try:
        delivery = _sent(store.get(job_id), allowed_hosts, secret)
    except UnknownJob:
        store.end_webhook(job_id, None)
        return
    again_in = next_attempt(attempts + 1) if delivery.outcome is Outcome.RETRY else None
    if delivery.reason is not None:
        then = f"again in {again_in:.0f} s" if again_in else "given up"
        logger.warning("The webhook of job %s was not delivered: %s (%s)", job_id, delivery.reason.message, then)
    store.end_webhook(job_id, again_in)


def _sent(job: Job, allowed_hosts: Sequence[str], secret: str | None) -> Delivery:
    try:
        # Check again: the list may have changed since the submission.
        check_webhook_url(job.callback_url or "", allowed_hosts)
    except MalformedInput as error:
        return Delivery(Outcome.REJECTED, error.reason)
    return deliver(job.callback_url or "", message_of(job), secret, time.time(), job_id=job.id)


def message_of(job: Job) -> bytes:
    """Build the body of the webhook."""
    finished = datetime.fromtimestamp(job.finished_at, UTC).isoformat() if job.finished_at else None
    error = job.error.as_dict() if job.error else None
    own = {"unseen_categories": dict(job.unseen_categories), "error": error, "finished_at": finished}
    return json.dumps({name: getattr(job, name) for name in TOLD} | own).encode()

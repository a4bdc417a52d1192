"""The tasks: each takes ids and calls a plain function of `shared`."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals

from shared.errors import PretError, RedisUnavailable, UnknownJob
from shared.jobs import expiry, notify, queue, read, row, score, unit, write
from shared.reasons import Reason
from worker.services import WORKER, Services

UNIT_TASKS = (queue.READ_FILE, queue.SCORE_CHUNK, queue.WRITE_OUTPUT)
"""Tasks for a job and one of its units; the attempt is recorded, so the unit can be released."""

FILE_TIME_LIMIT = 24 * 3600.0
"""Seconds allowed for a task whose duration depends on the size of files; units send heartbeats to the job record meanwhile."""


def register(celery: Celery, services: Callable[[], Services], of_parent: Callable[[], Services]) -> None:
    """Add the tasks to the app; `services` returns those of the child that runs a task, `of_parent` those of its parent."""

    def attempt(job_id: str, name: str, step: unit.Step) -> None:
        units = unit.attempt(job_id, name, step, services().workplace)
        if units:
            _publish(job_id, units, services())

    # What it throws is logged in a line, without a traceback: these errors are states that are expected.
    task = partial(celery.task, shared=False, throws=(PretError,))

    @task(name=queue.SCORE_CHUNK)  # type: ignore[untyped-decorator]
    def score_chunk(job_id: str, chunk: str) -> None:
        """Score one chunk of a job."""
        attempt(job_id, chunk, score.score_chunk)

    @task(name=queue.READ_FILE, time_limit=FILE_TIME_LIMIT)  # type: ignore[untyped-decorator]
    def read_file(job_id: str, name: str) -> None:
        """Split the file of a job into chunks."""
        attempt(job_id, name, read.read_file)

    @task(name=queue.WRITE_OUTPUT, time_limit=FILE_TIME_LIMIT)  # type: ignore[untyped-decorator]
    def write_output(job_id: str, name: str) -> None:
        """Write the results of a job to its output URI."""
        attempt(job_id, name, write.write_output)

    @task(name=queue.READ_ROW)  # type: ignore[untyped-decorator]
    def read_row(job_id: str, request: str) -> None:
        """Read one row of the file of a job."""
        row.answer_row(job_id, request, services().workplace)

    @task(name=queue.SEND_WEBHOOK)  # type: ignore[untyped-decorator]
    def send_webhook(job_id: str) -> None:
        """Send the webhook of a job that has ended."""
        settings = services().settings
        secret = settings.webhook_secret
        hosts = settings.listed(settings.webhook_hosts)
        notify.tell_caller(job_id, hosts, secret.get_secret_value() if secret else None, services().store)

    @task(name=queue.REMOVE_EXPIRED, time_limit=FILE_TIME_LIMIT)  # type: ignore[untyped-decorator]
    def remove_expired() -> None:
        """Remove jobs past their time to live, and folders that belong to no job."""
        expiry.remove_expired(services().store, services().storage)

    _hand_back_what_was_lost(of_parent)


def _hand_back_what_was_lost(of_parent: Callable[[], Services]) -> None:
    @signals.task_failure.connect(weak=False)  # type: ignore[untyped-decorator]
    def hand_back(sender: Any, exception: BaseException, args: tuple[Any, ...], **_: Any) -> None:
        """Republish at once the unit of a child that died or timed out; runs in the parent."""
        if isinstance(exception, WorkerLostError | TimeLimitExceeded) and sender.name in UNIT_TASKS:
            job_id, name = args
            parent = of_parent()
            # Without Redis it is found once its lease is over.
            with suppress(RedisUnavailable):
                parent.store.release(job_id, name, WORKER, Reason("worker-died"))
                _publish(job_id, [name], parent)


def _publish(job_id: str, units: list[str], parts: Services) -> None:
    """Publish units, unless their job is gone; what cannot be published now is not waited for as if it were lost on its way."""
    with suppress(UnknownJob):
        if not parts.queue.publish(parts.store.get(job_id), units):
            parts.store.hasten(job_id, units)

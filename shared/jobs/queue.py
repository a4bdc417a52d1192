"""The task queue: the Celery app that both sides share, and the messages. The only place in `shared` that knows Celery.

A message is a hint that a unit of work is ready; the job record is the source of truth. So a message may be lost or delivered
twice. A worker that serves several queues takes short tasks first, so that they do not wait for the chunks of large jobs
(`turns.py`); these do not wait for large files to be read as long as other workers do that.
"""

import json
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any
from uuid import uuid4

import redis
from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from shared.jobs.job import READING, WRITING, Job
from shared.jobs.turns import Turns
from shared.redis import ANSWER_TIMEOUT, CONNECT_TIMEOUT, KEY_PREFIX, translated_errors
from shared.settings import Settings

logger = logging.getLogger(__name__)

QUEUE_PREFIX = f"{KEY_PREFIX}queue:"

QUICK = "quick"
"""Queue of short tasks: jobs of one chunk, small files, webhooks, cleanup."""

CHUNKS = "chunks"
"""Queue of the chunks of larger jobs."""

FILES = "files"
"""Queue of tasks whose duration depends on the file size: reading the file, writing the output."""

QUEUES = (QUICK, CHUNKS, FILES)
"""In the order in which a worker prefers them."""

READ_FILE = "read_file"
SCORE_CHUNK = "score_chunk"
WRITE_OUTPUT = "write_output"
READ_ROW = "read_row"
SEND_WEBHOOK = "send_webhook"
REMOVE_EXPIRED = "remove_expired"

WEBHOOK = "callback"
"""Takes the place of the chunk number in the name of a webhook task."""

Unit = tuple[str, str]
"""A job id and one of its units of work."""

TRANSPORT = {
    "global_keyprefix": QUEUE_PREFIX,
    "queue_order_strategy": partial(Turns, QUEUES),
    "socket_connect_timeout": CONNECT_TIMEOUT,
    "socket_timeout": ANSWER_TIMEOUT,
    "socket_keepalive": True,
    # A worker that waits for a message and gets no answer at all connects anew after some 3 s.
    "health_check_interval": 2,
    # Without these, a publisher retries the connection forever.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}


def create_app(settings: Settings) -> Celery:
    """Create the Celery app: three queues, late acknowledgement, no result backend."""
    app = Celery("pret", broker=settings.redis_url, backend=None, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_queues=[Queue(queue) for queue in QUEUES],  # type: ignore[no-untyped-call]
        task_default_queue=QUICK,
        task_create_missing_queues=False,
        task_acks_late=True,
        # A chunk that kills its worker would be redelivered forever; attempts are counted in the job record instead.
        task_reject_on_worker_lost=False,
        task_time_limit=settings.chunk_lease,
        task_publish_retry=False,
        task_send_sent_event=True,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        # One more than the number of cores: while one waits for Redis to write to disk, the others compute.
        worker_concurrency=(os.cpu_count() or 1) + 1,
        worker_soft_shutdown_timeout=settings.chunk_lease,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_transport_options=TRANSPORT,
        # Only the service's own log lines; the broker URL may contain a password.
        worker_redirect_stdouts=False,
    )
    return app


@dataclass(frozen=True)
class _Message:
    """One message; `name` is the prefix of the task id, `shown` is how Flower displays the arguments."""

    task: str
    arguments: tuple[str, ...]
    name: str
    queue: str
    shown: str


class TaskQueue:
    """Publishes units of work and inspects the queues."""

    def __init__(self, app: Celery, client: "redis.Redis") -> None:
        self._app = app
        self._redis = client
        self._producer: Any = None
        # A connection must be used by one thread at a time.
        self._lock = Lock()

    def publish(self, job: Job, units: Sequence[str]) -> bool:
        """Send one message per unit. Failures are logged, not raised: the reconciler resends lost messages. False if there are."""
        return self._send([_message(job, unit) for unit in units])

    def publish_webhook(self, job_id: str) -> None:
        """Publish the webhook task of an ended job."""
        self._send([_Message(SEND_WEBHOOK, (job_id,), f"{job_id}.{WEBHOOK}", QUICK, _shown(job_id))])

    def publish_row(self, job_id: str, request: str) -> None:
        """Publish the task that answers a request, of this name, for one row of a job."""
        self._send([_Message(READ_ROW, (job_id, request), f"{job_id}.{request}", QUICK, _shown(job_id, request))])

    def publish_removal(self) -> None:
        """Publish the task that removes expired jobs."""
        self._send([_Message(REMOVE_EXPIRED, (), "expired.jobs", QUICK, "()")])

    def _send(self, messages: Sequence[_Message]) -> bool:
        waiting = list(messages)
        # The connection may be stale, for instance after a restart of Redis: retry with a new one.
        for connection_is_new in (self._producer is None, True):
            try:
                with self._lock:
                    while waiting:
                        self._send_one(waiting[0])
                        waiting.pop(0)
                return True
            except (OperationalError, redis.RedisError, OSError) as error:
                self._disconnect()
                failure = error
            if connection_is_new:
                break
        names = ", ".join(message.name for message in waiting[:3])
        logger.warning("%d task(s) could not be published yet (%s): %s", len(waiting), names, type(failure).__name__)
        return False

    def _send_one(self, message: _Message) -> None:
        if self._producer is None:
            # Not from the app's pool: once closed, the pool stays closed.
            self._producer = self._app.amqp.Producer(self._app.connection_for_write())
        self._app.send_task(
            message.task,
            message.arguments,
            task_id=f"{message.name}.{uuid4().hex[:8]}",
            queue=message.queue,
            argsrepr=message.shown,
            producer=self._producer,
        )

    def _disconnect(self) -> None:
        with self._lock:
            producer, self._producer = self._producer, None
            if producer is not None:
                with suppress(OperationalError, redis.RedisError, OSError):
                    producer.connection.close()

    def waiting(self) -> set[Unit]:
        """Return the units that are still in the queues; raises RedisUnavailable."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for queue in QUEUES:
                pipe.lrange(f"{QUEUE_PREFIX}{queue}", 0, -1)
            queues: list[list[str]] = pipe.execute()
        return {unit for messages in queues for message in messages if (unit := _unit(message))}

    def lengths(self) -> dict[str, int]:
        """Count the waiting tasks by queue; raises RedisUnavailable."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for queue in QUEUES:
                pipe.llen(f"{QUEUE_PREFIX}{queue}")
            return dict(zip(QUEUES, pipe.execute(), strict=True))


def _message(job: Job, unit: str) -> _Message:
    # Reading and writing are one unit each, named by the task.
    which = f"{int(unit) + 1}/{job.chunks}" if unit.isdigit() else ""
    return _Message(_task_of(unit), (job.id, unit), f"{job.id}.{unit}", _queue_of(job, unit), _shown(job.id, which))


def _shown(job_id: str, which: str = "") -> str:
    """Shorten the arguments to fit into a column; the task id contains the full job id."""
    return f"({job_id[:8]}, {which})" if which else f"({job_id[:8]})"


def _task_of(unit: str) -> str:
    return {READING: READ_FILE, WRITING: WRITE_OUTPUT}.get(unit, SCORE_CHUNK)


def _queue_of(job: Job, unit: str) -> str:
    if unit == READING:
        return QUICK if job.is_small else FILES
    if unit == WRITING:
        return FILES
    return QUICK if job.chunks == 1 else CHUNKS


def _unit(message: str) -> Unit | None:
    """Return the unit of a message; None if it is not one of ours."""
    try:
        job_id, unit, _ = json.loads(message)["headers"]["id"].split(".")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return job_id, unit

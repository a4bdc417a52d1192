"""The task queue: the Celery app that both sides share, and the messages. The only place in `shared` that knows Celery.

A message is a hint that a chunk waits; the job record is the truth. So a message may be lost or come twice.
"""

import json
import logging
from collections.abc import Iterable
from uuid import uuid4

import redis
from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from shared.redis import ANSWER_TIMEOUT, CONNECT_TIMEOUT, KEY_PREFIX, translated_errors
from shared.settings import Settings

logger = logging.getLogger(__name__)

SCORE_CHUNK = "score_chunk"
CHUNK_QUEUE = "chunks"
QUEUE_PREFIX = f"{KEY_PREFIX}queue:"

Chunk = tuple[str, int]
"""A job id and the number of one of its chunks."""

TRANSPORT = {
    "global_keyprefix": QUEUE_PREFIX,
    # Both only hasten what the reconciler does in any case: hand out again what a dead worker had taken.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": CONNECT_TIMEOUT,
    "socket_timeout": ANSWER_TIMEOUT,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # Without these a publisher tries to connect for ever.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}


def create_app(settings: Settings) -> Celery:
    """Make the Celery app: one queue, late acknowledgement, no result backend."""
    app = Celery("pret", broker=settings.redis_url, backend=None, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_queues=[Queue(CHUNK_QUEUE)],  # type: ignore[no-untyped-call]
        task_default_queue=CHUNK_QUEUE,
        task_create_missing_queues=False,
        task_acks_late=True,
        # A chunk that kills its worker would come back for ever; attempts are counted in the job record instead.
        task_reject_on_worker_lost=False,
        task_time_limit=settings.chunk_lease,
        task_publish_retry=False,
        task_send_sent_event=True,
        worker_send_task_events=True,
        worker_prefetch_multiplier=1,
        worker_soft_shutdown_timeout=settings.chunk_lease,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,
        broker_transport_options=TRANSPORT | {"visibility_timeout": settings.chunk_lease * 2},
        # Only the service's own log lines; the broker's address may hold a password.
        worker_redirect_stdouts=False,
    )
    return app


class ChunkQueue:
    """Publishes chunks and looks at what waits."""

    def __init__(self, app: Celery, client: "redis.Redis") -> None:
        self._app = app
        self._redis = client

    def publish(self, chunks: Iterable[Chunk]) -> None:
        """Send one message a chunk. A failure is logged, not raised: the reconciler sends again what did not arrive."""
        waiting = list(chunks)
        if not waiting:
            return
        try:
            # A connection of its own: a pooled one may be stale since a restart of Redis, and a pool once closed stays so.
            with self._app.connection_for_write() as connection, self._app.amqp.Producer(connection) as producer:
                while waiting:
                    job_id, number = waiting[0]
                    self._app.send_task(
                        SCORE_CHUNK,
                        args=(job_id, number),
                        task_id=f"{job_id}.{number}.{uuid4().hex[:8]}",
                        producer=producer,
                    )
                    waiting.pop(0)
        except (OperationalError, redis.RedisError, OSError) as error:
            logger.warning(
                "%d chunk(s) of job %s could not be published yet: %s",
                len(waiting),
                waiting[0][0],
                type(error).__name__,
            )

    def waiting(self) -> set[Chunk]:
        """Read which chunks still wait in the queue; raises RedisUnavailable."""
        with translated_errors():
            messages: list[str] = self._redis.lrange(f"{QUEUE_PREFIX}{CHUNK_QUEUE}", 0, -1)  # type: ignore[assignment]
        return {chunk for message in messages if (chunk := _chunk(message))}

    def length(self) -> int:
        """Count the chunks that wait; raises RedisUnavailable."""
        with translated_errors():
            return int(self._redis.llen(f"{QUEUE_PREFIX}{CHUNK_QUEUE}"))


def _chunk(message: str) -> Chunk | None:
    """Read which chunk the message is for; None if it is not one of ours."""
    try:
        job_id, number, _ = json.loads(message)["headers"]["id"].split(".")
        return job_id, int(number)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

"""Celery's consumer, so that it outlives what happens to Redis and to its children."""

import logging
import time
import warnings
from typing import Any

from celery.exceptions import CPendingDeprecationWarning
from celery.worker import consumer
from celery.worker.state import maybe_shutdown

from worker.transport import put_back

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
"""Pause between two attempts to connect; Celery's own grows to 30 s, in which a Redis that is back would go unused."""


class _Pause:
    """In place of Celery's count of restarts, which logs an emergency when Redis is full: a pause before each."""

    def step(self) -> None:
        time.sleep(RETRY_SECONDS)


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Connects anew for as long as it takes, and knows of no other workers: each finds its work in Redis."""

    restart_count = 0
    """As after a first start: at that one Celery gives up if a child has died already, although the pool replaces it."""

    def __init__(self, *args: Any, worker_options: dict[str, Any] | None = None, **kwargs: Any) -> None:
        alone = {"without_gossip": True, "without_mingle": True}
        super().__init__(*args, worker_options=(worker_options or {}) | alone, **kwargs)
        self._restart_state = _Pause()
        # Of what Celery 6 will do whenever a connection is lost. Celery asks for these warnings when it sets up its logs.
        warnings.simplefilter("ignore", CPendingDeprecationWarning)

    def connect(self) -> Any:
        """Connect, and put back what was under way when the last connection was lost."""
        connection = super().connect()
        put_back(connection.default_channel)
        return connection

    def ensure_connected(self, conn: Any) -> Any:
        """Return the connection once it is established."""
        absent = False

        def note(_: Exception, __: float) -> None:
            nonlocal absent
            if not absent:
                logger.warning("Redis is unavailable; it is tried again every %s s", RETRY_SECONDS)
            absent = True

        conn.ensure_connection(
            note,
            interval_start=RETRY_SECONDS,
            interval_step=0,
            interval_max=RETRY_SECONDS,
            callback=maybe_shutdown,
        )
        self.first_connection_attempt = False
        return conn

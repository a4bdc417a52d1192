"""The logs of a worker: the service's format, and no traceback of what Celery and kombu meet in the normal course of things."""

import logging

import redis
from billiard.exceptions import TimeLimitExceeded, WorkerLostError

from shared import logging as service_logging
from shared.redis import REJECTION_ERRORS

EXPECTED = (WorkerLostError, TimeLimitExceeded, redis.ConnectionError, redis.TimeoutError, *REJECTION_ERRORS)
"""A child that died or took too long, a Redis that is away or cannot write: nothing is wrong with the program."""


def set_up(level: str) -> None:
    """Send the logs of this process to standard error, from `level` up."""
    service_logging.set_up(level)
    for handler in logging.root.handlers:
        handler.addFilter(without_traceback)


def without_traceback(record: logging.LogRecord) -> bool:
    """Drop the traceback of what is expected, and log the rest of the record."""
    if record.exc_info:
        # billiard wraps what its parent process raised.
        fault = getattr(record.exc_info[1], "exc", record.exc_info[1])
        if isinstance(fault, EXPECTED):
            record.exc_info = None
    return True

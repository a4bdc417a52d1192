"""The logs of a worker: the service's format, and no traceback of what Celery and kombu meet in the normal course of things."""

import logging

import redis
from billiard.exceptions import TimeLimitExceeded, WorkerLostError

from shared import logging as service_logging
from shared.jobs.queue import unit_of
from shared.redis import REJECTION_ERRORS

EXPECTED = (WorkerLostError, TimeLimitExceeded, redis.ConnectionError, redis.TimeoutError, *REJECTION_ERRORS)
"""A child that died or took too long, a Redis that is away or cannot write: nothing is wrong with the program."""


def set_up(level: str, form: str = "text") -> None:
    """Send the logs of this process to standard error, from `level` up, as `text` or `json`."""
    service_logging.set_up(level, form)
    for handler in logging.root.handlers:
        # Before the one that writes what a line is about.
        handler.filters.insert(0, name_unit)
        handler.addFilter(without_traceback)


def name_unit(record: logging.LogRecord) -> bool:
    """Have a line of Celery's about a task name the job and the unit that the id of the task tells."""
    data = getattr(record, "data", None)
    record.work = unit_of(str(data.get("id"))) if isinstance(data, dict) else None
    return True


def without_traceback(record: logging.LogRecord) -> bool:
    """Drop the traceback of what is expected, and log the rest of the record."""
    if record.exc_info:
        # billiard wraps what its parent process raised.
        fault = getattr(record.exc_info[1], "exc", record.exc_info[1])
        if isinstance(fault, EXPECTED):
            record.exc_info = None
    return True

"""What is expected of a worker's surroundings is logged in one line; what is not keeps its traceback."""

import logging
import sys

import pytest
import redis
from billiard.einfo import ExceptionInfo
from billiard.exceptions import TimeLimitExceeded, WorkerLostError

from worker.logs import name_unit, without_traceback


def record_of(error: Exception, *, from_child: bool = False) -> logging.LogRecord:
    """What Celery logs for an error, raised here or told by billiard about a child."""
    try:
        raise error
    except Exception:
        exc_info = ExceptionInfo().exc_info if from_child else sys.exc_info()
    return logging.LogRecord("celery", logging.ERROR, "file", 1, "said %r", (error,), exc_info)


@pytest.mark.parametrize("from_child", [False, True])
@pytest.mark.parametrize(
    ("error", "keeps"),
    [
        (WorkerLostError("signal 9"), False),
        (TimeLimitExceeded(15), False),
        (redis.ConnectionError("away"), False),
        (redis.exceptions.OutOfMemoryError("full"), False),
        (ValueError("a fault of the program"), True),
    ],
)
def test_only_what_is_not_expected_keeps_its_traceback(error: Exception, keeps: bool, from_child: bool) -> None:
    record = record_of(error, from_child=from_child)
    assert without_traceback(record)
    assert bool(record.exc_info) is keeps
    assert repr(error) in record.getMessage()


@pytest.mark.parametrize(
    ("data", "work"),
    [
        ({"id": f"{'a' * 32}.7.0123abcd"}, ("a" * 32, "7")),
        ({"id": "expired.jobs.0123abcd"}, ("expired", "jobs")),
        ({"id": "an-id-of-others"}, None),
        ({}, None),
        ("text", None),
        (None, None),
    ],
)
def test_a_line_of_celery_names_the_unit_that_its_task_is_for(data: object, work: tuple[str, str] | None) -> None:
    record = logging.LogRecord("celery", logging.INFO, "file", 1, "received", (), None)
    record.data = data
    assert name_unit(record)
    assert vars(record)["work"] == work

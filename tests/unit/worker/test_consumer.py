"""The consumer tries to reach Redis for as long as it takes, often, and says so once."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from kombu.utils.functional import retry_over_time

from worker import consumer
from worker.consumer import Consumer


class Connection:
    """Cannot be established the first few times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.tries = 0

    def connect(self) -> None:
        self.tries += 1
        if self.tries <= self.failures:
            raise ConnectionError("redis://:secret@host")

    def ensure_connection(self, errback: Any, **options: Any) -> None:
        # As kombu does it.
        retry_over_time(  # type: ignore[no-untyped-call]
            self.connect,
            ConnectionError,
            errback=lambda error, pauses, _: errback(error, pauses) or next(pauses),
            **options,
        )


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that are waited, instead of waiting."""
    waited: list[float] = []
    monkeypatch.setattr("kombu.utils.functional.sleep", waited.append)
    return waited


def test_redis_is_tried_often_and_its_absence_told_once(pauses: list[float], caplog: pytest.LogCaptureFixture) -> None:
    connection = Connection(failures=100)
    with caplog.at_level(logging.INFO):
        assert Consumer.ensure_connected(SimpleNamespace(), connection) is connection  # type: ignore[arg-type]
    assert connection.tries == 101
    assert set(pauses) == {consumer.RETRY_SECONDS}
    [record] = caplog.records
    assert "secret" not in record.getMessage()


def test_each_absence_is_told(pauses: list[float], caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        Consumer.ensure_connected(SimpleNamespace(), Connection(failures=3))  # type: ignore[arg-type]
    assert len(caplog.records) == 2

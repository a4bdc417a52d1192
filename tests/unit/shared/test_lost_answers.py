"""Every call whose answer is lost, over a Redis in memory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import fakeredis
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.answer_contract import AnswerContract

LOST, LATE = "answer lost", "carried out late"


class WireInMemory:
    """A client whose connections lose the answer to the n-th command, or hold the command back until all others are through."""

    disturbances = (LOST, LATE)

    def __init__(self, server: fakeredis.FakeServer) -> None:
        self.count = 0
        self.planned: tuple[str, int] | None = None
        self.held: Any = None
        wire = self

        class Connection(fakeredis.FakeRedisConnection):
            is_answer_lost = False

            def send_packed_command(self, command: Iterable[bytes], check_health: bool = True) -> None:
                wire.count += 1
                disturbance = wire.take()
                if disturbance == LATE:
                    wire.held = command
                    raise redis.TimeoutError
                super().send_packed_command(command, check_health)
                self.is_answer_lost = disturbance == LOST

            def read_response(self, **options: Any) -> Any:
                if self.is_answer_lost:
                    self.is_answer_lost = False
                    self.disconnect()
                    raise redis.ConnectionError
                return super().read_response(**options)

        options: dict[str, Any] = {"server": server, "decode_responses": True}
        self.direct = fakeredis.FakeRedis(**options)
        self.client = fakeredis.FakeRedis(**options, connection_class=Connection)
        self.client.set_retry(Retry(NoBackoff(), 1))

    def sent(self) -> int:
        return self.count

    def take(self) -> str | None:
        """Tell what befalls this command."""
        if self.planned is None or self.planned[1] != self.count:
            return None
        disturbance, self.planned = self.planned[0], None
        return disturbance

    @contextmanager
    def disturbed(self, disturbance: str, nth: int) -> Iterator[None]:
        self.planned = disturbance, self.count + nth
        yield
        assert self.planned is None
        if disturbance == LATE:
            connection = self.direct.connection_pool.get_connection()
            connection.send_packed_command(self.held)
            connection.disconnect()


@pytest.fixture
def wire(redis_server: fakeredis.FakeServer) -> WireInMemory:
    return WireInMemory(redis_server)


class TestAnswers(AnswerContract):
    """All that is promised when an answer is lost."""

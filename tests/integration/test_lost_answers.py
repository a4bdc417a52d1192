"""Every call whose answer is lost, over a real server behind a proxy that loses it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.bench.redis_proxy import Command, Disturbance, RedisProxy, redis_proxy
from tests.answer_contract import AnswerContract
from tests.processes import RedisServer, redis_server

PATIENCE = 0.1
"""Seconds until the client asks again."""

OF_A_CONNECTION = {"HELLO", "CLIENT", "PING", "SELECT", "AUTH"}


def is_sent_by_the_service(command: Command) -> bool:
    return command.name not in OF_A_CONNECTION


class WireToAServer:
    """A client of a proxy."""

    disturbances = (Disturbance.CUT_AFTER, Disturbance.LATE_COMMAND)

    def __init__(self, proxy: RedisProxy, direct: "redis.Redis", client: "redis.Redis") -> None:
        self.direct = direct
        self.client = client
        self._proxy = proxy

    def sent(self) -> int:
        counts = self._proxy.counts
        return sum(counts.values()) - sum(counts[name] for name in OF_A_CONNECTION)

    @contextmanager
    def disturbed(self, disturbance: str, nth: int) -> Iterator[None]:
        plan = self._proxy.disturb(is_sent_by_the_service, Disturbance(disturbance), nth=nth, seconds=2 * PATIENCE)
        yield
        assert plan.wait(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def wire(server: RedisServer) -> Iterator[WireToAServer]:
    with (
        redis_proxy(server.port, {}) as proxy,
        redis.Redis.from_url(server.url, decode_responses=True) as direct,
        redis.Redis.from_url(
            proxy.url, decode_responses=True, socket_timeout=PATIENCE, retry=Retry(NoBackoff(), 2)
        ) as client,
    ):
        yield WireToAServer(proxy, direct, client)


class TestAnswers(AnswerContract):
    """All that is promised when an answer is lost."""

"""The job store over a real server: the same tests that run over the in-memory one."""

from collections.abc import Iterator

import pytest
import redis

from tests.processes import RedisServer, redis_server
from tests.store_contract import StoreContract


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def store_client(server: RedisServer) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.flushall()
        yield client


class TestStore(StoreContract):
    pass

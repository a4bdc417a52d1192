"""A Redis in memory, with the server's scripts; each test has its own."""

from pathlib import Path

import fakeredis
import pytest

from tests.factories import Kit
from tests.unit.workbench import Workbench


@pytest.fixture
def redis_server() -> fakeredis.FakeServer:
    """The server; set its `connected` to False and it is away."""
    return fakeredis.FakeServer()


@pytest.fixture
def redis_client(redis_server: fakeredis.FakeServer) -> fakeredis.FakeRedis:
    """A client of the server, made as the service makes its own."""
    return fakeredis.FakeRedis(server=redis_server, decode_responses=True)


@pytest.fixture
def store_client(redis_client: fakeredis.FakeRedis) -> fakeredis.FakeRedis:
    """The client that the tests of `tests.store_contract` work with."""
    return redis_client


@pytest.fixture
def bench(
    numbers: Kit, tmp_path: Path, redis_server: fakeredis.FakeServer, redis_client: fakeredis.FakeRedis
) -> Workbench:
    """The job side of one machine, with the model of `numbers` in its source folder."""
    made = Workbench.set_up(tmp_path, redis_server, redis_client)
    made.offer(numbers)
    return made

"""What several files of tests over real servers use."""

from collections.abc import Iterator

import pytest

from tests.processes import RedisServer, redis_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of its own for each file of tests."""
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running

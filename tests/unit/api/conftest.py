"""The API in this process: cut off from Redis, with a model or without, or over a Redis in memory."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakeredis
import pytest
import redis

from api.main import create_app
from shared.redis import connect
from tests.factories import Kit, put_in_cache
from tests.unit.api.client import ApiClient
from tests.unit.workbench import Workbench, settings_in

UNUSED_REDIS = "redis://127.0.0.1:1/0"
"""Port 1 is reserved and answers nobody."""

MAX_BODY_BYTES = 20_000


@contextmanager
def api_in(folder: Path, client: redis.Redis | None = None, **settings: object) -> Iterator[ApiClient]:
    """Run the app on the files in `folder`, over the Redis of `client` if given; its set-up of the logs is undone."""
    handlers = logging.root.handlers[:]
    level = logging.root.level
    own = settings_in(folder, max_body_bytes=MAX_BODY_BYTES, **settings)
    app = create_app(own, client or connect(own.redis_url))
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    with ApiClient(app, folder) as api:
        yield api


@pytest.fixture(scope="session")
def cut_off(mixed: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """The API with a model, while Redis is away."""
    folder = tmp_path_factory.mktemp("api")
    put_in_cache(mixed.write(folder / "source"), folder / "cache")
    with api_in(folder, redis_url=UNUSED_REDIS) as client:
        yield client


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """The API without a model, while Redis is away."""
    with api_in(tmp_path_factory.mktemp("bare"), redis_url=UNUSED_REDIS) as client:
        yield client


@pytest.fixture
def fresh(bench: Workbench) -> Iterator[ApiClient]:
    """An API of its own for a test that changes its model, over the parts of `bench`."""
    with api_in(bench.folder, bench.client) as client:
        yield client


@pytest.fixture(scope="session")
def api_bench(numbers: Kit, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """The parts that the API of `api` and its worker, which is the test, share."""
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server, decode_responses=True)
    made = Workbench.set_up(tmp_path_factory.mktemp("api"), server, client)
    made.offer(numbers)
    return made


@pytest.fixture(scope="session")
def lasting_api(api_bench: Workbench) -> Iterator[ApiClient]:
    """The API of `api`, which lives through many tests, since it takes long to make."""
    with api_in(api_bench.folder, api_bench.client) as client:
        yield client


@pytest.fixture
def api(lasting_api: ApiClient, api_bench: Workbench) -> Iterator[ApiClient]:
    """The API with the model of `numbers`, Redis and a broker; afterwards all jobs are gone."""
    yield lasting_api
    api_bench.remove_jobs()

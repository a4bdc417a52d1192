"""The job store over a real server: the same tests that run over the in-memory one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from shared.jobs.store import Claim
from shared.reasons import Reason
from tests.factories import make_job
from tests.processes import RedisServer, redis_server
from tests.store_contract import DIED, JOB, OVER, WINDOW, StoreContract, new_attempt, store_over


@pytest.fixture
def store_client(server: RedisServer) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.flushall()
        yield client


class TestStore(StoreContract):
    pass


def test_an_attempt_counts_a_quarter_if_redis_was_restarted_meanwhile(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        store = store_over(client, lease=OVER, attempts=1)
        store.create(make_job(), WINDOW)
        for _ in range(3):
            assert store.claim(JOB, "0", new_attempt()) is Claim.TAKEN
            server.stop()
            server.start()
        assert store.claim(JOB, "0", new_attempt()) is Claim.TAKEN
        assert store.claim(JOB, "1", new_attempt()) is Claim.TAKEN
        assert store.claim(JOB, "1", new_attempt()) is Claim.OVER
        assert store.get(JOB).error == Reason("chunk-given-up", {"unit": 1, "attempts": 1, "reason": DIED.as_dict()})

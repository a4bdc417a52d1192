"""The job store, over a Redis in memory."""

from collections.abc import Callable

import fakeredis
import pytest

from shared.errors import RedisUnavailable
from shared.jobs.store import JobStore
from tests.factories import make_job
from tests.store_contract import JOB, StoreContract, store_over


class TestStore(StoreContract):
    """All that a store promises."""


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.create(make_job("new")),
        lambda store: store.get(JOB),
        lambda store: store.claim(JOB, 0),
        lambda store: store.commit(JOB, 0, granted=1, refused=0),
        lambda store: store.release(JOB, 0, "why"),
        lambda store: store.fail(JOB, "why"),
        lambda store: store.cancel(JOB),
        lambda store: store.open_jobs(),
        lambda store: store.overdue_chunks(JOB),
        lambda store: store.postpone(JOB, [0]),
        lambda store: store.expired_jobs(),
        lambda store: store.forget(JOB),
        lambda store: store.exists(JOB),
    ],
)
def test_without_redis_every_use_says_so(
    redis_server: fakeredis.FakeServer, redis_client: fakeredis.FakeRedis, use: Callable[[JobStore], object]
) -> None:
    store = store_over(redis_client)
    store.create(make_job())
    redis_server.connected = False
    with pytest.raises(RedisUnavailable):
        use(store)

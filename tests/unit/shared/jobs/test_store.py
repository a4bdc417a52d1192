"""The job store, over a Redis in memory."""

from collections.abc import Callable

import fakeredis
import pytest

from shared.errors import RedisUnavailable
from shared.jobs.job import READING, JobState
from shared.jobs.store import JobStore
from tests.factories import make_job
from tests.store_contract import (
    JOB,
    ME,
    NEWER,
    REPORT,
    WHY,
    WINDOW,
    StoreContract,
    make_file_job,
    new_attempt,
    read,
    store_over,
)


class TestStore(StoreContract):
    """All that a store promises."""


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.create(make_job(NEWER), WINDOW),
        lambda store: store.create(make_job(NEWER), WINDOW, "key", "print"),
        lambda store: store.abandon(NEWER),
        lambda store: store.get(JOB),
        lambda store: store.page(None, 0, 10),
        lambda store: store.page(JobState.QUEUED, 0, 10),
        lambda store: store.claim(JOB, "0", new_attempt()),
        lambda store: store.renew(JOB, READING, ME, 1),
        lambda store: store.commit_reading(read(make_file_job()), WINDOW, ME),
        lambda store: store.commit(JOB, "0", WINDOW, granted=1, refused=0),
        lambda store: store.commit_writing(JOB),
        lambda store: store.fill(JOB, WINDOW),
        lambda store: store.release(JOB, "0", ME, WHY),
        lambda store: store.hand_back(JOB, "0", ME),
        lambda store: store.fail(JOB, WHY),
        lambda store: store.cancel(JOB),
        lambda store: store.retry(JOB, WINDOW),
        lambda store: store.report(JOB),
        lambda store: store.note_report(JOB, REPORT),
        lambda store: store.finished_chunks(make_job()),
        lambda store: store.open_jobs(),
        lambda store: store.queued_rows(),
        lambda store: store.versions_in_use(),
        lambda store: store.overdue(JOB),
        lambda store: store.postpone(JOB, ["0"]),
        lambda store: store.due_webhooks(),
        lambda store: store.begin_webhook(JOB, 1),
        lambda store: store.end_webhook(JOB, None),
        lambda store: store.end_webhook(JOB, 1),
        lambda store: store.expired_jobs(),
        lambda store: store.is_first_since(1),
        lambda store: store.forget(JOB),
        lambda store: store.purge(JOB),
        lambda store: store.without_record([JOB]),
    ],
)
def test_without_redis_every_use_says_so(
    redis_server: fakeredis.FakeServer, redis_client: fakeredis.FakeRedis, use: Callable[[JobStore], object]
) -> None:
    store = store_over(redis_client)
    store.create(make_job(), WINDOW)
    redis_server.connected = False
    with pytest.raises(RedisUnavailable):
        use(store)

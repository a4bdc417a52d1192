"""Event streams: one look at Redis for all of them, and none that outlives its job or its process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager

import fakeredis
import pytest

from api import following
from api.closing import Closing
from api.following import Follower, Following
from shared.errors import QueueFull
from shared.jobs.job import Job, JobState
from shared.jobs.store import JobStore
from shared.metrics import Metrics
from tests.factories import make_job

IDS = [f"{number:032x}" for number in range(3)]
DEADLINE = 60.0
STREAMS = 100
"""Of each job."""


class CountingStore(JobStore):
    """A store that counts how often it is looked into."""

    looks = 0

    def get_all(self, job_ids: Sequence[str]) -> dict[str, Job]:
        self.looks += 1
        return super().get_all(job_ids)


@pytest.fixture
def store(redis_client: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch) -> CountingStore:
    monkeypatch.setattr(following, "LOOK_INTERVAL", 0.01)
    made = CountingStore(redis_client, job_ttl=60, lease=60, attempts=3)
    for job_id in IDS:
        made.create(make_job(job_id), 1)
    return made


@asynccontextmanager
async def all_followed(store: JobStore, closing: Closing) -> AsyncIterator[list[Follower]]:
    made = Following(store, closing, len(IDS) * STREAMS, Metrics().streams)
    with ExitStack() as streams:
        jobs = [store.get(job_id) for job_id in IDS for _ in range(STREAMS)]
        followers = [streams.enter_context(made.follow(job)) for job in jobs]
        with pytest.raises(QueueFull, match="300"):
            made.check_room()
        yield followers
    made.check_room()


async def next_of(followers: Sequence[Follower]) -> list[Job | None]:
    return await asyncio.gather(*(follower.next(DEADLINE) for follower in followers))


def test_one_look_is_for_all_streams(store: CountingStore) -> None:
    async def follow() -> None:
        async with all_followed(store, Closing()) as followers:
            store.cancel(IDS[1])
            seen = await next_of(followers[STREAMS : 2 * STREAMS])
            assert {job.state for job in seen if job} == {JobState.CANCELLED}
            assert len(seen) == STREAMS
            assert await followers[0].next(0.01) is None
            assert store.looks < STREAMS

    asyncio.run(follow())


def test_a_stream_ends_with_the_record_of_its_job(store: CountingStore) -> None:
    async def follow() -> None:
        async with all_followed(store, Closing()) as followers:
            store.purge(IDS[0])
            assert await next_of(followers[:STREAMS]) == [None] * STREAMS
            assert [follower.has_ended for follower in followers] == [True] * STREAMS + [False] * 2 * STREAMS

    asyncio.run(follow())


def test_streams_outlive_an_absence_of_redis(store: CountingStore, redis_server: fakeredis.FakeServer) -> None:
    async def follow() -> None:
        async with all_followed(store, Closing()) as followers:
            redis_server.connected = False
            looks = store.looks
            while store.looks < looks + 2:
                await asyncio.sleep(0.01)
            redis_server.connected = True
            store.cancel(IDS[2])
            assert await followers[-1].next(DEADLINE)

    asyncio.run(follow())


def test_all_streams_end_with_the_process(store: CountingStore) -> None:
    class Ending(Closing):
        is_asked = False

        def __bool__(self) -> bool:
            return self.is_asked

    async def follow() -> None:
        closing = Ending()
        async with all_followed(store, closing) as followers:
            closing.is_asked = True
            await next_of(followers)
            assert all(follower.has_ended for follower in followers)

    asyncio.run(follow())

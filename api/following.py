"""The jobs that the event streams of this process follow: one look at Redis for all of them, however many there are."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from anyio import to_thread
from prometheus_client import Gauge

from api.closing import Closing
from shared.errors import QueueFull, RedisUnavailable
from shared.jobs.job import Job
from shared.jobs.store import JobStore

LOOK_INTERVAL = 0.3


class Follower:
    """One stream of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.has_ended = False
        """Whether there is nothing more to follow: the job was removed, or the process is to end."""
        self._news = asyncio.Event()

    async def next(self, seconds: float) -> Job | None:
        """Wait until the job has changed, at most this long, and return it. None if it has not, or if the stream has ended."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return None
        self._news.clear()
        return None if self.has_ended else self._job

    def show(self, job: Job) -> None:
        """Tell the stream what the job is like now."""
        if job != self._job:
            self._job = job
            self._news.set()

    def end(self) -> None:
        """Tell the stream that it is over."""
        self.has_ended = True
        self._news.set()


class Following:
    """All event streams of one process, at most `limit` of them."""

    def __init__(self, store: JobStore, closing: Closing, limit: int, streams: Gauge) -> None:
        """Take the metric of the streams that are open, too."""
        self._store = store
        self._closing = closing
        self._limit = limit
        self._streams = streams
        self._count = 0
        self._followers: dict[str, set[Follower]] = defaultdict(set)
        self._looking: asyncio.Task[None] | None = None

    def check_room(self) -> None:
        """Raise QueueFull if there are as many streams as this process serves."""
        if self._count >= self._limit:
            raise QueueFull("streams-full", limit=self._limit)

    @contextmanager
    def follow(self, job: Job) -> Iterator[Follower]:
        """Follow a job within the block."""
        follower = Follower(job)
        self._count += 1
        self._followers[job.id].add(follower)
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking())
        try:
            with self._streams.track_inprogress():
                yield follower
        finally:
            self._count -= 1
            self._followers[job.id].discard(follower)
            if not self._followers[job.id]:
                del self._followers[job.id]

    async def _keep_looking(self) -> None:
        try:
            while self._followers and not self._closing:
                await asyncio.sleep(LOOK_INTERVAL)
                with suppress(RedisUnavailable):
                    await self._look()
        finally:
            self._looking = None
            for followers in self._followers.values():
                for follower in followers:
                    follower.end()

    async def _look(self) -> None:
        ids = list(self._followers)
        jobs = await to_thread.run_sync(self._store.get_all, ids)
        for job_id in ids:
            for follower in self._followers.get(job_id, ()):
                if job_id in jobs:
                    follower.show(jobs[job_id])
                else:
                    follower.end()

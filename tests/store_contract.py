"""What a job store promises, over whatever Redis the fixture `store_client` connects to: in memory, or a real server.

A test module that defines the fixture and has `class TestStore(StoreContract)` runs them all. No test waits: a lease or
a time to live below zero is over as soon as it begins.
"""

import time
from dataclasses import replace

import pytest
import redis

from shared.errors import UnknownJob
from shared.jobs.job import JobState
from shared.jobs.store import Claim, JobStore
from tests.factories import make_job

JOB, OLDER, NEWER = "1" * 32, "a" * 32, "f" * 32
OVER = -1.0
LONG = 1000.0


def store_over(client: redis.Redis, *, job_ttl: int = 3600, lease: float = LONG, attempts: int = 3) -> JobStore:
    return JobStore(client, job_ttl=job_ttl, lease=lease, attempts=attempts)


class StoreContract:
    """The tests; jobs have five rows in three chunks."""

    @pytest.fixture
    def store(self, store_client: redis.Redis) -> JobStore:
        made = store_over(store_client)
        made.create(make_job())
        return made

    @pytest.fixture
    def hasty(self, store: JobStore, store_client: redis.Redis) -> JobStore:
        """A store of the same jobs, whose leases are over at once."""
        return store_over(store_client, lease=OVER)

    def commit_all(self, store: JobStore) -> None:
        for chunk, rows in enumerate((2, 2, 1)):
            assert store.claim(JOB, chunk) is Claim.TAKEN
            assert store.commit(JOB, chunk, granted=rows, refused=0)

    def test_a_job_is_read_as_it_was_written(self, store: JobStore) -> None:
        job = make_job(NEWER, rows=7, threshold=0.1 + 0.2, model_version="é: 1", created_at=time.time())
        store.create(job)
        assert store.get(NEWER) == job
        assert store.get(JOB) == make_job()

    @pytest.mark.parametrize("job_id", ["0" * 32, "", f"{JOB}:due", f"{JOB}:leases", f"{JOB}\n", "\x00é"])
    def test_a_job_that_is_not_there_is_unknown(self, store: JobStore, job_id: str) -> None:
        store.claim(JOB, 0)
        with pytest.raises(UnknownJob):
            store.get(job_id)

    def test_the_first_claim_starts_the_job(self, store: JobStore) -> None:
        before = time.time()
        assert store.claim(JOB, 1) is Claim.TAKEN
        job = store.get(JOB)
        assert job.state is JobState.RUNNING
        assert job.started_at == pytest.approx(before, abs=60)
        store.claim(JOB, 0)
        assert store.get(JOB).started_at == job.started_at

    def test_a_chunk_is_held_by_one_worker_until_its_lease_ends(self, store: JobStore, hasty: JobStore) -> None:
        assert hasty.claim(JOB, 0) is Claim.TAKEN
        assert store.claim(JOB, 0) is Claim.TAKEN
        assert store.claim(JOB, 0) is Claim.HELD
        assert store.claim(JOB, 1) is Claim.TAKEN

    def test_every_chunk_counts_and_the_last_one_ends_the_job(self, store: JobStore) -> None:
        store.claim(JOB, 0)
        assert store.commit(JOB, 0, granted=1, refused=1)
        job = store.get(JOB)
        assert (job.state, job.rows_done, job.granted, job.refused) == (JobState.RUNNING, 2, 1, 1)
        assert store.commit(JOB, 2, granted=0, refused=1)
        assert store.commit(JOB, 1, granted=2, refused=0)
        job = store.get(JOB)
        assert (job.state, job.rows_done, job.granted, job.refused) == (JobState.SUCCEEDED, 5, 3, 2)
        assert job.started_at is not None
        assert job.finished_at is not None
        assert job.expires_at is not None
        assert job.created_at < job.started_at <= job.finished_at
        assert job.expires_at == pytest.approx(job.finished_at + 3600)
        assert job.error is None

    def test_a_chunk_done_twice_counts_once(self, store: JobStore, hasty: JobStore) -> None:
        assert hasty.claim(JOB, 0) is Claim.TAKEN
        assert store.claim(JOB, 0) is Claim.TAKEN
        assert store.commit(JOB, 0, granted=2, refused=0)
        assert not store.commit(JOB, 0, granted=0, refused=2)
        job = store.get(JOB)
        assert (job.rows_done, job.granted, job.refused) == (2, 2, 0)
        assert store.claim(JOB, 0) is Claim.OVER

    def test_a_chunk_that_was_released_can_be_claimed_at_once(self, store: JobStore) -> None:
        store.claim(JOB, 0)
        store.release(JOB, 0, "The disk was full.")
        assert store.overdue_chunks(JOB) == [0]
        assert store.claim(JOB, 0) is Claim.TAKEN

    def test_a_job_fails_when_the_attempts_at_a_chunk_are_used_up_and_tells_the_last_error(
        self, store: JobStore
    ) -> None:
        for reason in ("first", "second", "The disk was full."):
            assert store.claim(JOB, 2) is Claim.TAKEN
            store.release(JOB, 2, reason)
        assert store.claim(JOB, 2) is Claim.OVER
        job = store.get(JOB)
        assert job.state is JobState.FAILED
        assert job.error == "Chunk 2 was given up after 3 attempts. The disk was full."
        assert store.claim(JOB, 0) is Claim.OVER

    def test_a_worker_that_died_without_a_word_has_used_up_an_attempt(self, hasty: JobStore, store: JobStore) -> None:
        assert [hasty.claim(JOB, 0) for _ in range(4)] == [Claim.TAKEN] * 3 + [Claim.OVER]
        assert store.get(JOB).error == "Chunk 0 was given up after 3 attempts. Its worker died."

    def test_attempts_are_counted_for_each_chunk_apart(self, hasty: JobStore) -> None:
        for chunk in (0, 1, 2) * 3:
            assert hasty.claim(JOB, chunk) is Claim.TAKEN

    def test_a_late_commit_after_the_last_attempt_began_still_counts(self, hasty: JobStore) -> None:
        for _ in range(3):
            hasty.claim(JOB, 0)
        assert hasty.commit(JOB, 0, granted=2, refused=0)
        assert hasty.claim(JOB, 0) is Claim.OVER
        assert hasty.get(JOB).state is JobState.RUNNING

    def test_a_failed_job_says_why_and_takes_no_more_scores(self, store: JobStore) -> None:
        store.claim(JOB, 0)
        assert store.fail(JOB, "Its model is gone.")
        assert not store.commit(JOB, 0, granted=2, refused=0)
        job = store.get(JOB)
        assert (job.state, job.error, job.rows_done) == (JobState.FAILED, "Its model is gone.", 0)

    def test_a_cancelled_job_takes_no_more_scores(self, store: JobStore) -> None:
        store.claim(JOB, 0)
        assert store.cancel(JOB)
        assert not store.commit(JOB, 0, granted=2, refused=0)
        store.release(JOB, 0, "too late")
        assert store.claim(JOB, 1) is Claim.OVER
        job = store.get(JOB)
        assert (job.state, job.rows_done, job.error) == (JobState.CANCELLED, 0, None)
        assert job.finished_at is not None

    def test_an_ended_job_ends_no_other_way(self, store: JobStore) -> None:
        self.commit_all(store)
        job = store.get(JOB)
        assert not store.cancel(JOB)
        assert not store.fail(JOB, "late")
        assert store.get(JOB) == job

    def test_nothing_happens_to_a_job_that_is_not_there(self, store: JobStore, store_client: redis.Redis) -> None:
        keys = set(store_client.keys())
        assert store.claim("0" * 32, 0) is Claim.OVER
        assert not store.commit("0" * 32, 0, granted=1, refused=0)
        assert not store.cancel("0" * 32)
        assert not store.fail("0" * 32, "why")
        store.release("0" * 32, 0, "why")
        store.postpone("0" * 32, [0])
        assert store.overdue_chunks("0" * 32) == []
        assert set(store_client.keys()) == keys

    @pytest.mark.parametrize("chunk", [3, -1, 10**6])
    def test_a_chunk_that_the_job_does_not_have_is_over(self, store: JobStore, chunk: int) -> None:
        assert store.claim(JOB, chunk) is Claim.OVER
        assert not store.commit(JOB, chunk, granted=1, refused=0)

    def test_open_jobs_come_oldest_first_until_they_end(self, store: JobStore) -> None:
        store.create(make_job(OLDER, created_at=1.0))
        store.create(make_job(NEWER, created_at=2e9))
        assert store.open_jobs() == [OLDER, JOB, NEWER]
        store.cancel(OLDER)
        self.commit_all(store)
        assert store.open_jobs() == [NEWER]

    def test_chunks_are_overdue_when_neither_published_nor_started_within_a_lease(
        self, store: JobStore, hasty: JobStore
    ) -> None:
        assert store.overdue_chunks(JOB) == []
        hasty.create(make_job(NEWER))
        assert hasty.overdue_chunks(NEWER) == [0, 1, 2]
        store.claim(NEWER, 0)
        store.postpone(NEWER, [1])
        assert store.overdue_chunks(NEWER) == [2]
        store.commit(NEWER, 2, granted=1, refused=0)
        assert store.overdue_chunks(NEWER) == []

    def test_postponing_a_done_chunk_does_not_bring_it_back(self, store: JobStore) -> None:
        self.commit_all(store)
        store.postpone(JOB, [0, 1, 2])
        assert store.claim(JOB, 0) is Claim.OVER

    def test_an_ended_job_expires_and_an_open_one_never(self, store: JobStore, store_client: redis.Redis) -> None:
        short_lived = store_over(store_client, job_ttl=-1)
        assert short_lived.expired_jobs() == []
        short_lived.create(make_job(NEWER))
        short_lived.cancel(NEWER)
        self.commit_all(store)
        assert short_lived.expired_jobs() == [NEWER]

    def test_a_forgotten_job_leaves_no_key(self, store: JobStore, store_client: redis.Redis) -> None:
        store.claim(JOB, 0)
        assert store.exists(JOB)
        store.forget(JOB)
        assert not store.exists(JOB)
        assert store_client.keys() == []

    def test_a_field_that_a_newer_version_wrote_is_passed_over(
        self, store: JobStore, store_client: redis.Redis
    ) -> None:
        store_client.hset(f"pret:job:{JOB}", "colour", "blue")
        assert store.get(JOB) == make_job()

    def test_a_record_survives_every_state(self, store: JobStore) -> None:
        store.fail(JOB, "a 'quoted' reason, é\n")
        job = store.get(JOB)
        assert replace(job, finished_at=None, expires_at=None) == make_job(
            state=JobState.FAILED, error="a 'quoted' reason, é\n"
        )

"""What a job store promises, over whatever Redis the fixture `store_client` connects to: in memory, or a real server.

A test module that defines the fixture and has `class TestStore(StoreContract)` runs them all. No test waits: a lease or
a time to live below zero is over as soon as it begins.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import redis

from shared.errors import ALL_VALID, IdempotencyConflict, Report, UnknownJob
from shared.formats.format import Format
from shared.jobs.job import READING, WRITING, Job, JobState, Stage
from shared.jobs.job_keys import TOTALS_KEY
from shared.jobs.store import Claim, JobStore
from shared.reasons import InvalidValue, Reason
from tests.factories import is_known, make_job, removed
from worker.services import WORKER

JOB, OLDER, NEWER = "1" * 32, "a" * 32, "f" * 32
OVER = -1.0
LONG = 1000.0

CALLER = "https://hooks.example.com/"
REPORT = Report(
    1233,
    1234,
    (
        InvalidValue(0, "age", "greater_than_equal", {"limit": 18}),
        InvalidValue(7, None, "dict_type"),
        InvalidValue(8, "é", "literal_error", {"values": ["a 'b'", "é\n"]}),
    ),
)

FULL = Reason("storage-full")
DIED = Reason("worker-died")
WHY = Reason("columns-missing-and-unknown", {"columns": [], "unknown": ["a 'quoted' name, é\n"], "limit": 2**63 - 1})
"""With all that a script might change on its way: an empty list, a large number, odd signs."""


def given_up(unit: str | int, last: Reason = FULL) -> Reason:
    kind = "chunk-given-up" if isinstance(unit, int) else "file-given-up"
    return Reason(kind, {"unit": unit, "attempts": 3, "reason": last.as_dict()})


WINDOW = 10
"""Units of one job under way; more than these jobs have."""


ME, OTHER = WORKER, "another-worker"
"""Two workers."""


def new_attempt(worker: str = ME) -> str:
    """The owner of a lease: an attempt of a worker, who speaks for it."""
    return f"{worker}/{uuid4().hex[:8]}"


def store_over(client: redis.Redis, *, job_ttl: int = 3600, lease: float = LONG, attempts: int = 3) -> JobStore:
    return JobStore(client, job_ttl=job_ttl, lease=lease, attempts=attempts)


def make_file_job(job_id: str = JOB, **changes: Any) -> Job:
    """A job whose file is not read yet."""
    values: dict[str, Any] = {"stage": Stage.READING, "format": Format.CSV, "upload_bytes": 10}
    return replace(make_job(job_id), rows=None, chunk_rows=None, **(values | changes))


def read(job: Job, rows: int = 5, attempt: str = "abc") -> Job:
    """The job as the reading of its file makes it: chunks of two rows, each in two batches."""
    return replace(job, rows=rows, chunk_rows=2, batch_rows=1, attempt=attempt)


def read_in_place(job: Job) -> Job:
    """The job as the planning of its file makes it, which stores no rows."""
    return replace(read(job), in_place=True, checksum="0123456789abcdef")


def on_rows(*rows: int, values: int = 1) -> Report:
    """A report on these rows, each with so many invalid values."""
    found = [
        InvalidValue(row, f"column {i}", "greater_than_equal", {"limit": 18}) for row in rows for i in range(values)
    ]
    return Report(len(rows), len(found), tuple(found[:100]))


def lasting_keys(client: redis.Redis) -> list[str]:
    """All keys but the answers that are remembered for a minute, and the counts of the jobs that have ended."""
    keys: list[str] = sorted(client.keys())  # type: ignore[arg-type]
    answers = [key for key in keys if key.startswith("pret:answer:")]
    assert all(0 < int(client.ttl(key)) <= 60 for key in answers)
    return [key for key in keys if key not in (*answers, TOTALS_KEY)]


class StoreContract:
    """The tests; jobs have five rows in three chunks."""

    @pytest.fixture
    def store(self, store_client: redis.Redis) -> JobStore:
        made = store_over(store_client)
        made.create(make_job(), WINDOW)
        return made

    @pytest.fixture
    def hasty(self, store: JobStore, store_client: redis.Redis) -> JobStore:
        """A store of the same jobs, whose leases are over at once."""
        return store_over(store_client, lease=OVER)

    def commit_all(self, store: JobStore, job_id: str = JOB) -> None:
        for chunk, rows in enumerate((2, 2, 1)):
            assert store.claim(job_id, str(chunk), new_attempt()) is Claim.TAKEN
            assert store.commit(job_id, str(chunk), WINDOW, granted=rows, refused=0) is not None

    def give_up(self, store: JobStore, unit: str, job_id: str = JOB) -> None:
        """Use up the attempts at a unit."""
        for _ in range(3):
            assert store.claim(job_id, unit, new_attempt()) is Claim.TAKEN
            store.release(job_id, unit, ME, FULL)
        assert store.claim(job_id, unit, new_attempt()) is Claim.OVER

    def test_a_job_is_read_as_it_was_written(self, store: JobStore) -> None:
        job = make_job(NEWER, rows=7, threshold=0.1 + 0.2, model_version="é: 1", created_at=time.time())
        assert store.create(job, WINDOW) == (NEWER, ["0", "1", "2", "3"])
        assert store.get(NEWER) == replace(job, next_chunk=4)
        assert store.get(JOB) == make_job(next_chunk=3)

    @pytest.mark.parametrize(
        "facts",
        [
            {"keep": ("a", 'é, "b"', "0")},
            {"keep": ()},
            {"format": Format.ARROW_STREAM, "encoding": "zstd"},
            {"delimiter": "\t", "decimal": ",", "name": "à b.csv", "on_invalid": "flag"},
            {"retryable": False},
            {"retryable": True, "name": None, "output_uri": None},
            {"input_uri": "s3://a/b.csv", "output_uri": "s3://a/c.csv", "callback_url": CALLER},
            {"attempt": "0123", "batch_rows": 1, "rows_read": 5, "upload_bytes": 2**40, "webhook_attempts": 3},
            {"rows_done": 3, "granted": 1, "refused": 1, "invalid": 1, "next_chunk": 3},
            {"scoring_at": 1.1, "started_at": 1e9 + 0.123456, "finished_at": 1e9 + 1 / 3, "expires_at": 2e9},
            {"error": WHY, "threshold": 1e-17},
        ],
    )
    def test_a_record_survives_every_type_of_field(self, store: JobStore, facts: dict[str, Any]) -> None:
        job = make_job(NEWER, **({"next_chunk": 3} | facts))
        store.create(job, WINDOW)
        assert store.get(NEWER) == job
        assert [type(value) for value in vars(store.get(NEWER)).values()] == [type(v) for v in vars(job).values()]

    @pytest.mark.parametrize("job_id", ["0" * 32, "", f"{JOB}:due", f"{JOB}:leases", f"{JOB}\n", "\x00é"])
    def test_a_job_that_is_not_there_is_unknown(self, store: JobStore, job_id: str) -> None:
        store.claim(JOB, "0", new_attempt())
        with pytest.raises(UnknownJob):
            store.get(job_id)

    def test_the_first_claim_starts_the_job(self, store: JobStore) -> None:
        before = time.time()
        assert store.claim(JOB, "1", new_attempt()) is Claim.TAKEN
        job = store.get(JOB)
        assert job.state is JobState.RUNNING
        assert job.started_at == pytest.approx(before, abs=60)
        store.claim(JOB, "0", new_attempt())
        assert store.get(JOB).started_at == job.started_at

    def test_a_chunk_is_held_by_one_worker_until_its_lease_ends(self, store: JobStore, hasty: JobStore) -> None:
        assert hasty.claim(JOB, "0", new_attempt()) is Claim.TAKEN
        assert store.claim(JOB, "0", new_attempt()) is Claim.TAKEN
        assert store.claim(JOB, "0", new_attempt()) is Claim.HELD
        assert store.claim(JOB, "1", new_attempt()) is Claim.TAKEN

    def test_every_chunk_counts_and_the_last_one_ends_the_job(self, store: JobStore) -> None:
        store.claim(JOB, "0", new_attempt())
        assert store.commit(JOB, "0", WINDOW, granted=1, refused=1) is not None
        job = store.get(JOB)
        assert (job.state, job.rows_done, job.granted, job.refused) == (JobState.RUNNING, 2, 1, 1)
        assert store.commit(JOB, "2", WINDOW, granted=0, refused=1) is not None
        assert store.commit(JOB, "1", WINDOW, granted=2, refused=0) is not None
        job = store.get(JOB)
        assert (job.state, job.rows_done, job.granted, job.refused) == (JobState.SUCCEEDED, 5, 3, 2)
        assert job.started_at is not None
        assert job.finished_at is not None
        assert job.expires_at is not None
        assert job.created_at < job.started_at <= job.finished_at
        assert job.expires_at == pytest.approx(job.finished_at + 3600)
        assert job.error is None

    def test_a_chunk_done_twice_counts_once(self, store: JobStore, hasty: JobStore) -> None:
        assert hasty.claim(JOB, "0", new_attempt()) is Claim.TAKEN
        assert store.claim(JOB, "0", new_attempt()) is Claim.TAKEN
        assert store.commit(JOB, "0", WINDOW, granted=2, refused=0) is not None
        assert store.commit(JOB, "0", WINDOW, granted=0, refused=2) is None
        job = store.get(JOB)
        assert (job.rows_done, job.granted, job.refused) == (2, 2, 0)
        assert store.claim(JOB, "0", new_attempt()) is Claim.OVER

    def test_rows_that_break_the_contract_are_counted_apart(self, store: JobStore) -> None:
        store.claim(JOB, "0", new_attempt())
        store.commit(JOB, "0", WINDOW, granted=0, refused=1, invalid=1)
        job = store.get(JOB)
        assert (job.rows_done, job.granted, job.refused, job.invalid) == (2, 0, 1, 1)

    def test_the_first_claim_of_a_chunk_and_no_other_tells_when_scoring_began(self, store: JobStore) -> None:
        store.claim(JOB, "1", new_attempt())
        began = store.get(JOB).scoring_at
        assert began == pytest.approx(time.time(), abs=60)
        store.claim(JOB, "0", new_attempt())
        assert store.get(JOB).scoring_at == began

    def test_only_so_many_chunks_as_the_window_allows_are_under_way(self, store: JobStore) -> None:
        assert store.create(make_job(NEWER, rows=9), 2) == (NEWER, ["0", "1"])
        assert store.claim(NEWER, "2", new_attempt()) is Claim.OVER
        assert store.commit(NEWER, "2", 2, granted=1, refused=0) is None
        assert store.commit(NEWER, "1", 2, granted=2, refused=0) == ["2"]
        assert store.commit(NEWER, "2", 2, granted=2, refused=0) == ["3"]
        assert store.commit(NEWER, "0", 2, granted=2, refused=0) == ["4"]
        assert store.commit(NEWER, "3", 2, granted=2, refused=0) == []
        assert store.get(NEWER).state is JobState.QUEUED
        assert store.commit(NEWER, "4", 2, granted=1, refused=0) == []
        assert (store.get(NEWER).state, store.get(NEWER).rows_done) == (JobState.SUCCEEDED, 9)

    def test_a_window_that_has_grown_is_filled_at_the_next_commit_or_at_once(self, store: JobStore) -> None:
        store.create(make_job(NEWER, rows=20), 1)
        assert store.fill(NEWER, 1) == []
        assert store.fill(NEWER, 3) == ["1", "2"]
        assert store.fill(NEWER, 3) == []
        assert store.commit(NEWER, "1", 5, granted=2, refused=0) == ["3", "4", "5"]
        assert store.get(NEWER).next_chunk == 6
        assert store.claim(NEWER, "5", new_attempt()) is Claim.TAKEN

    def test_a_window_that_has_shrunk_holds_back_until_there_is_room(self, store: JobStore) -> None:
        store.create(make_job(NEWER, rows=20), 3)
        assert store.fill(NEWER, 1) == []
        assert store.commit(NEWER, "0", 1, granted=2, refused=0) == []
        assert store.commit(NEWER, "2", 1, granted=2, refused=0) == []
        assert store.commit(NEWER, "1", 1, granted=2, refused=0) == ["3"]

    @pytest.mark.parametrize("end", [JobStore.cancel, removed, lambda store, job_id: store.fail(job_id, WHY)])
    def test_nothing_more_is_filled_once_a_job_has_ended(
        self, store: JobStore, store_client: redis.Redis, end: Callable[[JobStore, str], object]
    ) -> None:
        store.create(make_job(NEWER, rows=20), 1)
        end(store, NEWER)
        assert store.fill(NEWER, 10) == []
        assert store.claim(NEWER, "1", new_attempt()) is Claim.OVER
        assert not store_client.exists(f"pret:job:{NEWER}:due")

    def test_a_job_has_few_keys_and_few_members_in_them_however_large_it_is(
        self, store: JobStore, store_client: redis.Redis
    ) -> None:
        store.create(make_job(NEWER, rows=2_000_000_000), 4)
        for chunk in range(50):
            store.claim(NEWER, str(chunk), new_attempt())
            store.commit(NEWER, str(chunk), 4, granted=2, refused=0)
        assert store_client.zcard(f"pret:job:{NEWER}:due") == 4
        assert store_client.hlen(f"pret:job:{NEWER}:leases") == 0
        assert store_client.hlen(f"pret:job:{NEWER}:attempts") == 0

    def test_the_finished_chunks_are_those_before_the_first_one_that_is_not(self, store: JobStore) -> None:
        store.create(make_job(NEWER, rows=20), 3)

        def finished() -> int:
            return store.finished_chunks(store.get(NEWER))

        assert finished() == 0
        for chunk, count in (("1", 0), ("0", 2), ("2", 3), ("4", 3), ("3", 5)):
            store.commit(NEWER, chunk, 3, granted=2, refused=0)
            assert finished() == count

    def test_all_chunks_are_finished_while_the_output_is_written_and_none_while_the_file_is_read(
        self, store: JobStore
    ) -> None:
        store.create(make_file_job(OLDER), WINDOW)
        assert store.finished_chunks(store.get(OLDER)) == 0
        store.create(make_job(NEWER, output_uri="s3://a/b.csv"), WINDOW)
        self.commit_all(store, NEWER)
        assert store.finished_chunks(store.get(NEWER)) == 3

    def test_a_chunk_that_was_released_can_be_claimed_at_once(self, store: JobStore) -> None:
        store.claim(JOB, "0", new_attempt())
        store.release(JOB, "0", ME, FULL)
        assert store.overdue(JOB) == ["0"]
        assert store.claim(JOB, "0", new_attempt()) is Claim.TAKEN

    def test_a_job_fails_when_the_attempts_at_a_chunk_are_used_up_and_tells_the_last_error(
        self, store: JobStore
    ) -> None:
        for reason in (DIED, FULL, WHY):
            assert store.claim(JOB, "2", new_attempt()) is Claim.TAKEN
            store.release(JOB, "2", ME, reason)
        assert store.claim(JOB, "2", new_attempt()) is Claim.OVER
        job = store.get(JOB)
        assert job.state is JobState.FAILED
        assert job.error == given_up(2, WHY)
        assert job.error.message == f"Chunk 2 was given up after 3 attempts. {WHY.message}"
        assert store.claim(JOB, "0", new_attempt()) is Claim.OVER

    @pytest.mark.parametrize(
        ("unit", "words"), [(READING, "The reading of the file"), (WRITING, "The writing of the file")]
    )
    def test_a_job_fails_when_the_attempts_at_its_file_are_used_up(
        self, store: JobStore, unit: str, words: str
    ) -> None:
        job = make_file_job(NEWER) if unit == READING else make_job(NEWER, output_uri="s3://a/b.csv")
        store.create(job, WINDOW)
        if unit == WRITING:
            self.commit_all(store, NEWER)
        self.give_up(store, unit, NEWER)
        failed = store.get(NEWER)
        assert (failed.state, failed.retryable) == (JobState.FAILED, True)
        assert failed.error == given_up(unit)
        assert failed.error.message == f"{words} was given up after 3 attempts. {FULL.message}"

    def test_an_attempt_that_was_handed_back_does_not_count(self, store: JobStore) -> None:
        for _ in range(10):
            assert store.claim(JOB, "2", new_attempt()) is Claim.TAKEN
            assert store.hand_back(JOB, "2", ME)
            assert store.overdue(JOB) == ["2"]
        self.give_up(store, "2")

    def test_only_the_owner_of_a_lease_renews_or_releases_it_or_its_worker(self, store: JobStore) -> None:
        mine, other = new_attempt(), new_attempt(OTHER)
        assert store.claim(JOB, "0", mine) is Claim.TAKEN
        for stranger in (other, new_attempt(), OTHER, ME[:-1], f"{mine}0", ""):
            assert not store.renew(JOB, "0", stranger)
            assert not store.release(JOB, "0", stranger, FULL)
            assert not store.hand_back(JOB, "0", stranger)
            assert store.claim(JOB, "0", other) is Claim.HELD
        assert store.renew(JOB, "0", mine)
        assert store.renew(JOB, "0", ME)
        assert store.hand_back(JOB, "0", ME)
        assert not store.renew(JOB, "0", mine)
        assert not store.hand_back(JOB, "0", mine)

    def test_a_lease_that_ran_out_is_still_its_owners_until_another_takes_it(
        self, store: JobStore, hasty: JobStore
    ) -> None:
        late, quick = new_attempt(), new_attempt(OTHER)
        assert hasty.claim(JOB, "0", late) is Claim.TAKEN
        assert hasty.renew(JOB, "0", late)
        assert store.claim(JOB, "0", quick) is Claim.TAKEN
        assert not hasty.renew(JOB, "0", late)
        assert not hasty.release(JOB, "0", late, FULL)
        assert store.renew(JOB, "0", quick)

    def test_a_claim_that_is_made_again_is_one_attempt(self, store: JobStore, hasty: JobStore) -> None:
        for made in (store, hasty):
            owner = new_attempt()
            assert [made.claim(JOB, "2", owner) for _ in range(10)] == [Claim.TAKEN] * 10
            assert made.claim(JOB, "2", owner) is Claim.TAKEN
            store.release(JOB, "2", owner, FULL)
        assert store.claim(JOB, "2", new_attempt()) is Claim.TAKEN
        store.release(JOB, "2", ME, FULL)
        assert store.claim(JOB, "2", new_attempt()) is Claim.OVER

    def test_a_worker_that_died_without_a_word_has_used_up_an_attempt(self, hasty: JobStore, store: JobStore) -> None:
        assert [hasty.claim(JOB, "0", new_attempt()) for _ in range(4)] == [Claim.TAKEN] * 3 + [Claim.OVER]
        assert store.get(JOB).error == given_up(0, DIED)

    def test_attempts_are_counted_for_each_chunk_apart(self, hasty: JobStore) -> None:
        for chunk in (0, 1, 2) * 3:
            assert hasty.claim(JOB, str(chunk), new_attempt()) is Claim.TAKEN

    def test_a_late_commit_after_the_last_attempt_began_still_counts(self, hasty: JobStore) -> None:
        for _ in range(3):
            hasty.claim(JOB, "0", new_attempt())
        assert hasty.commit(JOB, "0", WINDOW, granted=2, refused=0) is not None
        assert hasty.claim(JOB, "0", new_attempt()) is Claim.OVER
        assert hasty.get(JOB).state is JobState.RUNNING

    def test_a_failed_job_says_why_and_takes_no_more_scores(self, store: JobStore) -> None:
        store.claim(JOB, "0", new_attempt())
        assert store.fail(JOB, WHY)
        assert store.commit(JOB, "0", WINDOW, granted=2, refused=0) is None
        job = store.get(JOB)
        assert (job.state, job.error, job.rows_done) == (JobState.FAILED, WHY, 0)

    def test_a_cancelled_job_takes_no_more_scores(self, store: JobStore) -> None:
        store.claim(JOB, "0", new_attempt())
        assert store.cancel(JOB)
        assert store.commit(JOB, "0", WINDOW, granted=2, refused=0) is None
        store.release(JOB, "0", ME, FULL)
        assert store.claim(JOB, "1", new_attempt()) is Claim.OVER
        job = store.get(JOB)
        assert (job.state, job.rows_done, job.error) == (JobState.CANCELLED, 0, None)
        assert job.finished_at is not None

    def test_an_ended_job_ends_no_other_way(self, store: JobStore) -> None:
        self.commit_all(store)
        job = store.get(JOB)
        assert not store.cancel(JOB)
        assert not store.fail(JOB, WHY)
        assert store.get(JOB) == job

    def test_nothing_happens_to_a_job_that_is_not_there(self, store: JobStore, store_client: redis.Redis) -> None:
        keys = lasting_keys(store_client)
        assert store.claim("0" * 32, "0", new_attempt()) is Claim.OVER
        assert store.commit("0" * 32, "0", WINDOW, granted=1, refused=0) is None
        assert not store.cancel("0" * 32)
        assert not store.fail("0" * 32, WHY)
        store.release("0" * 32, "0", ME, WHY)
        store.postpone("0" * 32, ["0"])
        assert store.overdue("0" * 32) == []
        assert store.fill("0" * 32, WINDOW) == []
        assert not store.renew("0" * 32, READING, ME, 1)
        assert store.commit_reading(read(make_file_job("0" * 32)), WINDOW, ME) is None
        assert not store.commit_writing("0" * 32)
        assert store.retry("0" * 32, WINDOW) is None
        assert store.begin_webhook("0" * 32, LONG) is None
        store.end_webhook("0" * 32, None)
        store.end_webhook("0" * 32, LONG)
        assert store.report("0" * 32) == ALL_VALID
        store.note_report("0" * 32, REPORT)
        store.forget("0" * 32)
        store.purge("0" * 32)
        assert lasting_keys(store_client) == keys

    @pytest.mark.parametrize("chunk", ["3", "-1", "1000000"])
    def test_a_chunk_that_the_job_does_not_have_is_over(self, store: JobStore, chunk: str) -> None:
        assert store.claim(JOB, chunk, new_attempt()) is Claim.OVER
        assert store.commit(JOB, chunk, WINDOW, granted=1, refused=0) is None

    def test_open_jobs_come_oldest_first_until_they_end(self, store: JobStore) -> None:
        store.create(make_job(OLDER, created_at=1.0), WINDOW)
        store.create(make_job(NEWER, created_at=2e9), WINDOW)
        assert store.open_jobs() == [OLDER, JOB, NEWER]
        store.cancel(OLDER)
        self.commit_all(store)
        assert store.open_jobs() == [NEWER]

    def test_chunks_are_overdue_when_neither_published_nor_started_within_a_lease(
        self, store: JobStore, hasty: JobStore
    ) -> None:
        assert store.overdue(JOB) == []
        hasty.create(make_job(NEWER), WINDOW)
        assert hasty.overdue(NEWER) == ["0", "1", "2"]
        store.claim(NEWER, "0", new_attempt())
        store.postpone(NEWER, ["1"])
        assert store.overdue(NEWER) == ["2"]
        store.commit(NEWER, "2", WINDOW, granted=1, refused=0)
        assert store.overdue(NEWER) == []

    def test_postponing_a_done_chunk_does_not_bring_it_back(self, store: JobStore) -> None:
        self.commit_all(store)
        store.postpone(JOB, ["0", "1", "2"])
        assert store.claim(JOB, "0", new_attempt()) is Claim.OVER

    def test_an_ended_job_expires_and_an_open_one_never(self, store: JobStore, store_client: redis.Redis) -> None:
        short_lived = store_over(store_client, job_ttl=-1)
        assert short_lived.expired_jobs() == []
        short_lived.create(make_job(NEWER), WINDOW)
        short_lived.cancel(NEWER)
        self.commit_all(store)
        assert short_lived.expired_jobs() == [NEWER]

    # The reading of the file.

    def test_a_file_is_one_unit_of_work_until_it_is_read(self, store: JobStore) -> None:
        assert store.create(make_file_job(NEWER), WINDOW) == (NEWER, [READING])
        job = store.get(NEWER)
        assert (job.stage, job.rows, job.chunks, job.next_chunk) == (Stage.READING, None, None, 0)
        assert store.fill(NEWER, WINDOW) == []
        assert store.claim(NEWER, "0", new_attempt()) is Claim.OVER
        assert store.claim(NEWER, READING, new_attempt()) is Claim.TAKEN
        assert store.claim(NEWER, READING, new_attempt()) is Claim.HELD
        job = store.get(NEWER)
        assert (job.state, job.scoring_at) == (JobState.RUNNING, None)

    def test_what_is_read_becomes_chunks_as_the_window_allows(self, store: JobStore) -> None:
        store.create(make_file_job(NEWER), WINDOW)
        store.claim(NEWER, READING, new_attempt())
        assert store.commit_reading(read(make_file_job(NEWER), rows=7), 3, ME) == ["0", "1", "2"]
        job = store.get(NEWER)
        assert (job.stage, job.rows, job.rows_read, job.chunks) == (Stage.SCORING, 7, 7, 4)
        assert (job.chunk_rows, job.batch_rows, job.attempt, job.next_chunk) == (2, 1, "abc", 3)
        assert store.claim(NEWER, READING, new_attempt()) is Claim.OVER
        assert store.commit(NEWER, "0", 3, granted=2, refused=0) == ["3"]

    def test_of_two_readings_the_one_that_holds_the_lease_counts(self, store: JobStore, hasty: JobStore) -> None:
        store.create(make_file_job(NEWER), WINDOW)
        late, holder = new_attempt(), new_attempt()
        first, second = (
            read(make_file_job(NEWER), attempt="first", rows=9),
            read(make_file_job(NEWER), attempt="second"),
        )
        assert hasty.claim(NEWER, READING, late) is Claim.TAKEN
        assert store.claim(NEWER, READING, holder) is Claim.TAKEN
        assert store.commit_reading(first, 10, late) is None
        assert store.commit_reading(second, 1, holder) == ["0"]
        assert store.commit_reading(first, 10, late) is None
        job = store.get(NEWER)
        assert (job.attempt, job.rows, job.next_chunk) == ("second", 5, 1)

    def test_a_reading_whose_lease_ran_out_counts_until_another_takes_over(
        self, store: JobStore, hasty: JobStore
    ) -> None:
        store.create(make_file_job(NEWER), WINDOW)
        late = new_attempt()
        hasty.claim(NEWER, READING, late)
        assert store.commit_reading(read(make_file_job(NEWER)), 1, late) == ["0"]

    def test_a_reading_knows_its_own_commit_again_however_late(self, store: JobStore) -> None:
        store.create(make_file_job(NEWER), WINDOW)
        own, job = new_attempt(), read(make_file_job(NEWER))
        store.claim(NEWER, READING, own)
        assert store.commit_reading(job, 2, own) == ["0", "1"]
        assert store.commit_reading(job, 2, own) == ["0", "1"]
        store.commit(NEWER, "0", 2, granted=2, refused=0)
        assert store.commit_reading(job, 2, own) == ["1", "2"]
        assert store.commit_reading(read(make_file_job(NEWER), attempt="another"), 2, own) is None
        store.cancel(NEWER)
        assert store.commit_reading(job, 2, own) == []

    def test_a_sign_of_life_keeps_the_unit_and_tells_how_far_it_is(self, store: JobStore, hasty: JobStore) -> None:
        hasty.create(make_file_job(NEWER), WINDOW)
        assert hasty.claim(NEWER, READING, new_attempt()) is Claim.TAKEN
        assert store.overdue(NEWER) == [READING]
        assert store.renew(NEWER, READING, ME, 123)
        assert store.overdue(NEWER) == []
        assert store.claim(NEWER, READING, new_attempt()) is Claim.HELD
        assert store.get(NEWER).rows_read == 123

    def test_a_sign_of_life_is_refused_once_there_is_nothing_to_do(self, store: JobStore) -> None:
        for job_id in (OLDER, NEWER):
            store.create(make_file_job(job_id), WINDOW)
            store.claim(job_id, READING, new_attempt())
        store.commit_reading(read(make_file_job(OLDER)), WINDOW, ME)
        store.cancel(NEWER)
        assert not store.renew(OLDER, READING, ME, 99)
        assert not store.renew(NEWER, READING, ME, 99)
        assert (store.get(OLDER).rows_read, store.get(NEWER).rows_read) == (5, 0)
        assert store.overdue(NEWER) == []

    # The writing of the output.

    def test_the_output_is_written_after_the_last_chunk_and_then_the_job_has_ended(self, store: JobStore) -> None:
        store.create(make_job(NEWER, output_uri="s3://a/b.csv"), WINDOW)
        assert not store.commit_writing(NEWER)
        assert store.commit(NEWER, "2", WINDOW, granted=1, refused=0) == []
        assert store.commit(NEWER, "0", WINDOW, granted=2, refused=0) == []
        assert store.commit(NEWER, "1", WINDOW, granted=2, refused=0) == [WRITING]
        assert store.claim(NEWER, WRITING, new_attempt()) is Claim.TAKEN
        job = store.get(NEWER)
        assert (job.state, job.stage, job.rows_done, job.finished_at) == (JobState.RUNNING, Stage.WRITING, 5, None)
        assert NEWER in store.open_jobs()
        assert store.commit_writing(NEWER)
        assert not store.commit_writing(NEWER)
        assert store.get(NEWER).state is JobState.SUCCEEDED
        assert NEWER not in store.open_jobs()

    def test_a_job_cancelled_while_its_output_is_written_stays_cancelled(self, store: JobStore) -> None:
        store.create(make_job(NEWER, output_uri="s3://a/b.csv"), WINDOW)
        self.commit_all(store, NEWER)
        store.claim(NEWER, WRITING, new_attempt())
        store.cancel(NEWER)
        assert not store.commit_writing(NEWER)
        assert store.get(NEWER).state is JobState.CANCELLED

    # Reports.

    def test_a_job_fails_with_what_is_invalid(self, store: JobStore) -> None:
        assert store.report(JOB) == ALL_VALID
        assert store.fail(JOB, WHY, retryable=False, report=REPORT)
        assert store.report(JOB) == REPORT
        assert not store.get(JOB).retryable

    def test_a_job_that_goes_on_keeps_what_is_invalid(self, store: JobStore) -> None:
        store.create(make_job(NEWER, on_invalid="flag"), WINDOW)
        store.note_report(NEWER, REPORT)
        self.commit_all(store, NEWER)
        assert store.report(NEWER) == REPORT
        assert store.get(NEWER).retryable

    # What is invalid in a file that is read in place.

    @pytest.fixture
    def placed(self, store: JobStore) -> JobStore:
        """A store with a job of five rows in three chunks that are read in place."""
        store.create(make_file_job(NEWER), WINDOW)
        store.claim(NEWER, READING, new_attempt())
        assert store.commit_reading(read_in_place(make_file_job(NEWER)), WINDOW, ME) == ["0", "1", "2"]
        return store

    def test_a_file_that_is_read_in_place_is_marked(self, placed: JobStore) -> None:
        job = placed.get(NEWER)
        assert (job.in_place, job.checksum, job.rows, job.stage) == (True, "0123456789abcdef", 5, Stage.SCORING)

    @pytest.mark.parametrize("order", [("0", "1", "2"), ("2", "0", "1"), ("2", "1", "0")])
    def test_invalid_rows_of_any_chunk_fail_the_job_with_its_last_one(
        self, placed: JobStore, order: tuple[str, ...]
    ) -> None:
        found = {"0": on_rows(1), "1": ALL_VALID, "2": on_rows(4, values=2)}
        for chunk in order[:2]:
            assert placed.commit(NEWER, chunk, WINDOW, granted=1, unseen={"town": 1}, report=found[chunk]) is not None
            assert placed.get(NEWER).state is not JobState.FAILED
        assert placed.commit(NEWER, order[2], WINDOW, granted=1, report=found[order[2]]) is None
        job = placed.get(NEWER)
        assert (job.state, job.retryable) == (JobState.FAILED, False)
        assert job.error == Reason("invalid-rows", {"count": 3, "limit": 100})
        assert (job.rows_done, job.granted, job.refused, job.invalid, job.unseen_categories) == (0, 0, 0, 0, {})
        assert placed.report(NEWER) == on_rows(1).joined(on_rows(4, values=2))
        assert NEWER not in placed.open_jobs()

    def test_rows_without_a_score_are_done_all_the_same(self, placed: JobStore) -> None:
        placed.commit(NEWER, "0", WINDOW, invalid=1, unscored=1, report=on_rows(0))
        placed.commit(NEWER, "1", WINDOW, unscored=2)
        job = placed.get(NEWER)
        assert (job.rows_done, job.granted, job.refused, job.invalid) == (4, 0, 0, 1)

    def test_a_report_keeps_the_first_hundred_values_of_the_file_whatever_the_order(
        self, store: JobStore, store_client: redis.Redis
    ) -> None:
        job = make_file_job(NEWER, on_invalid="flag")
        store.create(job, WINDOW)
        store.claim(NEWER, READING, new_attempt())
        store.commit_reading(replace(read_in_place(job), rows=100), 50, ME)
        chunks = [*range(25, 50), *range(25)]
        for chunk in chunks:
            store.commit(NEWER, str(chunk), WINDOW, invalid=2, report=on_rows(2 * chunk, 2 * chunk + 1, values=4))
        report = store.report(NEWER)
        assert (report.invalid_rows, report.invalid_values) == (100, 400)
        assert report.errors == on_rows(*range(25), values=4).errors
        assert store_client.hlen(f"pret:job:{NEWER}:report") == 2 + 13

    # Retries.

    def test_a_retry_begins_with_the_stored_rows_and_counts_anew(self, store: JobStore) -> None:
        store.create(make_job(NEWER, rows=9, callback_url=CALLER), 3)
        store.claim(NEWER, "0", new_attempt())
        store.commit(NEWER, "0", 3, granted=1, refused=0, invalid=1)
        self.give_up(store, "2", NEWER)
        assert store.retry(NEWER, 2) == ["0", "1"]
        assert store.get(NEWER) == make_job(NEWER, rows=9, callback_url=CALLER, next_chunk=2)
        assert NEWER in store.open_jobs()
        assert store.claim(NEWER, "2", new_attempt()) is Claim.OVER
        assert store.commit(NEWER, "0", 3, granted=2, refused=0) == ["2", "3"]
        self.give_up(store, "2", NEWER)
        assert store.get(NEWER).error == given_up(2)

    def test_rows_with_unseen_categories_are_added_up_and_counted_anew_by_a_retry(self, store: JobStore) -> None:
        assert store.get(JOB).unseen_categories == {}
        counts: list[dict[str, int]] = [{"é: 1": 2, "job": 0}, {"é: 1": 1, "job": 0}, {"é: 1": 0, "job": 1}]
        for chunk, unseen in enumerate(counts):
            store.claim(JOB, str(chunk), new_attempt())
            for _ in range(2):
                store.commit(JOB, str(chunk), WINDOW, granted=1, refused=0, unseen=unseen)
            if not chunk:
                store.fail(JOB, FULL)
                assert store.get(JOB).unseen_categories == {"é: 1": 2, "job": 0}
                store.retry(JOB, WINDOW)
                assert store.get(JOB).unseen_categories == {}
        assert store.get(JOB).unseen_categories == {"é: 1": 1, "job": 1}
        [listed] = store.page(None, 0, 10)[0]
        assert listed == store.get(JOB)

    def test_an_old_reason_is_not_told_after_a_retry(self, store: JobStore, hasty: JobStore) -> None:
        self.give_up(store, "2")
        store.retry(JOB, WINDOW)
        assert [hasty.claim(JOB, "2", new_attempt()) for _ in range(4)] == [Claim.TAKEN] * 3 + [Claim.OVER]
        assert store.get(JOB).error == given_up(2, DIED)

    def test_a_retry_before_there_are_rows_begins_with_the_file(self, store: JobStore) -> None:
        store.create(make_file_job(NEWER), WINDOW)
        store.claim(NEWER, READING, new_attempt())
        store.renew(NEWER, READING, ME, 3)
        store.release(NEWER, READING, ME, FULL)
        store.fail(NEWER, WHY)
        assert store.retry(NEWER, WINDOW) == [READING]
        assert store.get(NEWER) == make_file_job(NEWER)
        assert store.claim(NEWER, READING, new_attempt()) is Claim.TAKEN

    def test_a_retry_after_the_output_could_not_be_written_scores_again(self, store: JobStore) -> None:
        store.create(make_job(NEWER, output_uri="s3://a/b.csv"), WINDOW)
        self.commit_all(store, NEWER)
        self.give_up(store, WRITING, NEWER)
        assert store.retry(NEWER, WINDOW) == ["0", "1", "2"]
        assert store.get(NEWER).stage is Stage.SCORING
        self.commit_all(store, NEWER)
        assert store.claim(NEWER, WRITING, new_attempt()) is Claim.TAKEN

    def test_an_invalid_input_is_not_tried_again(self, store: JobStore) -> None:
        store.fail(JOB, WHY, retryable=False)
        job = store.get(JOB)
        assert store.retry(JOB, WINDOW) is None
        assert store.get(JOB) == job

    def test_only_a_failed_job_is_tried_again(self, store: JobStore) -> None:
        for job_id in (OLDER, NEWER):
            store.create(make_job(job_id), WINDOW)
        store.claim(NEWER, "0", new_attempt())
        store.cancel(OLDER)
        for job_id in (OLDER, NEWER, JOB):
            job = store.get(job_id)
            assert store.retry(job_id, WINDOW) is None
            assert store.get(job_id) == job
        self.commit_all(store)
        assert store.retry(JOB, WINDOW) is None

    @pytest.mark.parametrize("at_once", [1, 3, 1000])
    def test_jobs_without_a_record_are_found_among_many(
        self, store: JobStore, at_once: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.jobs.store.JOBS_AT_ONCE", at_once)
        gone = [f"{i:032x}" for i in range(7)]
        assert store.without_record([*gone[:4], JOB, *gone[4:]]) == gone
        assert store.without_record([JOB]) == store.without_record([]) == []

    @pytest.mark.parametrize("state", JobState)
    def test_of_a_removed_job_nothing_is_left_whatever_its_state(
        self, store: JobStore, store_client: redis.Redis, state: JobState
    ) -> None:
        keys = lasting_keys(store_client)
        store.create(make_file_job(NEWER, callback_url=CALLER, on_invalid="flag"), WINDOW)
        if state is not JobState.QUEUED:
            store.claim(NEWER, READING, "owner")
            store.note_report(NEWER, REPORT)
        if state is JobState.SUCCEEDED:
            store.commit_reading(read(make_file_job(NEWER)), WINDOW, "owner")
            self.commit_all(store, NEWER)
        elif state is JobState.FAILED:
            store.fail(NEWER, WHY)
        elif state is JobState.CANCELLED:
            store.cancel(NEWER)
        assert store.get(NEWER).state is state
        store.purge(NEWER)
        with pytest.raises(UnknownJob):
            store.get(NEWER)
        assert store.commit_reading(read(make_file_job(NEWER)), WINDOW, "owner") is None
        assert lasting_keys(store_client) == keys
        assert (store.open_jobs(), store.due_webhooks(), store.expired_jobs()) == ([JOB], [], [])
        assert [job.id for job in store.page(None, 0, 10)[0]] == [JOB]

    def test_a_job_that_is_tried_again_does_not_expire(self, store: JobStore, store_client: redis.Redis) -> None:
        short_lived = store_over(store_client, job_ttl=-1)
        short_lived.fail(JOB, WHY)
        assert store.expired_jobs() == [JOB]
        store.retry(JOB, WINDOW)
        assert store.expired_jobs() == []
        assert store.get(JOB).expires_at is None

    # Lists of jobs.

    def test_jobs_come_in_pages_newest_first(self, store: JobStore) -> None:
        ids = [f"{i:032x}" for i in range(5)]
        for i, job_id in enumerate(ids):
            store.create(make_job(job_id, created_at=10.0 + i), WINDOW)

        def page(offset: int, limit: int) -> list[str]:
            jobs, total = store.page(None, offset, limit)
            assert total == 6
            return [job.id for job in jobs]

        newest_first = [JOB, *reversed(ids)]
        assert page(0, 10) == newest_first
        assert [page(offset, 2) for offset in (0, 2, 4, 6)] == [newest_first[i : i + 2] for i in (0, 2, 4, 6)]
        assert store.page(None, 0, 1)[0] == [make_job(next_chunk=3)]

    def test_several_jobs_are_read_at_once(self, store: JobStore) -> None:
        other = make_job("2" * 32)
        store.create(other, WINDOW)
        assert store.get_all([JOB, "3" * 32, other.id]) == {JOB: store.get(JOB), other.id: store.get(other.id)}

    def test_every_state_has_a_list_that_a_job_leaves_when_it_goes_on(self, store: JobStore) -> None:
        def lists() -> dict[JobState, list[str]]:
            pages = {state: store.page(state, 0, 10) for state in JobState}
            assert all(len(jobs) == total for jobs, total in pages.values())
            assert all(job.state is state for state, (jobs, _) in pages.items() for job in jobs)
            return {state: [job.id for job in jobs] for state, (jobs, _) in pages.items() if jobs}

        store.create(make_job(NEWER, created_at=2e9), WINDOW)
        assert lists() == {JobState.QUEUED: [NEWER, JOB]}
        store.claim(NEWER, "0", new_attempt())
        assert lists() == {JobState.QUEUED: [JOB], JobState.RUNNING: [NEWER]}
        store.fail(NEWER, WHY)
        assert lists() == {JobState.QUEUED: [JOB], JobState.FAILED: [NEWER]}
        store.retry(NEWER, WINDOW)
        assert lists() == {JobState.QUEUED: [NEWER, JOB]}
        self.commit_all(store)
        store.cancel(NEWER)
        assert lists() == {JobState.SUCCEEDED: [JOB], JobState.CANCELLED: [NEWER]}
        removed(store, JOB)
        assert lists() == {JobState.CANCELLED: [NEWER]}
        assert store.page(None, 0, 10)[1] == 1

    def test_an_owner_has_lists_of_its_own_and_so_have_those_without_one(self, store: JobStore) -> None:
        def lists(owner: str | None) -> dict[str, list[str]]:
            pages = {str(state or "any"): store.page(state, 0, 10, owner) for state in (None, *JobState)}
            assert all(len(jobs) == total for jobs, total in pages.values())
            return {state: [job.id for job in jobs] for state, (jobs, _) in pages.items() if jobs}

        store.create(make_job(NEWER, created_at=2e9, owner="ada"), WINDOW)
        store.create(make_job(OLDER, created_at=1.0, owner="bob"), WINDOW)
        assert store.get(NEWER).owner == "ada"
        assert lists("ada") == {"any": [NEWER], "queued": [NEWER]}
        assert lists("") == {"any": [JOB], "queued": [JOB]}
        assert lists(None)["any"] == [NEWER, JOB, OLDER]
        store.claim(NEWER, "0", new_attempt())
        store.fail(NEWER, WHY)
        assert lists("ada") == {"any": [NEWER], "failed": [NEWER]}
        store.retry(NEWER, WINDOW)
        assert lists("ada") == {"any": [NEWER], "queued": [NEWER]}
        removed(store, NEWER)
        store.purge(OLDER)
        assert lists("ada") == lists("bob") == lists("nobody") == {}
        assert lists(None) == lists("")

    def test_a_job_that_fails_before_it_was_started_leaves_the_list_of_those_that_wait(self, store: JobStore) -> None:
        store.fail(JOB, WHY)
        assert [store.page(state, 0, 1)[1] for state in (JobState.QUEUED, JobState.FAILED)] == [0, 1]

    def test_the_rows_that_wait_are_those_of_open_jobs_that_are_read_and_not_done(self, store: JobStore) -> None:
        assert store.queued_rows() == 5
        store.create(make_file_job(NEWER), WINDOW)
        assert store.queued_rows() == 5
        store.claim(NEWER, READING, new_attempt())
        store.renew(NEWER, READING, ME, 100)
        assert store.queued_rows() == 105
        store.commit_reading(read(make_file_job(NEWER), rows=2000), WINDOW, ME)
        assert store.queued_rows() == 2005
        store.commit(NEWER, "0", WINDOW, granted=1, refused=1)
        assert store.queued_rows() == 2003
        store.cancel(NEWER)
        self.commit_all(store)
        assert store.queued_rows() == 0

    def test_the_versions_in_use_are_those_of_open_jobs(self, store: JobStore) -> None:
        store.create(make_job(NEWER, model_version="local-2"), WINDOW)
        assert store.versions_in_use() == {"local-1", "local-2"}
        store.cancel(JOB)
        assert store.versions_in_use() == {"local-2"}

    # The same submission twice.

    def test_the_same_submission_twice_is_one_job(self, store: JobStore) -> None:
        assert store.create(make_job(NEWER), WINDOW, "a key, é", "print") == (NEWER, ["0", "1", "2"])
        assert store.create(make_job(OLDER, rows=9), WINDOW, "a key, é", "print") == (NEWER, [])
        assert not is_known(store, OLDER)
        assert store.open_jobs() == [JOB, NEWER]
        assert store.page(None, 0, 10)[1] == 2
        assert store.create(make_job(OLDER), WINDOW, "another key", "print")[0] == OLDER

    def test_another_submission_with_the_same_key_is_rejected_and_leaves_nothing(
        self, store: JobStore, store_client: redis.Redis
    ) -> None:
        store.create(make_job(NEWER), WINDOW, "key", "print")
        keys = lasting_keys(store_client)
        with pytest.raises(IdempotencyConflict):
            store.create(make_job(OLDER), WINDOW, "key", "other")
        assert lasting_keys(store_client) == keys
        assert store.open_jobs() == [JOB, NEWER]

    def test_submissions_without_a_key_are_never_the_same(self, store: JobStore) -> None:
        assert [store.create(make_job(job_id), WINDOW)[0] for job_id in (OLDER, NEWER)] == [OLDER, NEWER]

    def test_a_submission_is_known_for_a_day(self, store: JobStore, store_client: redis.Redis) -> None:
        store.create(make_job(NEWER), WINDOW, "key", "print")
        assert 24 * 3600 - 60 < int(store_client.ttl("pret:submission:key")) <= 24 * 3600

    # Callbacks.

    def test_a_caller_is_told_of_the_end_of_a_job_that_names_one(self, store: JobStore) -> None:
        store.create(make_job(NEWER, callback_url=CALLER), WINDOW)
        assert store.due_webhooks() == []
        assert store.begin_webhook(NEWER, LONG) is None
        self.commit_all(store)
        assert store.due_webhooks() == []
        self.commit_all(store, NEWER)
        assert store.due_webhooks() == [NEWER]

    @pytest.mark.parametrize("end", [JobStore.cancel, lambda store, job_id: store.fail(job_id, WHY)])
    def test_a_caller_is_told_of_every_end(self, store: JobStore, end: Callable[[JobStore, str], object]) -> None:
        store.create(make_job(NEWER, callback_url=CALLER), WINDOW)
        end(store, NEWER)
        assert store.due_webhooks() == [NEWER]

    def test_one_worker_tells_the_caller_and_another_only_when_that_one_is_lost(self, store: JobStore) -> None:
        store.create(make_job(NEWER, callback_url=CALLER), WINDOW)
        store.cancel(NEWER)
        assert store.begin_webhook(NEWER, OVER) == 0
        assert store.due_webhooks() == [NEWER]
        assert store.begin_webhook(NEWER, LONG) == 1
        assert store.begin_webhook(NEWER, LONG) is None
        assert store.due_webhooks() == []
        assert store.get(NEWER).webhook_attempts == 2

    def test_a_caller_is_told_again_later_or_never(self, store: JobStore) -> None:
        store.create(make_job(NEWER, callback_url=CALLER), WINDOW)
        store.cancel(NEWER)
        store.begin_webhook(NEWER, LONG)
        store.end_webhook(NEWER, OVER)
        assert store.due_webhooks() == [NEWER]
        assert store.begin_webhook(NEWER, LONG) == 1
        store.end_webhook(NEWER, LONG)
        assert store.due_webhooks() == []
        store.end_webhook(NEWER, None)
        store.end_webhook(NEWER, OVER)
        assert store.due_webhooks() == []
        assert store.begin_webhook(NEWER, LONG) is None

    def test_nobody_is_told_of_the_first_end_of_a_job_that_is_tried_again(self, store: JobStore) -> None:
        store.create(make_job(NEWER, callback_url=CALLER), WINDOW)
        store.fail(NEWER, WHY)
        store.begin_webhook(NEWER, OVER)
        store.retry(NEWER, WINDOW)
        assert store.due_webhooks() == []
        assert store.get(NEWER).webhook_attempts == 0
        self.commit_all(store, NEWER)
        assert store.begin_webhook(NEWER, LONG) == 0

    # Turns, and the end of it all.

    def test_one_of_many_gets_the_turn(self, store: JobStore, store_client: redis.Redis) -> None:
        assert [store.is_first_since(LONG) for _ in range(3)] == [True, False, False]
        assert 0 < int(store_client.pttl("pret:jobs:removal")) <= 1_000_000

    def test_a_forgotten_job_leaves_no_key(self, store: JobStore, store_client: redis.Redis) -> None:
        store.claim(JOB, "0", new_attempt())
        assert is_known(store, JOB)
        removed(store, JOB)
        assert not is_known(store, JOB)
        assert lasting_keys(store_client) == []

    @pytest.mark.parametrize("ended", [True, False])
    def test_a_forgotten_job_leaves_nothing_but_the_key_of_its_submission(
        self, store: JobStore, store_client: redis.Redis, ended: bool
    ) -> None:
        removed(store, JOB)
        store.create(make_file_job(callback_url=CALLER, output_uri="s3://a/b.csv"), WINDOW, "key", "print")
        store.claim(JOB, READING, new_attempt())
        store.commit_reading(read(make_file_job()), WINDOW, ME)
        store.note_report(JOB, REPORT)
        store.claim(JOB, "0", new_attempt())
        store.release(JOB, "0", ME, WHY)
        store.claim(JOB, "0", new_attempt())
        if ended:
            store.fail(JOB, WHY)
        removed(store, JOB)
        assert lasting_keys(store_client) == ["pret:submission:key"]

    def test_a_field_that_a_newer_version_wrote_is_passed_over(
        self, store: JobStore, store_client: redis.Redis
    ) -> None:
        store_client.hset(f"pret:job:{JOB}", "colour", "blue")
        assert store.get(JOB) == make_job(next_chunk=3)

    def test_a_record_survives_every_state(self, store: JobStore) -> None:
        store.fail(JOB, WHY)
        job = store.get(JOB)
        assert replace(job, finished_at=None, expires_at=None) == make_job(
            state=JobState.FAILED, error=WHY, next_chunk=3
        )

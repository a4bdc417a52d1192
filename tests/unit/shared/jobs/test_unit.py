"""An attempt at a unit of work ends the same way whatever the step: done, given back, or the job has ended."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import BadArtifact, MalformedInput, RedisUnavailable, StorageUnavailable
from shared.jobs.job import READING, Job, JobState
from shared.jobs.store import Claim, JobStore
from shared.jobs.unit import Attempt, JobEnded, Step, attempt
from tests.factories import Kit, removed
from tests.store_contract import new_attempt, store_over
from tests.unit.wire import LOST, WireInMemory
from tests.unit.workbench import Workbench, as_file

UNIT = "0"


@pytest.fixture
def job(bench: Workbench, numbers: Kit) -> Job:
    made = bench.submit(numbers.rows[:4])
    bench.take_messages()
    return made


def count_rows(attempt: Attempt) -> list[str] | None:
    """A fourth kind of step, in this one file: it only counts, and calls all rows granted."""
    rows = attempt.job.rows or 0
    attempt.renew()
    return attempt.at.store.commit(attempt.job.id, attempt.unit, attempt.at.window(), granted=rows, refused=0)


def raising(error: Exception) -> Step:
    def step(_: Attempt) -> list[str] | None:
        raise error

    return step


def test_a_step_of_another_kind_is_a_function_in_one_file(bench: Workbench, job: Job) -> None:
    assert attempt(job.id, UNIT, count_rows, bench.place()) == []
    done = bench.parts.store.get(job.id)
    assert (done.state, done.granted, done.rows_done) == (JobState.SUCCEEDED, 4, 4)


def test_the_units_to_publish_are_those_of_the_step(bench: Workbench, job: Job) -> None:
    assert attempt(job.id, UNIT, lambda _: ["1", "2"], bench.place()) == ["1", "2"]


@pytest.mark.parametrize("job_id", ["0" * 32, "x"])
def test_a_unit_of_no_job_is_passed_over(bench: Workbench, job_id: str) -> None:
    assert attempt(job_id, READING, raising(AssertionError("called")), bench.place()) == []


def test_a_job_that_vanishes_after_the_claim_is_passed_over(
    bench: Workbench, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bench.parts.store.claim

    def claim_and_forget(job_id: str, unit: str, owner: str) -> Claim:
        claimed = claim(job_id, unit, owner)
        removed(bench.parts.store, job_id)
        return claimed

    monkeypatch.setattr(bench.parts.store, "claim", claim_and_forget)
    assert attempt(job.id, UNIT, raising(AssertionError("called")), bench.place()) == []


def test_what_another_worker_holds_is_left_to_it(bench: Workbench, job: Job) -> None:
    assert bench.parts.store.claim(job.id, UNIT, new_attempt()) is Claim.TAKEN
    assert attempt(job.id, UNIT, raising(AssertionError("called")), bench.place()) == []


def test_input_that_cannot_be_scored_fails_the_job_for_good(bench: Workbench, job: Job) -> None:
    assert attempt(job.id, UNIT, raising(MalformedInput("file-empty")), bench.place()) == []
    failed = bench.parts.store.get(job.id)
    assert (failed.state, failed.retryable) == (JobState.FAILED, False)
    assert bench.stored_files() == []


def test_a_model_that_cannot_serve_fails_the_job_until_it_is_retried(bench: Workbench, job: Job) -> None:
    assert attempt(job.id, UNIT, raising(BadArtifact("trial-timed-out")), bench.place()) == []
    failed = bench.parts.store.get(job.id)
    assert (failed.state, failed.retryable) == (JobState.FAILED, True)
    assert bench.stored_files()


@pytest.mark.parametrize("error", [StorageUnavailable(), ZeroDivisionError("private"), MemoryError()])
def test_anything_else_gives_the_unit_back_and_is_raised(bench: Workbench, job: Job, error: Exception) -> None:
    with pytest.raises(type(error)):
        attempt(job.id, UNIT, raising(error), bench.place())
    assert bench.parts.store.get(job.id).state is JobState.RUNNING
    assert attempt(job.id, UNIT, count_rows, bench.place()) == []


def test_a_worker_that_is_to_end_begins_nothing(bench: Workbench, job: Job) -> None:
    at = bench.place(stopping=lambda: True)
    assert attempt(job.id, UNIT, raising(AssertionError("called")), at) == [UNIT]
    assert bench.parts.store.get(job.id).state is JobState.QUEUED


def test_what_a_worker_hands_back_as_it_ends_is_taken_by_another_and_does_not_count(bench: Workbench, job: Job) -> None:
    told: list[bool] = []
    at = bench.place(stopping=lambda: bool(told))

    def long_step(attempt: Attempt) -> list[str] | None:
        told.append(True)
        attempt.renew()
        raise AssertionError("it goes on")

    for _ in range(2 * bench.settings.chunk_attempts):
        told.clear()
        assert attempt(job.id, UNIT, long_step, at) == [UNIT]
    assert attempt(job.id, UNIT, count_rows, bench.place()) == []
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED


def test_that_redis_did_not_answer_does_not_count_as_an_attempt(bench: Workbench, job: Job) -> None:
    for _ in range(10):
        with pytest.raises(RedisUnavailable):
            attempt(job.id, UNIT, raising(RedisUnavailable()), bench.place())
    assert attempt(job.id, UNIT, count_rows, bench.place()) == []
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED


def test_what_another_worker_has_taken_over_is_not_handed_back(bench: Workbench, job: Job) -> None:
    def lose_and_renew(attempt: Attempt) -> list[str] | None:
        bench.parts.store.release(job.id, UNIT, attempt.owner, StorageUnavailable().reason)
        bench.parts.store.claim(job.id, UNIT, new_attempt())
        stopping.append(True)
        attempt.renew()
        raise AssertionError("it goes on")

    stopping: list[bool] = []
    assert attempt(job.id, UNIT, lose_and_renew, bench.place(stopping=lambda: bool(stopping))) == []


@pytest.mark.parametrize("script", ["claim", "commit"])
def test_an_attempt_that_gets_no_answer_is_handed_back_unless_it_is_committed(
    bench: Workbench, job: Job, script: str
) -> None:
    wire = WireInMemory(bench.server)
    place = bench.place(store=store_over(wire.client, attempts=1))
    with wire.disturbed(LOST, script=script, times=2), pytest.raises(RedisUnavailable):
        attempt(job.id, UNIT, count_rows, place)
    assert bench.parts.store.overdue(job.id) == ([UNIT] if script == "claim" else [])
    assert attempt(job.id, UNIT, count_rows, place) == []
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED
    assert bench.parts.store.get(job.id).rows_done == 4


ENDS: list[Callable[[JobStore, str], object]] = [JobStore.cancel, removed]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("error", [None, JobEnded(), StorageUnavailable()])
def test_what_was_written_for_a_job_that_ended_meanwhile_is_removed(
    bench: Workbench, job: Job, end: Callable[[JobStore, str], object], error: Exception | None
) -> None:
    def step(_: Attempt) -> list[str] | None:
        end(bench.parts.store, job.id)
        if error is not None:
            raise error
        return None

    assert attempt(job.id, UNIT, step, bench.place()) == []
    assert bench.stored_files() == []


def test_a_sign_of_life_is_given_now_and_then(bench: Workbench, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = new_attempt()
    bench.parts.store.claim(job.id, UNIT, owner)
    own = Attempt(job, UNIT, owner, bench.place())
    assert [own.renew(), own.renew()] == [True, False]
    monkeypatch.setattr("shared.jobs.unit.RENEW_INTERVAL", -1.0)
    assert own.renew(3)
    assert bench.parts.store.get(job.id).rows_read == 3
    assert own.renew()
    assert bench.parts.store.get(job.id).rows_read == 3
    bench.parts.store.cancel(job.id)
    with pytest.raises(JobEnded):
        own.renew()


@pytest.mark.parametrize("address", ["input_uri", "output_uri"])
def test_a_record_leads_no_worker_to_where_no_caller_may_go(
    bench: Workbench, numbers: Kit, tmp_path: Path, address: str
) -> None:
    outside = tmp_path.parent / "outside.csv"
    job = bench.submit_file(as_file(numbers.rows[:3]), **{address: f"file://{outside}"})
    error = bench.read(job.id).error
    assert error is not None
    assert error.type == f"{address.replace('_', '-')}-not-allowed"
    assert not outside.exists()

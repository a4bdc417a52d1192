"""Scoring one chunk: whatever happens, its rows count once or the job says why not."""

from collections.abc import Callable

import pytest

from shared.errors import RedisUnavailable, StorageUnavailable
from shared.jobs.job import Job, JobState, OnInvalid
from shared.jobs.score import score_chunk
from shared.jobs.store import Claim, JobStore
from shared.jobs.unit import attempt
from shared.models.cache import ModelCache
from shared.models.sources import FolderSource
from shared.reasons import Reason
from tests.factories import Kit, make_job, make_kit, make_town_kit, removed
from tests.store_contract import ME, WHY, given_up, new_attempt
from tests.unit.workbench import MeddlingCache, MeddlingStorage, Workbench

ROWS = 10


@pytest.fixture
def job(bench: Workbench, numbers: Kit) -> Job:
    """A job of ten rows in three chunks."""
    return bench.submit(numbers.rows[:ROWS])


def scores(bench: Workbench, job: Job) -> list[float]:
    return [score for batch in bench.results(job).batches() for score in batch.column("score").to_pylist()]


def test_all_chunks_scored_in_any_order_are_the_models_scores(bench: Workbench, numbers: Kit, job: Job) -> None:
    for chunk in (2, 0, 1):
        bench.score(job.id, chunk)
    done = bench.parts.store.get(job.id)
    expected = numbers.expected(numbers.rows[:ROWS])
    refused = sum(score >= job.threshold for score in expected)
    assert (done.state, done.rows_done, done.granted, done.refused) == (
        JobState.SUCCEEDED,
        ROWS,
        ROWS - refused,
        refused,
    )
    assert scores(bench, done) == expected


def test_a_score_at_the_threshold_is_refused(bench: Workbench, numbers: Kit) -> None:
    [score] = numbers.expected(numbers.rows[:1])
    job = bench.submit(numbers.rows[:1])
    at = make_job(rows=1, chunk_rows=4, batch_rows=4, attempt="a", threshold=score, model_version=job.model_version)
    with bench.parts.storage.read(job.rows_blob) as source, bench.parts.storage.write(at.rows_blob) as copy:
        copy.write(source.read())
    bench.parts.store.create(at, 1)
    done = bench.score_all(at)
    assert (done.granted, done.refused) == (0, 1)


def test_a_job_is_scored_by_the_version_it_was_submitted_for(bench: Workbench, numbers: Kit, job: Job) -> None:
    assert bench.offer(make_kit(purpose=False, seed=4)) != job.model_version
    done = bench.score_all(job)
    assert scores(bench, done) == numbers.expected(numbers.rows[:ROWS])


def test_a_chunk_scored_twice_counts_once(bench: Workbench, job: Job) -> None:
    bench.score(job.id, 0)
    bench.score(job.id, 0)
    assert bench.parts.store.get(job.id).rows_done == job.chunk_rows


def test_a_chunk_that_another_worker_holds_is_left_to_it(bench: Workbench, job: Job) -> None:
    assert bench.parts.store.claim(job.id, "0", new_attempt()) is Claim.TAKEN
    bench.score(job.id, 0)
    assert bench.parts.store.get(job.id).rows_done == 0
    assert bench.stored_files() == [job.rows_blob, job.upload_blob]


@pytest.mark.parametrize("job_id", ["0" * 32, "x"])
def test_a_chunk_of_no_job_is_passed_over(bench: Workbench, job_id: str) -> None:
    assert bench.score(job_id, 0) == []
    assert bench.client.keys() == []


def test_a_version_that_is_nowhere_fails_the_job_with_the_reason(bench: Workbench, job: Job) -> None:
    for folder in ("source", "cache"):
        (bench.folder / folder).rename(bench.folder / f"lost {folder}")
    elsewhere = ModelCache(FolderSource(bench.folder / "source"), bench.folder / "cache")
    bench.score(job.id, 0, elsewhere)
    failed = bench.parts.store.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert (failed.error.type, failed.error.params["version"]) == ("model-cannot-score", job.model_version)


def lose_the_rows(bench: Workbench, job: Job) -> None:
    (bench.folder / "storage" / job.rows_blob).unlink()


def cut_the_rows(bench: Workbench, job: Job) -> None:
    path = bench.folder / "storage" / job.rows_blob
    path.write_bytes(path.read_bytes()[:100])


def empty_the_rows(bench: Workbench, job: Job) -> None:
    (bench.folder / "storage" / job.rows_blob).write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "type"),
    [
        (lose_the_rows, "storage-file-missing"),
        (cut_the_rows, "storage-damaged"),
        (empty_the_rows, "storage-damaged"),
    ],
)
def test_rows_that_cannot_be_read_are_tried_again_and_then_fail_the_job(
    bench: Workbench, job: Job, damage: Callable[[Workbench, Job], None], type: str
) -> None:
    damage(bench, job)
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            bench.score(job.id, 1)
        assert bench.parts.store.overdue(job.id) == ["1"]
    bench.score(job.id, 1)
    failed = bench.parts.store.get(job.id)
    assert failed.state is JobState.FAILED
    assert failed.error == given_up(1, Reason(type))


def test_a_fault_of_the_worker_is_tried_again_and_its_message_kept_to_the_log(bench: Workbench, job: Job) -> None:
    def fault() -> None:
        raise ZeroDivisionError("a secret")

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            bench.score(job.id, 0, MeddlingCache(bench, fault))
    bench.score(job.id, 0)
    error = bench.parts.store.get(job.id).error
    assert error == given_up(0, Reason("worker-failed", {"fault": "ZeroDivisionError"}))


def test_a_worker_that_would_give_the_scores_of_another_class_fails_the_job(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:3], positive_class="0")
    assert bench.score(job.id, 0) == []
    failed = bench.parts.store.get(job.id)
    assert failed.state is JobState.FAILED and failed.error is not None
    assert "Set POSITIVE_CLASS alike" in failed.error.message
    same = bench.submit(numbers.rows[:3], positive_class="1")
    bench.score(same.id, 0)
    assert bench.parts.store.get(same.id).state is JobState.SUCCEEDED


@pytest.mark.parametrize("meddling", [MeddlingCache, MeddlingStorage])
@pytest.mark.parametrize("end", [JobStore.cancel, removed])
def test_a_job_that_ends_while_it_is_scored_stays_so_and_leaves_nothing(
    bench: Workbench,
    job: Job,
    meddling: type[MeddlingCache | MeddlingStorage],
    end: Callable[[JobStore, str], object],
) -> None:
    meddler = meddling(bench, lambda: end(bench.parts.store, job.id))
    at = bench.place(models=meddler) if isinstance(meddler, MeddlingCache) else bench.place(storage=meddler)
    assert attempt(job.id, "0", score_chunk, at) == []
    assert bench.stored_files() == []
    if end is JobStore.cancel:
        cancelled = bench.parts.store.get(job.id)
        assert (cancelled.state, cancelled.rows_done) == (JobState.CANCELLED, 0)


def test_a_job_that_fails_while_it_is_scored_keeps_its_rows_for_a_retry(
    bench: Workbench, numbers: Kit, job: Job
) -> None:
    bench.score(job.id, 0, MeddlingCache(bench, lambda: bench.parts.store.fail(job.id, WHY)))
    assert bench.parts.store.retry(job.id, 10) == ["0", "1", "2"]
    assert bench.score_all(job).state is JobState.SUCCEEDED
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])


def test_a_chunk_that_is_done_makes_room_for_the_next_one(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:ROWS], chunk_rows=1)
    window = bench.parts.window()
    assert [bench.score(job.id, chunk) for chunk in (1, 0)] == [[str(window)], [str(window + 1)]]


def test_a_job_of_invalid_rows_only_has_no_score(bench: Workbench, numbers: Kit) -> None:
    bad = numbers.rows[0] | {"age": 17}
    done = bench.score_all(bench.submit([bad] * 5, on_invalid="flag"))
    assert (done.state, done.rows_done, done.invalid, done.granted, done.refused) == (JobState.SUCCEEDED, 5, 5, 0, 0)
    assert scores(bench, done) == [None] * 5


def test_a_worker_that_is_late_does_not_count_a_second_time(bench: Workbench, job: Job) -> None:
    def another_worker_was_quicker() -> None:
        bench.parts.store.commit(job.id, "0", 10, granted=1, refused=3)

    bench.score(job.id, 0, MeddlingCache(bench, another_worker_was_quicker))
    now = bench.parts.store.get(job.id)
    assert (now.rows_done, now.granted, now.refused) == (4, 1, 3)


def test_a_score_that_cannot_be_recorded_is_raised_and_the_chunk_done_again(bench: Workbench, job: Job) -> None:
    def redis_goes_away() -> None:
        bench.server.connected = False

    with pytest.raises(RedisUnavailable):
        bench.score(job.id, 0, MeddlingCache(bench, redis_goes_away))
    bench.server.connected = True
    bench.parts.store.release(job.id, "0", ME, WHY)
    assert bench.score_all(job).rows_done == ROWS


@pytest.fixture(scope="module")
def towns() -> Kit:
    """A model of which it can be told what towns it saw."""
    return make_town_kit()


@pytest.mark.parametrize(("on_invalid", "unseen"), [("reject", 4), ("flag", 3)])
def test_rows_with_categories_that_the_model_has_not_seen_are_counted(
    bench: Workbench, towns: Kit, on_invalid: OnInvalid, unseen: int
) -> None:
    bench.offer(towns)
    others = ["town 20", " town 1", "Town 1", "to\u0301wn"]
    rows = [*towns.rows[:5], *({"amount": 1.0, "town": town} for town in others), *towns.rows[:2]]
    if on_invalid == "flag":
        rows[6]["amount"] = None
    job = bench.submit(rows, on_invalid=on_invalid)
    counts = [bench.parts.store.get(job.id).unseen_categories]
    for chunk in range(job.chunks or 0):
        bench.score(job.id, chunk)
        bench.score(job.id, chunk)
        counts.append(bench.parts.store.get(job.id).unseen_categories)
    assert counts == [{}, {"town": 0}, {"town": unseen - 1}, {"town": unseen}]


def test_a_missing_category_counts_where_the_training_had_none(bench: Workbench, towns: Kit) -> None:
    bench.offer(towns)
    done = bench.score_all(bench.submit([{"amount": 1.0, "town": None}, {"amount": 1.0}, towns.rows[0]]))
    assert done.unseen_categories == {"town": 2}


def test_of_a_model_of_numbers_there_is_nothing_to_count(bench: Workbench, job: Job) -> None:
    assert bench.score_all(job).unseen_categories == {}

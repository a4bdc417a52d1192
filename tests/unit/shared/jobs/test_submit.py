"""A submission becomes a job as a whole, or leaves nothing."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from shared.contract.validated import Validated
from shared.errors import IdempotencyConflict, InvalidRows, RedisUnavailable, StorageUnavailable
from shared.formats.format import Format
from shared.formats.json_columns import kept_array
from shared.formats.source import ReadOptions
from shared.jobs import expiry
from shared.jobs.job import READING, Job, JobState, Stage
from shared.storage import create_storage
from tests.factories import Kit, Row, is_known
from tests.store_contract import store_over
from tests.unit.wire import LATE, LOST, WireInMemory
from tests.unit.workbench import CHUNK_ROWS, Workbench, as_file


def new_job(bench: Workbench) -> Job:
    model = bench.model()
    return Job(uuid4().hex, model.version, model.threshold, time.time())


def assert_nothing_was_created(bench: Workbench) -> None:
    bench.server.connected = True
    assert bench.client.keys() == []
    assert bench.stored_files() == []
    assert list((bench.folder / "storage").rglob("jobs/*")) == []
    assert bench.take_units() == []


def test_a_job_is_pinned_to_its_model_and_its_chunks_are_published(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:10])
    model = bench.model()
    assert (job.model_version, job.threshold, job.state) == (model.version, model.threshold, JobState.QUEUED)
    assert (job.stage, job.rows, job.chunk_rows, job.chunks) == (Stage.SCORING, 10, CHUNK_ROWS, 3)
    assert replace(bench.parts.store.get(job.id), next_chunk=0) == job
    assert bench.take_units() == [(job.id, "0"), (job.id, "1"), (job.id, "2")]


def test_no_more_chunks_are_published_than_the_window_allows(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:20], chunk_rows=2)
    assert bench.take_units() == [(job.id, str(chunk)) for chunk in range(bench.parts.window())]


def test_no_two_jobs_share_an_id(bench: Workbench, numbers: Kit) -> None:
    assert bench.submit(numbers.rows[:1]).id != bench.submit(numbers.rows[:1]).id


@pytest.mark.parametrize(
    ("first", "last"),
    [(1, "last"), (1, 0.5), (None, 7), (None, "a"), (0.5, 3), (True, 1), (2**60 + 1, 0.5), (None, None), ("a", 1)],
)
def test_a_kept_column_has_one_type_wherever_its_values_change(
    bench: Workbench, numbers: Kit, first: Any, last: Any
) -> None:
    values = [first] * 3990 + [last] * 10
    rows: list[Row] = [row | {"id": value} for row, value in zip(numbers.rows[:400] * 10, values, strict=True)]
    job = bench.submit(rows, chunk_rows=1000, keep=("id",))
    bench.score_all(job)
    ids = pa.chunked_array([batch.column("id") for batch in bench.results(job).batches()])
    expected = kept_array(values)
    assert (ids.type, ids.to_pylist()) == (expected.type, expected.to_pylist())
    assert len([name for name in bench.stored_files() if "echo-" in name]) == 1


@pytest.mark.parametrize("bad", [0, 5, 2999])
def test_a_bad_row_leaves_nothing(bench: Workbench, numbers: Kit, bad: int) -> None:
    rows = [numbers.rows[0]] * 3000
    rows[bad] = numbers.rows[0] | {"age": 17}
    with pytest.raises(InvalidRows):
        bench.submit(rows)
    assert_nothing_was_created(bench)


@pytest.mark.parametrize("fault", [KeyboardInterrupt, MemoryError, StorageUnavailable])
def test_rows_that_break_off_leave_nothing(bench: Workbench, numbers: Kit, fault: type[BaseException]) -> None:
    model = bench.model()

    def broken(_: ReadOptions) -> Iterator[Validated]:
        yield Validated(model.contract.to_batch(numbers.rows[:10]), None)
        raise fault

    with pytest.raises(fault):
        bench.intake().submit_rows(b"", broken, new_job(bench), model)
    assert_nothing_was_created(bench)


SUBMISSIONS: list[Callable[[Workbench, list[Row]], Job]] = [
    lambda bench, rows: bench.submit(rows),
    lambda bench, rows: bench.submit_file(b"a file"),
]


@pytest.mark.parametrize("submit", SUBMISSIONS)
def test_what_was_stored_without_redis_goes_later(
    bench: Workbench, numbers: Kit, submit: Callable[[Workbench, list[Row]], Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.server.connected = False
    with pytest.raises(RedisUnavailable):
        submit(bench, numbers.rows[:10])
    bench.server.connected = True
    assert bench.parts.store.page(None, 0, 10)[1] == 0
    assert bench.take_units() == []
    monkeypatch.setattr(expiry, "ORPHAN_AGE", -1.0)
    expiry.remove_expired(bench.parts.store, bench.parts.storage)
    assert bench.stored_files() == []


def test_without_storage_nothing_is_left(bench: Workbench, numbers: Kit) -> None:
    (bench.folder / "full").write_text("no folder")
    away = replace(bench.intake(), storage=create_storage(str(bench.folder / "full")))
    model = bench.model()
    rows = [Validated(model.contract.to_batch(numbers.rows[:10]), None)]
    with pytest.raises(StorageUnavailable):
        away.submit_rows(b"", lambda _: rows, new_job(bench), model)
    assert_nothing_was_created(bench)


def test_a_file_waits_to_be_read(bench: Workbench) -> None:
    job = bench.submit_file(b"a file", keep=("id",), on_invalid="flag", encoding="gzip", delimiter=";", decimal=",")
    assert (job.stage, job.state, job.rows, job.format) == (Stage.READING, JobState.QUEUED, None, Format.CSV)
    assert bench.parts.store.get(job.id) == job
    assert bench.stored_files() == [job.upload_blob]
    assert bench.take_units() == [(job.id, READING)]


def over(wire: WireInMemory, bench: Workbench) -> Workbench:
    """The same parts, whose job store reaches Redis by this wire."""
    return replace(bench, parts=replace(bench.parts, store=store_over(wire.client)))


def scored(bench: Workbench, job: Job) -> JobState:
    """Do what is left of the job."""
    return bench.score_all(bench.read(job.id)).state


class TestALostAnswer:
    """The record may have been made although no answer came."""

    @pytest.fixture
    def wire(self, bench: Workbench) -> WireInMemory:
        return WireInMemory(bench.server)

    @pytest.fixture(params=["rows", "file"])
    def submit(self, numbers: Kit, request: pytest.FixtureRequest) -> Callable[[Workbench, str | None], Job]:
        rows = numbers.rows[:10]
        if request.param == "rows":
            return lambda bench, key: bench.submit(rows, key=key)
        return lambda bench, key: bench.submit_file(as_file(rows), key=key)

    @pytest.mark.parametrize("key", ["key", None])
    @pytest.mark.parametrize("disturbance", [LOST, LATE])
    def test_the_job_is_accepted_if_the_answer_comes_the_second_time(
        self,
        bench: Workbench,
        wire: WireInMemory,
        submit: Callable[[Workbench, str | None], Job],
        key: str | None,
        disturbance: str,
    ) -> None:
        with wire.disturbed(disturbance, script="create"):
            job = submit(over(wire, bench), key)
        assert bench.parts.store.page(None, 0, 10)[1] == 1
        assert {job_id for job_id, _ in bench.take_units()} == {job.id}
        assert scored(bench, job) is JobState.SUCCEEDED

    @pytest.mark.parametrize("key", ["key", None])
    def test_a_job_of_which_the_caller_does_not_know_is_whole_and_is_the_one_that_a_repeat_gets(
        self, bench: Workbench, wire: WireInMemory, submit: Callable[[Workbench, str | None], Job], key: str | None
    ) -> None:
        with wire.disturbed(LOST, script="create", times=2), pytest.raises(RedisUnavailable):
            submit(over(wire, bench), key)
        [job], total = bench.parts.store.page(None, 0, 10)
        assert total == 1
        if key:
            assert submit(bench, key).id == job.id
        assert scored(bench, job) is JobState.SUCCEEDED

    def test_a_record_that_would_come_after_its_blobs_were_removed_does_not_come(
        self,
        bench: Workbench,
        wire: WireInMemory,
        submit: Callable[[Workbench, str | None], Job],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(expiry, "ORPHAN_AGE", -1.0)
        with wire.disturbed(LATE, script="create", times=2):
            with pytest.raises(RedisUnavailable):
                submit(over(wire, bench), "key")
            assert bench.stored_files()
            expiry.remove_expired(bench.parts.store, bench.parts.storage)
            assert bench.stored_files() == []
        assert bench.parts.store.page(None, 0, 10)[1] == 0
        assert scored(bench, submit(bench, "key")) is JobState.SUCCEEDED

    def test_a_submission_that_slept_until_its_blobs_were_removed_is_not_accepted(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(expiry, "ORPHAN_AGE", -1.0)
        with bench.parts.storage.write((job := replace(new_job(bench), format=Format.CSV)).upload_blob) as file:
            file.write(b"a file")
        expiry.remove_expired(bench.parts.store, bench.parts.storage)
        with pytest.raises(StorageUnavailable):
            bench.intake().submit_file(job)
        assert bench.parts.store.page(None, 0, 10)[1] == 0

    def test_the_report_comes_with_the_job(self, bench: Workbench, wire: WireInMemory, numbers: Kit) -> None:
        with wire.disturbed(LOST, script="create", times=2), pytest.raises(RedisUnavailable):
            over(wire, bench).submit([*numbers.rows[:3], numbers.rows[3] | {"age": 17}], on_invalid="flag")
        [job], _ = bench.parts.store.page(None, 0, 10)
        assert bench.parts.store.report(job.id).invalid_rows == 1


@pytest.mark.parametrize("submit", [
    lambda bench, kit, count: bench.submit(kit.rows[:count], key="key"),
    lambda bench, kit, count: bench.submit_file(b"a" * count, key="key"),
])  # fmt: skip
class TestIdempotency:
    def test_the_same_submission_twice_is_one_job_and_one_set_of_blobs(
        self, bench: Workbench, numbers: Kit, submit: Callable[[Workbench, Kit, int], Job]
    ) -> None:
        first = submit(bench, numbers, 5)
        units, files = bench.take_units(), bench.stored_files()
        assert units
        again = submit(bench, numbers, 5)
        assert again == bench.parts.store.get(first.id)
        assert bench.take_units() == []
        assert bench.stored_files() == files
        assert len(list((bench.folder / "storage" / "jobs").iterdir())) == 1

    def test_another_submission_under_the_same_key_is_rejected_and_leaves_nothing(
        self, bench: Workbench, numbers: Kit, submit: Callable[[Workbench, Kit, int], Job]
    ) -> None:
        submit(bench, numbers, 5)
        bench.take_units()
        files = bench.stored_files()
        with pytest.raises(IdempotencyConflict):
            submit(bench, numbers, 6)
        assert bench.stored_files() == files
        assert bench.take_units() == []
        assert bench.parts.store.page(None, 0, 10)[1] == 1

    def test_a_submission_whose_job_is_gone_is_a_new_one(
        self, bench: Workbench, numbers: Kit, submit: Callable[[Workbench, Kit, int], Job]
    ) -> None:
        first = submit(bench, numbers, 5)
        bench.parts.storage.delete_folder(first.folder)
        bench.parts.store.forget(first.id)
        again = submit(bench, numbers, 5)
        assert is_known(bench.parts.store, again.id)

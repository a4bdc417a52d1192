"""Reading a file: it becomes chunks, or its job says why not; whatever happens meanwhile, nothing is lost or left over."""

import errno
import gzip
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shared.errors import ALL_VALID, RedisUnavailable, StorageUnavailable
from shared.formats import csv_rows, ndjson
from shared.formats.format import Format
from shared.formats.json_columns import kept_array
from shared.jobs import upload
from shared.jobs.job import READING, Job, JobState, Stage
from shared.jobs.store import Claim, JobStore
from shared.reasons import InvalidValue, Reason
from shared.storage.local import LocalStorage
from tests.factories import Kit, Row, is_known, removed
from tests.store_contract import ME, given_up, new_attempt, store_over
from tests.unit.wire import LATE, LOST, WireInMemory
from tests.unit.workbench import CHUNK_ROWS, MeddlingCache, MeddlingStorage, MeddlingStore, Workbench, as_file

ROWS = 10
WHY = Reason("storage-full")
STORED = [Format.CSV, Format.NDJSON]
"""Formats whose rows are stored; what is read in place has tests of its own."""
FORMATS = [*STORED, Format.PARQUET]


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are read in several slices too."""
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 300)
    monkeypatch.setattr(ndjson, "BLOCK_BYTES", 300)


@pytest.fixture
def rows(numbers: Kit) -> list[Row]:
    return [row | {"id": i} for i, row in enumerate(numbers.rows[:ROWS])]


@pytest.fixture
def job(bench: Workbench, rows: list[Row]) -> Job:
    """A CSV file of ten rows that waits to be read."""
    return bench.submit_file(as_file(rows))


def with_bad_rows(rows: list[Row], *bad: int) -> list[Row]:
    return [row | {"age": 17} if i in bad else row for i, row in enumerate(rows)]


def scores(bench: Workbench, job: Job) -> list[float | None]:
    return [score for batch in bench.results(job).batches() for score in batch.column("score").to_pylist()]


def stored_by_reading(job: Job) -> list[str]:
    """What there is of a file of text whose rows are stored."""
    return sorted([job.upload_blob, job.rows_blob, job.index_blob, *([job.echo_blob] if job.keep else [])])


@pytest.mark.parametrize("format", STORED)
def test_a_good_file_becomes_chunks_and_stays(bench: Workbench, numbers: Kit, rows: list[Row], format: Format) -> None:
    made = bench.submit_file(as_file(rows, format), format=format, keep=("id",))
    job = bench.read(made.id)
    assert (job.state, job.stage) == (JobState.RUNNING, Stage.SCORING)
    assert (job.rows, job.rows_read, job.chunk_rows, job.chunks) == (ROWS, ROWS, CHUNK_ROWS, 3)
    assert {job.upload_blob, job.rows_blob, job.echo_blob} <= {*bench.stored_files()}
    done = bench.score_all(job)
    assert done.state is JobState.SUCCEEDED
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])
    kept = [value for batch in bench.results(job).batches() for value in batch.column("id").to_pylist()]
    assert [int(value) for value in kept] == list(range(ROWS))


def test_the_units_to_publish_are_those_that_the_window_allows(bench: Workbench, job: Job) -> None:
    from_window = {1: ["0"], 2: ["1"]}
    assert bench.read_units(job.id, window=1) == from_window[1]
    assert bench.parts.store.fill(job.id, 2) == from_window[2]


@pytest.mark.parametrize("encoding", ["gzip"])
def test_a_compressed_file_is_read_as_it_was_written(
    bench: Workbench, numbers: Kit, rows: list[Row], encoding: Any
) -> None:
    job = bench.read(bench.submit_file(gzip.compress(as_file(rows)), encoding=encoding).id)
    bench.score_all(job)
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])


def test_a_compressed_parquet_file_is_read_by_way_of_a_file_of_its_own(
    bench: Workbench, numbers: Kit, rows: list[Row]
) -> None:
    content = gzip.compress(as_file(rows, Format.PARQUET))
    job = bench.read(bench.submit_file(content, format=Format.PARQUET, encoding="gzip").id)
    bench.score_all(job)
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])


def test_a_file_at_an_address_is_read_from_there_and_stays(
    bench: Workbench, numbers: Kit, rows: list[Row], tmp_path: Path
) -> None:
    path = tmp_path / "input.csv"
    path.write_bytes(as_file(rows))
    job = bench.read(bench.submit_file(b"", input_uri=f"file://{path}").id)
    bench.score_all(job)
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])
    assert path.exists()


def test_an_archive_at_an_address_is_read_there(
    bench: Workbench, numbers: Kit, rows: list[Row], tmp_path: Path
) -> None:
    path = tmp_path / "input.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("november/rows.csv", as_file(rows))
    job = bench.score_all(bench.read(bench.submit_file(b"", input_uri=f"file://{path}", encoding="zip").id))
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])


def test_nothing_at_the_address_is_tried_again(bench: Workbench, tmp_path: Path) -> None:
    job = bench.submit_file(b"", input_uri=f"file://{tmp_path}/nothing.csv")
    with pytest.raises(StorageUnavailable):
        bench.read(job.id)
    assert bench.parts.store.overdue(job.id) == [READING]


def test_the_options_of_the_submission_are_followed(bench: Workbench, numbers: Kit) -> None:
    content = as_file(numbers.rows[:ROWS]).replace(b",", b";").replace(b".", b",")
    job = bench.read(bench.submit_file(content, delimiter=";", decimal=",").id)
    bench.score_all(job)
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])


@pytest.mark.parametrize("format", STORED)
def test_a_file_with_bad_rows_fails_with_a_report_and_leaves_nothing(
    bench: Workbench, rows: list[Row], format: Format
) -> None:
    made = bench.submit_file(as_file(with_bad_rows(rows, 0, 7), format), format=format)
    job = bench.read(made.id)
    assert (job.state, job.retryable, job.rows) == (JobState.FAILED, False, None)
    assert job.error == Reason("invalid-rows", {"count": 2, "limit": 100})
    assert job.error.message == "2 values break the feature contract; the report lists up to 100."
    report = bench.parts.store.report(job.id)
    assert (report.invalid_rows, report.invalid_values) == (2, 2)
    assert report.errors == tuple(InvalidValue(row, "age", "greater_than_equal", {"limit": 18}) for row in (0, 7))
    assert not (bench.folder / "storage" / job.folder).exists()
    assert bench.parts.store.retry(job.id, 10) is None


def test_a_report_tells_the_first_hundred_and_the_number_of_all(bench: Workbench, numbers: Kit) -> None:
    rows = numbers.rows[:5] + [row | {"age": 17} for row in numbers.rows[5:155]]
    job = bench.read(bench.submit_file(as_file(rows)).id)
    report = bench.parts.store.report(job.id)
    assert ([error.row for error in report.errors], report.invalid_values) == (list(range(5, 105)), 150)
    assert job.error == Reason("invalid-rows", {"count": 150, "limit": 100})


def test_a_report_counts_invalid_rows_and_invalid_values_apart(bench: Workbench, numbers: Kit) -> None:
    rows = [numbers.rows[0], numbers.rows[1] | {"age": 17, "income": -1}, numbers.rows[2] | {"age": 17}]
    job = bench.read(bench.submit_file(as_file(rows)).id)
    report = bench.parts.store.report(job.id)
    assert (report.invalid_rows, report.invalid_values, len(report.errors)) == (2, 3, 3)


@pytest.mark.parametrize("format", STORED)
def test_flagged_rows_are_reported_and_the_others_scored(
    bench: Workbench, numbers: Kit, rows: list[Row], format: Format
) -> None:
    made = bench.submit_file(as_file(with_bad_rows(rows, 0, 7), format), format=format, on_invalid="flag")
    job = bench.read(made.id)
    assert (job.state, job.stage, job.rows) == (JobState.RUNNING, Stage.SCORING, ROWS)
    report = bench.parts.store.report(job.id)
    assert ([error.row for error in report.errors], report.invalid_rows) == ([0, 7], 2)
    done = bench.score_all(job)
    assert (done.state, done.rows_done, done.invalid, done.granted + done.refused) == (JobState.SUCCEEDED, ROWS, 2, 8)
    expected = [None if i in (0, 7) else score for i, score in enumerate(numbers.expected(numbers.rows[:ROWS]))]
    assert scores(bench, job) == expected


def test_a_flagged_file_without_a_bad_row_has_no_report(bench: Workbench, rows: list[Row]) -> None:
    job = bench.read(bench.submit_file(as_file(rows), on_invalid="flag").id)
    assert bench.parts.store.report(job.id) == ALL_VALID


@pytest.mark.parametrize("last", ["last", 0.5, None, True, [1]])
def test_a_kept_column_has_one_type_wherever_its_values_change(bench: Workbench, rows: list[Row], last: Any) -> None:
    rows = [*rows[:-1], rows[-1] | {"id": last}]
    expected = kept_array([row["id"] for row in rows])
    bad = with_bad_rows(rows, 0, 7)
    made = bench.submit_file(as_file(bad, Format.NDJSON), format=Format.NDJSON, keep=("id",), on_invalid="flag")
    job = bench.read(made.id)
    assert bench.parts.store.report(job.id).invalid_values == 2 + (last == [1])
    bench.score_all(job)
    ids = pa.chunked_array([batch.column("id") for batch in bench.results(job).batches()])
    assert (ids.type, ids.to_pylist()) == (expected.type, expected.to_pylist())
    assert len([name for name in bench.stored_files() if "echo-" in name]) == 1


@pytest.mark.parametrize("format", FORMATS)
def test_a_kept_column_without_any_value_is_kept(bench: Workbench, rows: list[Row], format: Format) -> None:
    made = bench.submit_file(as_file([row | {"id": None} for row in rows], format), format=format, keep=("id",))
    job = bench.read(made.id)
    bench.score_all(job)
    assert [value for batch in bench.results(job).batches() for value in batch.column("id").to_pylist()] == [
        None
    ] * ROWS


def cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("format", "change", "type", "words"),
    [
        (Format.PARQUET, cut_in_half, "file-cut-off", "cut off"),
        (Format.PARQUET, lambda _: b"no Parquet", "file-format", "not in Parquet format"),
        (Format.NDJSON, lambda content: content + b"{", "ndjson-invalid", "Line 11"),
        (Format.CSV, lambda _: b"", "file-empty", "empty"),
        (Format.CSV, lambda content: content.replace(b"income", b"outcome"), "columns-missing-and-unknown", "outcome"),
        (Format.CSV, lambda content: content.split(b"\n")[0] + b"\n", "no-rows", "no rows"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_rejected_for_good(
    bench: Workbench, rows: list[Row], format: Format, change: Callable[[bytes], bytes], type: str, words: str
) -> None:
    job = bench.read(bench.submit_file(change(as_file(rows, format)), format=format).id)
    assert (job.state, job.retryable) == (JobState.FAILED, False)
    assert job.error is not None
    assert (job.error.type, words in job.error.message) == (type, True)
    assert bench.stored_files() == []
    assert bench.parts.store.report(job.id) == ALL_VALID


def test_a_file_of_too_many_rows_is_rejected(bench: Workbench, job: Job) -> None:
    failed = bench.read(job.id, limits=replace(bench.parts.limits, rows=ROWS - 1))
    assert (failed.state, failed.retryable) == (JobState.FAILED, False)
    assert failed.error == Reason("too-many-rows", {"limit": ROWS - 1})
    assert bench.stored_files() == []


def test_a_file_of_as_many_rows_as_may_be_is_read(bench: Workbench, job: Job) -> None:
    assert bench.read(job.id, limits=replace(bench.parts.limits, rows=ROWS)).rows == ROWS


def test_a_file_that_becomes_too_large_when_it_is_decompressed_is_rejected(bench: Workbench, rows: list[Row]) -> None:
    made = bench.submit_file(gzip.compress(as_file(rows)), encoding="gzip")
    failed = bench.read(made.id, limits=replace(bench.parts.limits, decoded_bytes=300))
    assert (failed.state, failed.retryable) == (JobState.FAILED, False)
    assert failed.error == Reason("decompressed-too-large", {"limit": 300})


def test_a_file_is_read_later_when_the_storage_is_nearly_full(bench: Workbench, job: Job) -> None:
    with pytest.raises(StorageUnavailable, match="full"):
        bench.read(job.id, limits=replace(bench.parts.limits, free_bytes=2**62))
    assert bench.stored_files() == [job.upload_blob]
    assert bench.parts.store.overdue(job.id) == [READING]
    assert bench.read(job.id).rows == ROWS


def test_a_model_that_is_gone_fails_the_job_which_can_be_tried_again(bench: Workbench, numbers: Kit, job: Job) -> None:
    for folder in ("source", "cache"):
        (bench.folder / folder).rename(bench.folder / f"lost {folder}")
    failed = bench.read(job.id, bench.place(models=MeddlingCache(bench, lambda: None)))
    assert (failed.state, failed.retryable) == (JobState.FAILED, True)
    assert failed.error is not None
    assert (failed.error.type, failed.error.params["version"]) == ("model-cannot-score", job.model_version)
    assert failed.error.params["reason"]["type"] == "model-file-missing"
    bench.offer(numbers)
    assert bench.parts.store.retry(job.id, 10) == [READING]
    assert bench.read(job.id).rows == ROWS


def test_a_file_that_cannot_be_read_now_is_tried_again_and_then_fails_the_job(bench: Workbench, job: Job) -> None:
    upload = bench.folder / "storage" / job.upload_blob
    upload.rename(bench.folder / "elsewhere")
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            bench.read(job.id)
        assert bench.parts.store.overdue(job.id) == [READING]
    failed = bench.read(job.id)
    assert (failed.state, failed.retryable) == (JobState.FAILED, True)
    assert failed.error == given_up(READING, Reason("storage-file-missing"))
    (bench.folder / "elsewhere").rename(upload)
    bench.parts.store.retry(job.id, 10)
    assert bench.read(job.id).rows == ROWS


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_was_removed_meanwhile_is_no_fault_of_the_worker(
    bench: Workbench, rows: list[Row], format: Format
) -> None:
    job = bench.submit_file(as_file(rows, format), format=format)
    bench.parts.storage.delete(job.upload_blob)
    with pytest.raises(StorageUnavailable) as caught:
        bench.read(job.id)
    assert caught.value.reason.type == "storage-file-missing"


def test_no_room_for_a_copy_is_no_fault_of_the_worker(
    bench: Workbench, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/copy")  # noqa: S108 - a path that must not be told

    monkeypatch.setattr(upload, "spooled", full)
    packed = gzip.compress(as_file(rows, Format.PARQUET))
    job = bench.submit_file(packed, format=Format.PARQUET, encoding="gzip")
    with pytest.raises(StorageUnavailable) as caught:
        bench.read(job.id)
    assert caught.value.reason == Reason("storage-full")


def test_a_fault_of_the_worker_is_tried_again_and_its_message_kept_to_the_log(bench: Workbench, job: Job) -> None:
    def fault() -> None:
        raise ZeroDivisionError("a secret")

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            bench.read(job.id, bench.place(models=MeddlingCache(bench, fault)))
    fault_of_ours = Reason("worker-failed", {"fault": "ZeroDivisionError"})
    assert bench.read(job.id).error == given_up(READING, fault_of_ours)


@pytest.mark.parametrize("job_id", ["0" * 32, "x"])
def test_the_file_of_no_job_is_passed_over(bench: Workbench, job_id: str) -> None:
    assert bench.read_units(job_id) == []
    assert bench.client.keys() == []


def test_a_file_that_another_worker_reads_is_left_to_it(bench: Workbench, job: Job) -> None:
    assert bench.parts.store.claim(job.id, READING, new_attempt()) is Claim.TAKEN
    assert bench.read(job.id).rows is None
    assert bench.stored_files() == [job.upload_blob]


def test_a_file_is_read_once(bench: Workbench, job: Job) -> None:
    bench.read(job.id)
    files = bench.stored_files()
    assert bench.read_units(job.id) == []
    assert bench.stored_files() == files


@pytest.mark.parametrize("end", [JobStore.cancel, removed])
class TestTheEndOfTheJobMeanwhile:
    def test_reading_stops_and_leaves_nothing(
        self, bench: Workbench, job: Job, end: Callable[[JobStore, str], object]
    ) -> None:
        meddling = MeddlingCache(bench, lambda: end(bench.parts.store, job.id))
        assert bench.read_units(job.id, bench.place(models=meddling)) == []
        assert bench.stored_files() == []
        assert not (bench.folder / "storage" / job.folder).exists()

    def test_what_was_read_by_then_is_removed(
        self, bench: Workbench, job: Job, end: Callable[[JobStore, str], object]
    ) -> None:
        meddling = MeddlingStorage(bench, lambda: end(bench.parts.store, job.id))
        assert bench.read_units(job.id, bench.place(storage=meddling)) == []
        assert bench.stored_files() == []
        if is_known(bench.parts.store, job.id):
            cancelled = bench.parts.store.get(job.id)
            assert (cancelled.state, cancelled.rows) == (JobState.CANCELLED, None)


def test_a_reading_that_cannot_be_recorded_is_raised_and_done_again(bench: Workbench, job: Job) -> None:
    def redis_goes_away() -> None:
        bench.server.connected = False

    with pytest.raises(RedisUnavailable):
        bench.read(job.id, bench.place(storage=MeddlingStorage(bench, redis_goes_away)))
    bench.server.connected = True
    bench.parts.store.release(job.id, READING, ME, WHY)
    assert bench.read(job.id).rows == ROWS


@pytest.mark.parametrize("disturbance", [LOST, LATE])
def test_a_reading_keeps_its_rows_when_the_answer_to_its_commit_comes_the_second_time(
    bench: Workbench, numbers: Kit, job: Job, disturbance: str
) -> None:
    wire = WireInMemory(bench.server)
    with wire.disturbed(disturbance, script="commit_reading"):
        assert bench.read_units(job.id, bench.place(store=store_over(wire.client))) == ["0", "1", "2"]
    now = bench.parts.store.get(job.id)
    assert bench.stored_files() == stored_by_reading(now)
    assert bench.score_all(now).state is JobState.SUCCEEDED
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])


@pytest.mark.parametrize("disturbance", [LOST, LATE])
def test_a_reading_that_does_not_know_whether_it_is_recorded_leaves_everything(
    bench: Workbench, numbers: Kit, job: Job, disturbance: str
) -> None:
    wire = WireInMemory(bench.server)
    with (
        wire.disturbed(disturbance, script="commit_reading", times=2),
        pytest.raises(RedisUnavailable),
    ):
        bench.read(job.id, bench.place(store=store_over(wire.client)))
    assert job.upload_blob in bench.stored_files()
    now = bench.parts.store.get(job.id)
    if disturbance == LATE:
        # It was handed back by then, and the late command found that out.
        assert now.rows is None
        now = bench.read(job.id)
    assert bench.score_all(now).state is JobState.SUCCEEDED
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])


def leave_behind(bench: Workbench, job: Job) -> None:
    """What readings that were killed leave: blobs, whole or not."""
    for name in ("rows-0123.arrow", "rows-4567.arrow.89.partial", "echo-4567.arrow.ab.partial", "index-0123.arrow"):
        (bench.folder / "storage" / job.folder / name).write_bytes(b"rows")


def test_a_reading_removes_what_earlier_ones_left(bench: Workbench, rows: list[Row]) -> None:
    job = bench.submit_file(as_file(rows), keep=("id",))
    leave_behind(bench, job)
    now = bench.read(job.id)
    assert bench.stored_files() == stored_by_reading(now)


def test_a_reading_that_fails_in_its_turn_has_removed_it_too(bench: Workbench, rows: list[Row]) -> None:
    job = bench.submit_file(b"")
    leave_behind(bench, job)
    bench.parts.storage.delete(job.upload_blob)
    with pytest.raises(StorageUnavailable):
        bench.read(job.id)
    assert bench.stored_files() == []


class SlowToList(LocalStorage):
    """A storage that is meddled with between looking at a folder and telling what is in it."""

    def __init__(self, bench: Workbench, before: Callable[[], object], after: Callable[[], object]) -> None:
        super().__init__(bench.folder / "storage")
        self._before, self._after = before, after

    def blobs(self, folder: str) -> list[str]:
        self._before()
        found = super().blobs(folder)
        self._after()
        return found


@pytest.mark.parametrize("sleeps_before", [True, False])
def test_a_reading_that_lost_its_lease_removes_nothing_of_the_one_that_took_over(
    bench: Workbench, numbers: Kit, job: Job, sleeps_before: bool
) -> None:
    leave_behind(bench, job)
    another, nothing = another_worker_reads(bench, job), lambda: None
    storage = SlowToList(bench, *((another, nothing) if sleeps_before else (nothing, another)))
    assert bench.read_units(job.id, bench.place(storage=storage)) == []
    now = bench.parts.store.get(job.id)
    assert bench.stored_files() == stored_by_reading(now)
    assert bench.score_all(now).state is JobState.SUCCEEDED
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])


def another_worker_reads(bench: Workbench, job: Job) -> Callable[[], None]:
    """The lease is over, and another attempt reads the file from beginning to end; once."""
    turns = iter([True])

    def read() -> None:
        if next(turns, False):
            bench.parts.store.release(job.id, READING, ME, WHY)
            bench.read(job.id)

    return read


def test_of_two_readings_the_first_one_to_end_counts(bench: Workbench, numbers: Kit, job: Job) -> None:
    meddling = MeddlingStorage(bench, another_worker_reads(bench, job))
    assert bench.read_units(job.id, bench.place(storage=meddling)) == []
    now = bench.parts.store.get(job.id)
    bench.score_all(now)
    assert scores(bench, now) == numbers.expected(numbers.rows[:ROWS])


def test_a_job_that_fails_meanwhile_can_still_be_tried_again(bench: Workbench, job: Job) -> None:
    meddling = MeddlingCache(bench, lambda: bench.parts.store.fail(job.id, WHY))
    assert bench.read_units(job.id, bench.place(models=meddling)) == []
    assert bench.stored_files() == [job.upload_blob]
    assert bench.parts.store.retry(job.id, 10) == [READING]
    assert bench.read(job.id).rows == ROWS


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is read at every sign of life, one a slice."""
    monkeypatch.setattr("shared.jobs.unit.RENEW_INTERVAL", -1.0)
    return []


def test_a_reading_gives_signs_of_life(bench: Workbench, signs: list[int], job: Job) -> None:
    bench.read(job.id, bench.place(store=MeddlingStore(bench, signs.append)))
    assert len(signs) > 1
    assert signs == sorted(signs)
    assert signs[-1] == ROWS


def test_a_reading_gives_signs_of_life_after_a_bad_row_too(bench: Workbench, signs: list[int], rows: list[Row]) -> None:
    job = bench.submit_file(as_file(with_bad_rows(rows, 0)))
    bench.read(job.id, bench.place(store=MeddlingStore(bench, signs.append)))
    assert signs[-1:] == [ROWS]


def test_a_reading_that_learns_that_another_was_quicker_leaves_the_rows_alone(
    bench: Workbench, numbers: Kit, signs: list[int], job: Job
) -> None:
    read = another_worker_reads(bench, job)

    def meddle(rows_read: int) -> None:
        signs.append(rows_read)
        read()

    assert bench.read_units(job.id, bench.place(store=MeddlingStore(bench, meddle))) == []
    assert len(signs) == 2
    now = bench.parts.store.get(job.id)
    assert now.rows == ROWS
    bench.score_all(now)
    assert scores(bench, now) == numbers.expected(numbers.rows[:ROWS])


def test_a_job_cancelled_in_the_middle_of_its_file_leaves_nothing(bench: Workbench, signs: list[int], job: Job) -> None:
    def cancel(rows_read: int) -> None:
        signs.append(rows_read)
        bench.parts.store.cancel(job.id)

    assert bench.read_units(job.id, bench.place(store=MeddlingStore(bench, cancel))) == []
    assert len(signs) == 2
    assert bench.stored_files() == []
    assert bench.parts.store.get(job.id).state is JobState.CANCELLED


def test_a_failure_after_another_worker_has_done_the_work_leaves_its_results(
    bench: Workbench, numbers: Kit, job: Job
) -> None:
    turns = iter([True])

    def another_does_it_all(_: int) -> None:
        if next(turns, False):
            bench.parts.store.release(job.id, READING, ME, WHY)
            bench.score_all(bench.read(job.id))

    limits = replace(bench.parts.limits, rows=ROWS - 1)
    bench.read(job.id, bench.place(store=MeddlingStore(bench, another_does_it_all)), limits)
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED
    assert scores(bench, job) == numbers.expected(numbers.rows[:ROWS])

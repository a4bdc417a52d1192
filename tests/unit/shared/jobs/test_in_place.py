"""A file whose chunks are ranges of it: each is decoded, validated and scored in one go, and nothing is handed out too early."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.errors import ALL_VALID, JobConflict, StorageUnavailable
from shared.formats import arrow_metadata, parquet
from shared.formats.format import Format
from shared.jobs.job import READING, Job, JobState, OnInvalid, Stage
from shared.jobs.store import JobStore
from shared.reasons import InvalidValue, Reason
from tests.factories import Kit, Row, removed
from tests.store_contract import given_up
from tests.unit.workbench import MeddlingStorage, Workbench, as_file

ROWS = 12
GROUP = 4
"""Rows of a row group, of a record batch and of a chunk."""

TOO_YOUNG = {"age": 17}


@pytest.fixture
def rows(numbers: Kit) -> list[Row]:
    return [row | {"id": i} for i, row in enumerate(numbers.rows[:ROWS])]


def with_bad_rows(rows: list[Row], *bad: int) -> list[Row]:
    return [row | TOO_YOUNG if i in bad else row for i, row in enumerate(rows)]


def table(rows: list[Row]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def as_parquet(rows: list[Row], **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table(rows), sink, **({"row_group_size": GROUP} | options))
    return bytes(sink.getvalue())


def as_arrow(rows: list[Row], size: int = GROUP, compression: str | None = None) -> bytes:
    sink, content = pa.BufferOutputStream(), table(rows)
    with pa.ipc.new_file(sink, content.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(content, max_chunksize=size)
    return bytes(sink.getvalue())


WRITTEN: dict[str, tuple[Format, Callable[[list[Row]], bytes]]] = {
    "Parquet": (Format.PARQUET, as_parquet),
    "Parquet, tiny row groups": (Format.PARQUET, lambda rows: as_parquet(rows, row_group_size=1)),
    "Parquet, row groups that fit no chunk": (Format.PARQUET, lambda rows: as_parquet(rows, row_group_size=5)),
    "Arrow": (Format.ARROW, as_arrow),
    "Arrow, one record batch": (Format.ARROW, lambda rows: as_arrow(rows, ROWS)),
    "Arrow, compressed": (Format.ARROW, lambda rows: as_arrow(rows, compression="zstd")),
}


@pytest.fixture(params=WRITTEN)
def written(request: pytest.FixtureRequest) -> tuple[Format, Callable[[list[Row]], bytes]]:
    return WRITTEN[request.param]


def submit(bench: Workbench, content: bytes, format: Format = Format.PARQUET, **facts: Any) -> Job:
    """Submit a file that is read in place, up to where its chunks are known."""
    job = bench.read(bench.submit_file(content, format=format, **facts).id)
    assert job.in_place
    return job


def column(bench: Workbench, job: Job, name: str = "score", *, partial: bool = False) -> list[Any]:
    batches = bench.results(job, partial=partial).batches()
    return [value for batch in batches for value in batch.column(name).to_pylist()]


def scores_of(numbers: Kit, *without: int) -> list[float | None]:
    return [None if i in without else score for i, score in enumerate(numbers.expected(numbers.rows[:ROWS]))]


def test_the_reading_stores_no_row_and_the_file_stays(
    bench: Workbench, numbers: Kit, rows: list[Row], written: tuple[Format, Callable[[list[Row]], bytes]]
) -> None:
    job = submit(bench, written[1](rows), written[0], keep=("id",))
    assert (job.state, job.stage, job.rows, job.rows_read) == (JobState.RUNNING, Stage.SCORING, ROWS, ROWS)
    assert bench.stored_files() == [job.upload_blob]
    done = bench.score_all(job)
    assert (done.state, done.rows_done, done.granted + done.refused) == (JobState.SUCCEEDED, ROWS, ROWS)
    assert column(bench, job) == scores_of(numbers)
    assert column(bench, job, "id") == list(range(ROWS))
    assert bench.stored_files() == [*(job.scores_blob(chunk) for chunk in range(job.chunks or 0)), job.upload_blob]


def test_pages_of_results_are_read_across_chunks(bench: Workbench, rows: list[Row]) -> None:
    job = bench.score_all(submit(bench, as_parquet(rows), keep=("id",)))
    for start, end in ((0, 1), (3, 5), (2, 11), (11, 20)):
        found = [i for batch in bench.results(job).batches(start, end) for i in batch.column("id").to_pylist()]
        assert found == list(range(ROWS))[start:end]


def test_an_output_is_written_and_the_file_stays(bench: Workbench, rows: list[Row], tmp_path: Path) -> None:
    job = submit(bench, as_parquet(rows), output_uri=f"file://{tmp_path}/out.parquet")
    assert bench.score_all(job).stage is Stage.WRITING
    bench.write(job.id)
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED
    assert job.upload_blob in bench.stored_files()
    assert pq.read_table(tmp_path / "out.parquet").num_rows == ROWS


def test_a_file_at_an_address_is_read_there_and_stays(
    bench: Workbench, numbers: Kit, rows: list[Row], tmp_path: Path
) -> None:
    path = tmp_path / "input.parquet"
    path.write_bytes(as_parquet(rows))
    job = bench.score_all(submit(bench, b"", input_uri=f"file://{path}"))
    assert column(bench, job) == scores_of(numbers)
    assert path.exists()


def test_a_file_that_is_replaced_meanwhile_fails_its_job(bench: Workbench, rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "input.parquet"
    path.write_bytes(as_parquet(rows))
    job = submit(bench, b"", input_uri=f"file://{path}")
    bench.score(job.id, 0)
    path.write_bytes(as_parquet(rows[1:] + rows[:1]))
    bench.score(job.id, 1)
    failed = bench.parts.store.get(job.id)
    assert (failed.state, failed.error, failed.retryable) == (JobState.FAILED, Reason("file-changed"), False)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_an_invalid_row_fails_the_job_when_all_rows_are_validated(
    bench: Workbench, rows: list[Row], order: tuple[int, ...], written: tuple[Format, Callable[[list[Row]], bytes]]
) -> None:
    job = submit(bench, written[1](with_bad_rows(rows, 2, 10)), written[0])
    *first, last = sorted(range(job.chunks or 0), key=lambda chunk: order[chunk % 3])
    for chunk in first:
        bench.score(job.id, chunk)
        assert bench.parts.store.get(job.id).state is JobState.RUNNING
        assert column(bench, job, partial=True) == []
    bench.score(job.id, last)
    failed = bench.parts.store.get(job.id)
    assert (failed.state, failed.retryable) == (JobState.FAILED, False)
    assert failed.error == Reason("invalid-rows", {"count": 2, "limit": 100})
    assert (failed.rows_done, failed.granted, failed.refused) == (0, 0, 0)
    report = bench.parts.store.report(job.id)
    assert (report.invalid_rows, report.invalid_values) == (2, 2)
    assert report.errors == tuple(InvalidValue(row, "age", "greater_than_equal", {"limit": 18}) for row in (2, 10))
    assert bench.stored_files() == []
    with pytest.raises(JobConflict):
        bench.results(job, partial=True)
    assert bench.parts.store.retry(job.id, 10) is None


def test_no_score_is_handed_out_while_a_row_may_be_invalid(bench: Workbench, numbers: Kit, rows: list[Row]) -> None:
    job = submit(bench, as_parquet(rows))
    for chunk in (0, 1):
        bench.score(job.id, chunk)
        assert bench.results(job, partial=True).rows == 0
    bench.score(job.id, 2)
    assert column(bench, job, partial=True) == scores_of(numbers)


def test_once_a_row_is_known_to_be_invalid_nothing_is_scored_any_more(bench: Workbench, rows: list[Row]) -> None:
    job = submit(bench, as_parquet(with_bad_rows(rows, 0, 9)))
    bench.score(job.id, 0)
    bench.score(job.id, 1)
    assert bench.stored_files() == [job.upload_blob]
    now = bench.parts.store.get(job.id)
    assert (now.rows_done, now.granted, now.refused, now.invalid) == (8, 0, 0, 1)
    bench.score(job.id, 2)
    assert bench.parts.store.report(job.id).invalid_rows == 2


def test_a_report_tells_the_first_hundred_in_the_order_of_the_file_and_the_number_of_all(
    bench: Workbench, numbers: Kit
) -> None:
    rows = [numbers.rows[0], *(row | TOO_YOUNG for row in numbers.rows[1:200])]
    job = bench.submit_file(as_parquet(rows, row_group_size=10), format=Format.PARQUET)
    for chunk in reversed(bench.read_units(job.id, window=100)):
        bench.score(job.id, int(chunk))
    report = bench.parts.store.report(job.id)
    assert ([error.row for error in report.errors], report.invalid_values) == (list(range(1, 101)), 199)
    [key] = bench.client.keys(f"pret:job:{job.id}:report")
    # Two counts, and the lists of the chunks that make up the first hundred: one of four values, twenty of five.
    assert bench.client.hlen(key) == 2 + 21


def test_flagged_rows_have_no_score_and_the_others_are_had_as_they_are_scored(
    bench: Workbench, numbers: Kit, rows: list[Row], written: tuple[Format, Callable[[list[Row]], bytes]]
) -> None:
    job = submit(bench, written[1](with_bad_rows(rows, 0, 7)), written[0], on_invalid="flag", keep=("id",))
    expected = scores_of(numbers, 0, 7)
    bench.score(job.id, 0)
    assert column(bench, job, partial=True) == expected[: job.chunk_rows]
    done = bench.score_all(job)
    assert (done.state, done.rows_done, done.invalid, done.granted + done.refused) == (JobState.SUCCEEDED, ROWS, 2, 10)
    assert column(bench, job) == expected
    assert [i for i, words in enumerate(column(bench, job, "error")) if words] == [0, 7]
    report = bench.parts.store.report(job.id)
    assert ([error.row for error in report.errors], report.invalid_rows) == ([0, 7], 2)


def damaged(content: bytes, group: int) -> bytes:
    """Overwrite the pages of a row group; the metadata stays as it is."""
    metadata = pq.read_metadata(pa.BufferReader(content)).row_group(group)
    spans = [
        (one.data_page_offset, one.total_compressed_size) for one in map(metadata.column, range(metadata.num_columns))
    ]
    for start, size in spans:
        content = content[:start] + b"\xff" * size + content[start + size :]
    return content


@pytest.mark.parametrize("on_invalid", ["reject", "flag"])
def test_a_row_group_that_cannot_be_decoded_fails_the_job_for_good(
    bench: Workbench, rows: list[Row], on_invalid: OnInvalid
) -> None:
    content = damaged(as_parquet(rows, use_dictionary=False), 1)
    job = submit(bench, content, on_invalid=on_invalid)
    bench.score(job.id, 0)
    bench.score(job.id, 1)
    failed = bench.parts.store.get(job.id)
    assert (failed.state, failed.retryable) == (JobState.FAILED, False)
    assert failed.error == Reason("parquet-page-damaged")
    assert bench.stored_files() == []
    assert bench.score(job.id, 2) == []


@pytest.mark.parametrize("told", [0, 3, 5, 100])
def test_row_groups_that_disagree_with_the_footer_are_refused(bench: Workbench, rows: list[Row], told: int) -> None:
    content = as_parquet(rows, store_schema=False)
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    # Thrift writes a number doubled; a row group ends with its rows, and the place and size of its columns.
    place = content.index(bytes([0x16, 2 * GROUP, 0x26]), start) + 1
    changed = content[:place] + bytes([2 * told % 128]) + content[place + 1 :]
    failed = bench.read(bench.submit_file(changed, format=Format.PARQUET).id)
    assert (failed.state, failed.retryable) == (JobState.FAILED, False)
    assert failed.error is not None and failed.error.type in ("row-count", "parquet-metadata-damaged")


def test_rows_that_a_file_of_several_batches_does_not_have_are_missed(bench: Workbench, rows: list[Row]) -> None:
    job = submit(bench, as_arrow(rows), Format.ARROW)
    record = f"pret:job:{job.id}"
    bench.client.hset(record, mapping={"rows": ROWS + 1, "chunk_rows": ROWS + 1})
    bench.score(job.id, 0)
    assert bench.parts.store.get(job.id).error == Reason("row-count", {"kind": "Arrow"})


def test_a_file_of_too_many_rows_is_rejected_by_its_metadata(bench: Workbench, rows: list[Row]) -> None:
    job = bench.submit_file(as_parquet(rows), format=Format.PARQUET)
    failed = bench.read(job.id, limits=replace(bench.parts.limits, rows=ROWS - 1))
    assert failed.error == Reason("too-many-rows", {"limit": ROWS - 1})


def test_a_file_of_more_rows_than_its_owner_has_left_is_rejected_by_its_metadata(
    bench: Workbench, rows: list[Row]
) -> None:
    job = bench.submit_file(as_parquet(rows), format=Format.PARQUET, rows_left=ROWS - 1)
    assert bench.read(job.id).error == Reason("rows-left-exceeded", {"limit": ROWS - 1})
    assert bench.read(submit(bench, as_parquet(rows), rows_left=ROWS).id).rows == ROWS


def test_a_file_at_an_address_may_be_too_large(bench: Workbench, rows: list[Row], tmp_path: Path) -> None:
    path = tmp_path / "input.parquet"
    path.write_bytes(as_parquet(rows))
    job = bench.submit_file(b"", format=Format.PARQUET, input_uri=f"file://{path}")
    failed = bench.read(job.id, limits=replace(bench.parts.limits, decoded_bytes=100))
    assert failed.error == Reason("decompressed-too-large", {"limit": 100})


@pytest.fixture
def _large_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_SHARED_FOOTER_BYTES", 100)
    monkeypatch.setattr(arrow_metadata, "MAX_BATCHES", 2)


@pytest.mark.usefixtures("_large_metadata")
@pytest.mark.parametrize("kind", ["Parquet", "Arrow"])
def test_a_file_with_much_metadata_is_read_once(bench: Workbench, numbers: Kit, rows: list[Row], kind: str) -> None:
    format, write = WRITTEN[kind]
    job = bench.read(bench.submit_file(write(rows), format=format).id)
    assert not job.in_place
    assert bench.score_all(job).state is JobState.SUCCEEDED
    assert column(bench, job) == scores_of(numbers)


def test_one_row_group_of_many_chunks_is_read_once(bench: Workbench, numbers: Kit) -> None:
    rows = numbers.rows[:60]
    job = bench.read(bench.submit_file(as_file(rows, Format.PARQUET), format=Format.PARQUET).id)
    assert not job.in_place
    assert bench.score_all(job).state is JobState.SUCCEEDED
    assert column(bench, job) == numbers.expected(rows)


def test_a_chunk_that_is_scored_twice_counts_once(bench: Workbench, rows: list[Row]) -> None:
    job = submit(bench, as_parquet(with_bad_rows(rows, 0)), on_invalid="flag")
    for _ in range(2):
        bench.score(job.id, 0)
    now = bench.parts.store.get(job.id)
    assert (now.rows_done, now.invalid, bench.parts.store.report(job.id).invalid_rows) == (GROUP, 1, 1)


def test_a_retry_reads_the_file_again_and_reports_anew(bench: Workbench, numbers: Kit, rows: list[Row]) -> None:
    job = submit(bench, as_parquet(with_bad_rows(rows, 0)), on_invalid="flag")
    bench.score(job.id, 0)
    upload = bench.folder / "storage" / job.upload_blob
    upload.rename(bench.folder / "elsewhere")
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            bench.score(job.id, 1)
    bench.score(job.id, 1)
    failed = bench.parts.store.get(job.id)
    assert (failed.error, failed.retryable) == (given_up(1, Reason("storage-file-missing")), True)
    (bench.folder / "elsewhere").rename(upload)
    assert bench.parts.store.retry(job.id, 10) == ["0", "1", "2"]
    assert bench.parts.store.report(job.id) == ALL_VALID
    assert bench.score_all(job).state is JobState.SUCCEEDED
    assert column(bench, job) == scores_of(numbers, 0)
    assert bench.parts.store.report(job.id).invalid_rows == 1


@pytest.mark.parametrize("end", [JobStore.cancel, removed])
def test_a_job_that_ends_while_a_chunk_is_scored_leaves_nothing(
    bench: Workbench, rows: list[Row], end: Callable[[JobStore, str], object]
) -> None:
    job = submit(bench, as_parquet(rows))
    storage = MeddlingStorage(bench, lambda: end(bench.parts.store, job.id))
    at = bench.place(storage=storage)
    assert bench.attempt(job.id, "0", at) == []
    assert bench.stored_files() == []


def test_planning_leaves_the_reading_to_be_done_again_when_the_file_is_away(bench: Workbench, rows: list[Row]) -> None:
    job = bench.submit_file(as_parquet(rows), format=Format.PARQUET)
    bench.parts.storage.delete(job.upload_blob)
    with pytest.raises(StorageUnavailable):
        bench.read(job.id)
    assert bench.parts.store.overdue(job.id) == [READING]

"""Files that are larger than they look: they move to the queue of large files, and their reading can be ended at any time."""

import gzip
import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.formats.format import Encoding, Format
from shared.jobs.job import READING, SMALL_UPLOAD, UNPACKED, Job, JobState
from shared.jobs.queue import FILES, QUICK
from tests.factories import Kit, Row
from tests.unit.workbench import MeddlingStore, Workbench, as_file

BLANK = b"\n" * 20_000_000


def packed(content: bytes, encoding: Encoding) -> bytes:
    if encoding == "gzip":
        return gzip.compress(content)
    compressed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
    return compressed


def queue_of(bench: Workbench, job: Job) -> str:
    bench.take_messages()
    bench.parts.queue.publish(job, [READING])
    [message] = bench.take_messages()
    queue: str = message["queue"]
    return queue


@pytest.fixture
def rows(numbers: Kit) -> list[Row]:
    return numbers.rows[:10]


@pytest.fixture
def signs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What is read at every sign of life, of which there are as many as possible."""
    monkeypatch.setattr("shared.jobs.unit.RENEW_INTERVAL", -1.0)
    return []


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
@pytest.mark.parametrize("format", [Format.CSV, Format.NDJSON])
def test_a_file_that_unpacks_to_more_than_was_expected_moves_to_the_large_ones(
    bench: Workbench, rows: list[Row], encoding: Encoding, format: Format
) -> None:
    content = packed(as_file(rows, format) + BLANK, encoding)
    job = bench.submit_file(content, format=format, encoding=encoding)
    assert queue_of(bench, job) == QUICK
    # The reading is published again, and was no attempt.
    assert bench.read_units(job.id) == [READING]
    moved = bench.parts.store.get(job.id)
    assert (moved.state, moved.is_large, moved.error) == (JobState.RUNNING, True, None)
    assert queue_of(bench, moved) == FILES
    assert bench.read(job.id).rows == len(rows)


def test_a_file_of_more_rows_than_was_expected_moves_too(bench: Workbench, rows: list[Row]) -> None:
    count = UNPACKED * SMALL_UPLOAD // 8
    sink = io.BytesIO()
    pq.write_table(pa.table({name: pa.array([value] * count) for name, value in rows[0].items()}), sink)
    job = bench.submit_file(sink.getvalue(), format=Format.PARQUET)
    assert queue_of(bench, job) == QUICK
    assert bench.read_units(job.id) == [READING]
    assert queue_of(bench, bench.parts.store.get(job.id)) == FILES
    assert bench.read(job.id, limits=replace(bench.parts.limits, chunk_rows=count)).rows == count


def test_a_small_file_stays_with_the_small_ones(bench: Workbench, rows: list[Row]) -> None:
    job = bench.submit_file(packed(as_file(rows * 100), "zstd"), encoding="zstd")
    assert bench.read(job.id).rows == 100 * len(rows)
    assert not bench.parts.store.get(job.id).is_large


@pytest.mark.parametrize(
    "content",
    [packed(BLANK, "zstd"), packed(BLANK, "gzip"), gzip.compress(b"") * 200_000],
    ids=["zstd", "gzip", "empty"],
)
def test_a_reading_without_a_row_gives_signs_of_life_and_can_be_cancelled(
    bench: Workbench, signs: list[int], content: bytes
) -> None:
    encoding = "zstd" if content == packed(BLANK, "zstd") else "gzip"
    job = bench.submit_file(content, encoding=encoding, is_large=True)

    def meddle(rows_read: int) -> None:
        signs.append(rows_read)
        if len(signs) == 3:
            bench.parts.store.cancel(job.id)

    assert bench.read_units(job.id, bench.place(store=MeddlingStore(bench, meddle))) == []
    assert signs == [0] * 4
    assert bench.stored_files() == []


@pytest.mark.parametrize("format", [Format.PARQUET, Format.ARROW, Format.ARROW_STREAM])
def test_what_is_not_the_format_that_it_is_said_to_be_is_not_copied(
    bench: Workbench, signs: list[int], format: Format
) -> None:
    job = bench.submit_file(packed(BLANK, "zstd"), format=format, encoding="zstd", is_large=True)
    ended = bench.read(job.id, bench.place(store=MeddlingStore(bench, signs.append)))
    assert ended.error is not None
    assert ended.error.type in ("file-format", "arrow-stream-unknown")
    assert len(signs) < 5

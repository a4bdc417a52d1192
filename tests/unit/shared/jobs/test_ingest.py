"""A batch becomes a job as a whole, or leaves nothing."""

from collections.abc import Iterator
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRows, RedisUnavailable, StorageUnavailable
from shared.formats.json_rows import batches_from_json
from shared.jobs.ingest import submit, to_chunks
from shared.jobs.job import JobState
from shared.storage import Storage
from tests.factories import Kit
from tests.unit.workbench import CHUNK_ROWS, Workbench


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 10))
def test_chunks_hold_the_rows_in_order_and_all_are_full_but_the_last(sizes: list[int], chunk_rows: int) -> None:
    starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    batches = [
        pa.record_batch({"n": list(range(start, end))}, pa.schema({"n": pa.int64()})) for start, end in pairwise(starts)
    ]
    chunks = list(to_chunks(batches, chunk_rows))
    assert [n for chunk in chunks for n in chunk.column("n").to_pylist()] == list(range(sum(sizes)))
    assert all(chunk.num_rows == chunk_rows for chunk in chunks[:-1])
    assert all(0 < chunk.num_rows <= chunk_rows for chunk in chunks)


def test_a_job_is_pinned_to_its_model_and_stored_a_chunk_a_record_batch(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:10])
    assert job == bench.parts.store.get(job.id)
    model = bench.model()
    assert (job.model_version, job.threshold, job.state) == (model.version, model.threshold, JobState.QUEUED)
    assert (job.rows, job.chunk_rows, job.chunks) == (10, CHUNK_ROWS, 3)
    with bench.parts.storage.read(job.input_blob) as file:
        table = pa.ipc.open_file(file).read_all()
        assert [batch.num_rows for batch in table.to_batches()] == [4, 4, 2]
        assert table.to_pylist() == [
            {name: row.get(name) for name in model.contract.names} for row in numbers.rows[:10]
        ]
    assert bench.take_chunks() == [(job.id, 0), (job.id, 1), (job.id, 2)]


def test_no_two_jobs_share_an_id(bench: Workbench, numbers: Kit) -> None:
    assert bench.submit(numbers.rows[:1]).id != bench.submit(numbers.rows[:1]).id


def assert_nothing_was_created(bench: Workbench) -> None:
    assert bench.client.keys() == []
    assert bench.stored_files() == []
    assert list((bench.folder / "storage").rglob("jobs/*")) == []
    assert bench.take_chunks() == []


@pytest.mark.parametrize("bad", [0, 5, 2999])
def test_a_bad_row_leaves_nothing(bench: Workbench, numbers: Kit, bad: int) -> None:
    rows = [numbers.rows[0]] * 3000
    rows[bad] = numbers.rows[0] | {"age": 17}
    with pytest.raises(InvalidRows):
        bench.submit(rows)
    assert_nothing_was_created(bench)


def test_a_body_that_breaks_off_leaves_nothing(bench: Workbench, numbers: Kit) -> None:
    model = bench.model()

    def broken() -> Iterator[pa.RecordBatch]:
        yield model.contract.to_batch(numbers.rows[:10])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        submit(
            broken(),
            model,
            chunk_rows=CHUNK_ROWS,
            storage=bench.parts.storage,
            store=bench.parts.store,
            queue=bench.parts.queue,
        )
    assert_nothing_was_created(bench)


def test_without_redis_nothing_is_left(bench: Workbench, numbers: Kit) -> None:
    bench.server.connected = False
    with pytest.raises(RedisUnavailable):
        bench.submit(numbers.rows[:10])
    bench.server.connected = True
    assert_nothing_was_created(bench)


def test_without_storage_nothing_is_left(bench: Workbench, numbers: Kit) -> None:
    (bench.folder / "full").write_text("no folder")
    model = bench.model()
    with pytest.raises(StorageUnavailable):
        submit(
            batches_from_json(b'[{"income": 1, "age": 40}]', model.contract),
            model,
            chunk_rows=CHUNK_ROWS,
            storage=Storage(str(bench.folder / "full")),
            store=bench.parts.store,
            queue=bench.parts.queue,
        )
    assert_nothing_was_created(bench)

"""Rows become chunks of the right sizes, as the model reads them, with what is kept beside them."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract.validated import Told, Validated
from shared.errors import MalformedInput, Report
from shared.jobs import rows
from shared.jobs.job import Job
from shared.jobs.rows import LARGEST_CHUNK, SMALLEST_CHUNK, KeptTypesDiffer, regrouped, sizes_for, store_rows
from shared.models.artifact import Model
from shared.reasons import InvalidValue
from tests.factories import Kit, make_job
from tests.unit.workbench import Workbench

TOO_YOUNG = InvalidValue(None, "age", "greater_than_equal", {"limit": 18})
WORDS = "age: Input should be greater than or equal to 18"
DETAILS = (
    '[{"column": "age", "type": "greater_than_equal", "message": "Input should be greater than or equal to 18", '
    '"params": {"limit": 18}}]'
)


def told(*is_invalid: bool) -> Told:
    """Some rows, of which some are of somebody too young."""
    return lambda write, _: pa.array([write(TOO_YOUNG) if invalid else None for invalid in is_invalid], pa.string())


def numbered(start: int, end: int) -> pa.RecordBatch:
    return pa.record_batch({"n": list(range(start, end))}, pa.schema({"n": pa.int64()}))


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(1, 10))
def test_batches_hold_the_rows_in_order_and_all_are_full_but_the_last(sizes: list[int], size: int) -> None:
    starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    batches = list(regrouped([numbered(start, end) for start, end in pairwise(starts)], size))
    assert [n for batch in batches for n in batch.column("n").to_pylist()] == list(range(sum(sizes)))
    assert all(batch.num_rows == size for batch in batches[:-1])
    assert all(0 < batch.num_rows <= size for batch in batches)


@pytest.mark.parametrize("first", [1, 3, 4, 8])
def test_a_column_of_another_type_is_noticed_wherever_the_batch_ends(first: int) -> None:
    other = pa.record_batch({"n": ["a"]})
    with pytest.raises(KeptTypesDiffer):
        list(regrouped([numbered(0, first), other], 4))


@pytest.fixture
def model(bench: Workbench) -> Model:
    return bench.model()


def checked(model: Model, kit: Kit, start: int, end: int, **facts: Any) -> Validated:
    """Some rows of the kit, all good unless `facts` say otherwise."""
    return Validated(model.contract.to_batch(kit.rows[start:end]), **({"kept": None} | facts))


def kept(**columns: Any) -> pa.RecordBatch:
    return pa.record_batch(columns)


def store(bench: Workbench, slices: Iterable[Validated], chunk_rows: int | None = 4, **facts: Any) -> Job:
    job = replace(make_job(), rows=None, chunk_rows=None, **facts)
    return store_rows(slices, job, bench.model(), bench.parts.storage, chunk_rows)


def stored(bench: Workbench, blob: str) -> list[pa.RecordBatch]:
    with bench.parts.storage.read(blob) as file:
        reader = pa.ipc.open_file(file)
        return [reader.get_batch(i) for i in range(reader.num_record_batches)]


def test_the_rows_are_stored_as_the_model_reads_them_a_chunk_a_record_batch(
    bench: Workbench, model: Model, numbers: Kit
) -> None:
    job = store(bench, [checked(model, numbers, 0, 3), checked(model, numbers, 3, 9), checked(model, numbers, 9, 10)])
    assert (job.rows, job.rows_read, job.chunk_rows, job.batch_rows, job.chunks) == (10, 10, 4, 4, 3)
    batches = stored(bench, job.rows_blob)
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    encoded = model.scorer.encode(model.contract.to_batch(numbers.rows[:10]))
    assert batches[0].schema == encoded.schema
    # Missing numbers are NaN, which pandas takes for equal.
    assert pa.Table.from_batches(batches).to_pandas().equals(encoded.to_pandas())
    assert bench.stored_files() == [job.rows_blob]


def test_a_large_chunk_is_stored_as_several_record_batches(
    bench: Workbench, model: Model, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "slice_rows", lambda columns: 3)
    slices = [checked(model, numbers, i, i + 1, kept=kept(id=[i])) for i in range(14)]
    job = store(bench, slices, chunk_rows=8, keep=("id",))
    assert (job.chunk_rows, job.batch_rows, job.chunks) == (6, 3, 3)
    assert [list(job.batches_of(chunk)) for chunk in range(3)] == [[0, 1], [2, 3], [4]]
    for blob in (job.rows_blob, job.echo_blob):
        assert [batch.num_rows for batch in stored(bench, blob)] == [3, 3, 3, 3, 2]


def test_kept_columns_are_stored_beside_the_rows(bench: Workbench, model: Model, numbers: Kit) -> None:
    slices = [
        checked(model, numbers, 0, 3, kept=kept(id=["a", None, "c"], n=[1, 2, 3])),
        checked(model, numbers, 3, 5, kept=kept(id=["d", "é"], n=[4, None])),
    ]
    job = store(bench, slices, keep=("id", "n"))
    assert [batch.schema.names for batch in stored(bench, job.rows_blob)] == [model.contract.names] * 2
    batches = stored(bench, job.echo_blob)
    assert [batch.num_rows for batch in batches] == [4, 1]
    assert pa.Table.from_batches(batches).to_pydict() == {"id": ["a", None, "c", "d", "é"], "n": [1, 2, 3, 4, None]}


def test_flagged_rows_are_marked_and_what_is_invalid_is_kept(bench: Workbench, model: Model, numbers: Kit) -> None:
    slices = [
        checked(model, numbers, 0, 3, kept=kept(id=[1, 2, 3]), report=Report(1, 1), told=told(False, True, False)),
        checked(model, numbers, 3, 5, kept=kept(id=[4, 5])),
    ]
    job = store(bench, slices, keep=("id",), on_invalid="flag")
    own, echo = (pa.Table.from_batches(stored(bench, blob)) for blob in (job.rows_blob, job.echo_blob))
    assert own.schema.names == [*model.contract.names, "to_score"]
    assert own["to_score"].to_pylist() == [True, False, True, True, True]
    assert echo.to_pydict() == {
        "id": [1, 2, 3, 4, 5],
        "error": [None, WORDS, None, None, None],
        "errors": [None, DETAILS, None, None, None],
    }


def test_a_flagged_job_that_keeps_nothing_has_what_is_invalid_all_the_same(
    bench: Workbench, model: Model, numbers: Kit
) -> None:
    job = store(bench, [checked(model, numbers, 0, 2, report=Report(1, 1), told=told(True, False))], on_invalid="flag")
    [echo] = stored(bench, job.echo_blob)
    assert echo.to_pydict() == {"error": [WORDS, None], "errors": [DETAILS, None]}


def test_two_readings_of_one_file_write_under_different_names(bench: Workbench, model: Model, numbers: Kit) -> None:
    first, second = (store(bench, [checked(model, numbers, 0, 2)]) for _ in range(2))
    assert first.rows_blob != second.rows_blob
    assert bench.stored_files() == sorted([first.rows_blob, second.rows_blob])


@pytest.mark.parametrize("slices", [[], ["empty"]])
def test_no_rows_are_malformed_and_leave_nothing(
    bench: Workbench, model: Model, numbers: Kit, slices: list[str]
) -> None:
    with pytest.raises(MalformedInput, match="no rows"):
        store(bench, [checked(model, numbers, 0, 0) for _ in slices])
    assert bench.stored_files() == []


def test_kept_columns_of_different_types_leave_nothing(bench: Workbench, model: Model, numbers: Kit) -> None:
    slices = [
        checked(model, numbers, 0, 5, kept=kept(id=[1, 2, 3, 4, 5])),
        checked(model, numbers, 5, 6, kept=kept(id=["a"])),
    ]
    with pytest.raises(KeptTypesDiffer):
        store(bench, slices, keep=("id",))
    assert bench.stored_files() == []


def test_without_a_setting_the_chunks_follow_the_speed_of_the_model(model: Model) -> None:
    chunk_rows, batch_rows = sizes_for(model, None)
    assert SMALLEST_CHUNK <= chunk_rows <= LARGEST_CHUNK
    assert chunk_rows % batch_rows == 0


@pytest.mark.parametrize("wanted", [1, 7, 1000, 100_000, 1_234_567])
def test_a_chunk_is_a_whole_number_of_batches_and_no_larger_than_wanted(model: Model, wanted: int) -> None:
    chunk_rows, batch_rows = sizes_for(model, wanted)
    assert chunk_rows % batch_rows == 0
    assert wanted / 2 < chunk_rows <= wanted


def test_by_default_a_small_job_is_one_chunk(bench: Workbench, model: Model, numbers: Kit) -> None:
    job = store(bench, [checked(model, numbers, 0, 300)], chunk_rows=None)
    assert (job.rows, job.chunks) == (300, 1)

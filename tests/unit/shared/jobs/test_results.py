"""Results are read in the order of the rows, across the borders of chunks and batches."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from shared.errors import JobConflict, StorageUnavailable
from shared.jobs import rows as job_rows
from shared.jobs.job import Job, JobState
from shared.jobs.results import RESULT_COLUMNS, Results
from shared.reasons import Reason
from tests.factories import Kit, Row, make_job
from tests.unit.workbench import Workbench

ROWS = 11
TOO_YOUNG = "age: Input should be greater than or equal to 18"
TOO_YOUNG_IN_JSON = [
    {
        "column": "age",
        "type": "greater_than_equal",
        "message": "Input should be greater than or equal to 18",
        "params": {"limit": 18},
    }
]
WHY = Reason("storage-full")


def table(results: Results, *limits: int) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = pa.Table.from_batches(results.batches(*limits), results.schema).to_pydict()
    return columns


@pytest.fixture
def job(bench: Workbench, numbers: Kit) -> Job:
    """A job of eleven rows in three chunks, scored."""
    return bench.score_all(bench.submit(numbers.rows[:ROWS]))


@pytest.fixture
def rows(numbers: Kit) -> list[Row]:
    """Rows with names, the third and the last of them bad."""
    return [row | {"id": f"n{i}"} | ({"age": 17} if i in (2, 10) else {}) for i, row in enumerate(numbers.rows[:ROWS])]


@pytest.fixture(params=[1, 5, 1000])
def chunk_rows(request: pytest.FixtureRequest) -> int:
    size: int = request.param
    return size


@pytest.fixture(params=[1000, 2])
def _batch_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A chunk is one batch, or several."""
    monkeypatch.setattr(job_rows, "slice_rows", lambda columns: request.param)
    yield


@pytest.mark.usefixtures("_batch_rows")
def test_the_scores_are_those_of_the_model_itself_to_the_bit(bench: Workbench, kit: Kit, chunk_rows: int) -> None:
    bench.offer(kit)
    job = bench.score_all(bench.submit(kit.rows[:ROWS], chunk_rows=chunk_rows))
    assert job.state is JobState.SUCCEEDED
    assert table(bench.results(job))["score"] == kit.expected(kit.rows[:ROWS])


@pytest.mark.usefixtures("_batch_rows")
def test_flagged_rows_have_errors_and_no_score_and_the_others_theirs(
    bench: Workbench, numbers: Kit, rows: list[Row], chunk_rows: int
) -> None:
    submitted = bench.submit(rows, chunk_rows=chunk_rows, keep=("id",), on_invalid="flag")
    job = bench.score_all(submitted)
    columns = table(bench.results(job))
    expected = numbers.expected(numbers.rows[:ROWS])
    bad = {2, 10}
    assert list(columns) == ["id", "score", "prediction", "decision", "error", "errors"]
    assert columns["id"] == [f"n{i}" for i in range(ROWS)]
    assert columns["score"] == [None if i in bad else score for i, score in enumerate(expected)]
    assert columns["error"] == [TOO_YOUNG if i in bad else None for i in range(ROWS)]
    details = [text and json.loads(text) for text in columns["errors"]]
    assert details == [TOO_YOUNG_IN_JSON if i in bad else None for i in range(ROWS)]
    predictions = [None if i in bad else int(score >= job.threshold) for i, score in enumerate(expected)]
    assert columns["prediction"] == predictions
    assert columns["decision"] == [None if one is None else ("Accordé", "Refusé")[one] for one in predictions]
    assert (job.granted, job.refused, job.invalid) == (predictions.count(0), predictions.count(1), 2)


def test_a_row_that_is_invalid_for_a_missing_value_has_no_score_either(bench: Workbench, mixed: Kit) -> None:
    bench.offer(mixed)
    rows = [{"income": None, "age": None}, *mixed.rows[:3]]
    job = bench.score_all(bench.submit(rows, on_invalid="flag"))
    columns = table(bench.results(job))
    assert columns["score"] == [None, *mixed.expected(mixed.rows[:3])]
    assert columns["error"][1:] == [None] * 3
    assert columns["error"][0].startswith("income: ")
    assert [value["column"] for value in json.loads(columns["errors"][0])] == ["income", "age"]
    assert columns["errors"][1:] == [None] * 3


@pytest.mark.usefixtures("_batch_rows")
def test_every_page_is_that_part_of_the_scores(bench: Workbench, numbers: Kit) -> None:
    job = bench.score_all(bench.submit(numbers.rows[:ROWS], chunk_rows=5))
    expected = numbers.expected(numbers.rows[:ROWS])
    results = bench.results(job)
    for start in range(ROWS + 2):
        for end in {0, start, start + 1, start + 4, ROWS + 1}:
            batches = list(results.batches(start, end))
            assert [score for batch in batches for score in batch.column("score").to_pylist()] == expected[start:end]


def test_no_batch_is_empty(bench: Workbench, job: Job) -> None:
    for start in range(0, ROWS + 1, 2):
        assert all(batch.num_rows for batch in bench.results(job).batches(start))


def test_kept_columns_come_first_with_their_types(bench: Workbench, numbers: Kit) -> None:
    rows = [row | {"id": i, "age": 20 + i, "none": None} for i, row in enumerate(numbers.rows[:ROWS])]
    job = bench.score_all(bench.submit(rows, keep=("id", "age", "none")))
    schema = bench.results(job).schema
    assert schema.names == ["id", "age", "none", "score", "prediction", "decision"]
    assert schema.field("id").type == pa.int64()
    columns = table(bench.results(job))
    assert columns["id"] == list(range(ROWS))
    assert columns["age"] == list(range(20, 20 + ROWS))
    assert columns["none"] == [None] * ROWS
    assert set(schema.names[3:]) <= set(RESULT_COLUMNS)


def test_the_schema_tells_what_the_rows_have_in_common(bench: Workbench, job: Job) -> None:
    assert bench.results(job).schema.metadata == {
        b"model_version": job.model_version.encode(),
        b"threshold": repr(job.threshold).encode(),
        b"job": job.id.encode(),
    }


def test_of_a_job_that_runs_there_are_the_finished_rows_from_the_start(
    bench: Workbench, numbers: Kit, rows: list[Row]
) -> None:
    job = bench.submit(rows, keep=("id",), on_invalid="flag")
    expected = [None if i == 2 else score for i, score in enumerate(numbers.expected(numbers.rows[:ROWS]))]
    for chunk, finished in ((None, 0), (1, 0), (0, 8)):
        if chunk is not None:
            bench.score(job.id, chunk)
        assert table(bench.results(job, partial=True))["score"] == expected[:finished]
    assert table(bench.results(job, partial=True), 3, 100)["id"] == [f"n{i}" for i in range(3, 8)]
    bench.score(job.id, 2)
    assert bench.results(job, partial=True).rows == ROWS


def test_of_a_file_that_is_not_read_there_are_no_rows_yet(bench: Workbench) -> None:
    results = bench.results(bench.submit_file(b"a file", keep=("id",)), partial=True)
    assert results.rows == 0
    assert list(results.batches()) == []


@pytest.mark.parametrize("partial", [True, False])
def test_only_a_job_that_succeeded_has_results_and_only_an_open_one_has_part_of_them(
    bench: Workbench, partial: bool
) -> None:
    for state in set(JobState) - {JobState.SUCCEEDED}:
        job = make_job(state=state)
        if partial and not state.is_final:
            assert Results.of(job, bench.parts.store, bench.parts.storage, partial=True).rows == 0
        else:
            with pytest.raises(JobConflict, match=state.value) as caught:
                Results.of(job, bench.parts.store, bench.parts.storage, partial=partial)
            assert caught.value.reason == Reason("no-results", {"state": state.value})


def test_a_failed_job_tells_why_it_has_none(bench: Workbench) -> None:
    failed = make_job(state=JobState.FAILED, error=WHY)
    with pytest.raises(JobConflict, match=r"^The job failed, so it has no results\. The storage is full") as caught:
        Results.of(failed, bench.parts.store, bench.parts.storage)
    assert caught.value.reason == Reason("no-results-failed", {"reason": WHY.as_dict()})


@pytest.mark.parametrize("content", [None, b"", b"ARROW1", "half", "other"])
def test_scores_that_cannot_be_read_are_unavailable(bench: Workbench, job: Job, content: bytes | str | None) -> None:
    blob = bench.folder / "storage" / job.scores_blob(1)
    whole = blob.read_bytes()
    blob.unlink()
    if content == "other":
        blob.write_bytes((bench.folder / "storage" / job.scores_blob(2)).read_bytes())
    elif content is not None:
        blob.write_bytes(whole[: len(whole) // 2] if isinstance(content, str) else content)
    with pytest.raises(StorageUnavailable):
        table(bench.results(job))
    assert len(table(bench.results(job), 0, job.chunk_rows or 0)["score"]) == job.chunk_rows


def test_a_job_that_ends_between_two_looks_has_no_more_finished_rows_than_before(
    bench: Workbench, numbers: Kit
) -> None:
    job = bench.submit(numbers.rows[:ROWS])
    bench.score(job.id, 0)
    seen = bench.parts.store.get(job.id)
    bench.parts.store.fail(job.id, WHY)
    results = Results.of(seen, bench.parts.store, bench.parts.storage, partial=True)
    assert results.rows <= (job.chunk_rows or 0)

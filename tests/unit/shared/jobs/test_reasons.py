"""Reasons in the results of a job: those of the model for each row, in every way of sending rows and in every format."""

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from shared.explanation import Wanted
from shared.formats.format import Format
from shared.formats.writers import encode
from shared.jobs import rows as job_rows
from shared.jobs.job import Job, JobState
from shared.jobs.reasons import REASONS, ReasonedAnswer, reason_lists, reason_names
from shared.jobs.results import Results
from shared.jobs.rows import CHUNK_SECONDS, SMALLEST_EXPLAINED, sizes_for
from shared.models.artifact import Model
from shared.reasons import Reason
from shared.scoring import EXPLAINED_ROWS, explain
from tests.factories import Kit, Row
from tests.unit.workbench import Workbench, as_file

ROWS = 11
MOST = 3


def expected(model: Model, rows: list[Row], count: int = MOST) -> list[list[dict[str, Any]]]:
    """What a lone applicant is told."""
    return [
        [
            {"feature": told.feature, "contribution": pytest.approx(told.contribution, abs=1e-12)}
            for told in answer.explanation.contributions
        ]
        for answer in explain(model, [*rows], Wanted(count))
    ]


def reasons_of(results: Results) -> list[Any]:
    return [each for batch in results.batches() for each in batch.column("reasons").to_pylist()]


def submit(bench: Workbench, rows: list[Row], way: str, **facts: Any) -> Job:
    if way == "json":
        return bench.submit(rows, explain=MOST, **facts)
    format = Format(way)
    return bench.read(bench.submit_file(as_file(rows, format), format=format, explain=MOST, **facts).id)


@pytest.mark.parametrize("way", ["json", "csv", "ndjson", "parquet"])
def test_each_row_has_the_reasons_of_a_lone_applicant(bench: Workbench, numbers: Kit, way: str) -> None:
    rows: list[Row] = [row | {"id": i} for i, row in enumerate(numbers.rows[:ROWS])]
    job = bench.score_all(submit(bench, rows, way, keep=("id",)))
    assert job.state is JobState.SUCCEEDED
    assert reasons_of(bench.results(job)) == expected(bench.model(), numbers.rows[:ROWS])
    assert bench.results(job).schema.names == ["id", "score", "prediction", "decision", "reasons"]


@pytest.mark.parametrize("way", ["csv", "parquet"])
def test_an_invalid_row_has_none(bench: Workbench, numbers: Kit, way: str) -> None:
    rows = [row | ({"age": 17} if i in (0, 7) else {}) for i, row in enumerate(numbers.rows[:ROWS])]
    job = bench.score_all(submit(bench, rows, way, on_invalid="flag"))
    found = reasons_of(bench.results(job))
    good = expected(bench.model(), numbers.rows[:ROWS])
    assert found == [None if i in (0, 7) else each for i, each in enumerate(good)]
    names = bench.results(job).schema.names
    assert names == ["score", "prediction", "decision", "reasons", "error", "errors"]
    flat = bench.results(job).laid_out(Format.CSV)
    assert flat.schema.names == [*names[:3], *reason_names(MOST), *names[4:]]
    assert [each for batch in flat.batches() for each in batch.column("reason_1").is_null().to_pylist()] == [
        i in (0, 7) for i in range(ROWS)
    ]


def test_a_model_of_fewer_factors_gives_all(bench: Workbench, numbers: Kit) -> None:
    job = bench.score_all(bench.submit(numbers.rows[:ROWS], explain=20))
    features = len(numbers.inputs)
    assert reasons_of(bench.results(job)) == expected(bench.model(), numbers.rows[:ROWS], 20)
    assert {len(each) for each in reasons_of(bench.results(job))} == {features}
    flat = next(bench.results(job).laid_out(Format.CSV).batches())
    assert flat.column(f"reason_{features + 1}").null_count == flat.num_rows


def test_all_formats_have_the_same_reasons(bench: Workbench, numbers: Kit) -> None:
    rows = [row | ({"age": 17} if i == 4 else {}) for i, row in enumerate(numbers.rows[:ROWS])]
    job = bench.score_all(submit(bench, rows, "csv", on_invalid="flag"))
    known = reasons_of(bench.results(job))

    def written(format: Format) -> bytes:
        results = bench.results(job).laid_out(format)
        return b"".join(encode(format, results.schema, results.batches()))

    parquet = pq.read_table(pa.BufferReader(written(Format.PARQUET)))
    assert parquet.schema.field("reasons").type.equals(REASONS)
    assert parquet["reasons"].to_pylist() == known
    assert pa.ipc.open_file(written(Format.ARROW)).read_all()["reasons"].to_pylist() == known
    assert pa.ipc.open_stream(written(Format.ARROW_STREAM)).read_all()["reasons"].to_pylist() == known
    assert [json.loads(line)["reasons"] for line in written(Format.NDJSON).splitlines()] == known
    table = pa_csv.read_csv(io.BytesIO(written(Format.CSV))).to_pylist()
    assert table[4]["reason_1"] in ("", None)
    assert [
        [{"feature": row[f"reason_{i}"], "contribution": row[f"contribution_{i}"]} for i in range(1, MOST + 1)]
        for i, row in enumerate(table)
        if i != 4
    ] == [each for i, each in enumerate(known) if i != 4]


def test_parts_of_a_job_have_their_reasons(bench: Workbench, numbers: Kit) -> None:
    job = bench.score_all(bench.submit(numbers.rows[:ROWS], explain=MOST))
    good = expected(bench.model(), numbers.rows[:ROWS])
    for start, end in ((0, 1), (3, 9), (5, 6), (10, 11)):
        answers = [each for each in bench.results(job).answers(start, end) if isinstance(each, ReasonedAnswer)]
        assert [
            [{"feature": it.feature, "contribution": it.contribution} for it in each.reasons] for each in answers
        ] == (good[start:end])


def test_rows_are_explained_in_pieces(bench: Workbench, numbers: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.scoring.EXPLAINED_ROWS", 3)
    assert EXPLAINED_ROWS > 3
    job = bench.score_all(bench.submit(numbers.rows[:ROWS], chunk_rows=1000, explain=MOST))
    assert reasons_of(bench.results(job)) == expected(bench.model(), numbers.rows[:ROWS])


def test_a_retry_gives_the_same_reasons(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:ROWS], explain=MOST)
    bench.score(job.id, 0)
    bench.parts.store.fail(job.id, Reason("storage-full"))
    assert bench.parts.store.retry(job.id, 10) is not None
    done = bench.score_all(job)
    assert (done.state, done.explain) == (JobState.SUCCEEDED, MOST)
    assert reasons_of(bench.results(done)) == expected(bench.model(), numbers.rows[:ROWS])


def test_chunks_are_smaller_where_reasons_take_longer(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model.scorer.__dict__, "rows_per_second", 1e6)
    monkeypatch.setitem(model.explainer.__dict__, "rows_per_second", 1e5)
    monkeypatch.setattr(job_rows, "slice_rows", lambda columns: 64)
    assert sizes_for(model, None)[0] == pytest.approx(1e6 * CHUNK_SECONDS, abs=64)
    assert sizes_for(model, None, explains=True)[0] == pytest.approx(1e6 * CHUNK_SECONDS / 11, abs=64)
    monkeypatch.setitem(model.explainer.__dict__, "rows_per_second", 10.0)
    assert sizes_for(model, None, explains=True)[0] <= SMALLEST_EXPLAINED


def test_rows_without_any_reason_are_null_also_among_slices() -> None:
    names = pa.array(["a", "b"])
    factor = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 1], pa.int16()), names)
    second = pa.DictionaryArray.from_arrays(pa.array([1, None, None, 0], pa.int16()), names)
    columns = [factor, pa.array([1.0, None, -2.0, 3.0]), second, pa.array([0.5, None, None, -0.25])]
    lists = reason_lists([column.slice(1) for column in columns])
    assert lists.to_pylist() == [
        None,
        [{"feature": "b", "contribution": -2.0}],
        [{"feature": "b", "contribution": 3.0}, {"feature": "a", "contribution": -0.25}],
    ]
    assert np.isfinite(lists.flatten().field("contribution").to_numpy()).all()

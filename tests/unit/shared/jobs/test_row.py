"""The inputs of one row of a job, read from the file again: the same for every way of sending rows."""

import bz2
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.explanation import Wanted
from shared.formats import csv_rows, json_rows, ndjson
from shared.formats.format import Format
from shared.jobs import row as row_module
from shared.jobs.job import Job, JobState
from shared.jobs.row import RowAnswer, RowRequest, answer_row
from shared.scoring import explain
from tests.factories import Kit, Row
from tests.unit.workbench import Workbench, as_file

COUNT = 40


def answer(bench: Workbench, job: Job, row: int, wanted: Wanted | None = None) -> RowAnswer:
    """Read a row as the worker's task does."""
    name = RowRequest(row, wanted).name
    answer_row(job.id, name, bench.place())
    with bench.parts.storage.read(job.row_blob(name)) as file:
        return msgspec.json.decode(file.read(), type=RowAnswer)


def whole(row: Row, kit: Kit) -> Row:
    """The row with every feature; what is missing is null."""
    return {column["name"]: row.get(column["name"]) for column in kit.inputs}


def as_arrow(rows: Sequence[Row], open_: Callable[..., Any] = pa.ipc.new_file) -> bytes:
    names = dict.fromkeys(name for row in rows for name in row)
    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    sink = pa.BufferOutputStream()
    with open_(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return bytes(sink.getvalue())


def as_split(rows: Sequence[Row]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return json.dumps(
        {"dataframe_split": {"columns": names, "data": [[row.get(name) for name in names] for row in rows]}}
    ).encode()


def as_columns(rows: Sequence[Row]) -> bytes:
    names = dict.fromkeys(name for row in rows for name in row)
    return json.dumps({"columns": {name: [row.get(name) for row in rows] for name in names}}).encode()


def german(rows: Sequence[Row]) -> bytes:
    """As Excel writes it there: a line that declares the delimiter, commas in numbers, quotes, and blank lines."""
    names = list(dict.fromkeys(name for row in rows for name in row))

    def field(value: Any) -> str:
        return "" if value is None else f'"{value}"'.replace(".", ",") if isinstance(value, float) else str(value)

    lines = ["sep=;", "", ";".join(names), *(";".join(field(row.get(name)) for name in names) for row in rows)]
    return b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode()


WRITTEN: dict[str, tuple[Callable[[Sequence[Row]], bytes], dict[str, Any]]] = {
    "csv": (lambda rows: as_file(list(rows)), {}),
    "csv, with line ends in fields": (
        lambda rows: as_file([row | {"note": f'first "{i}"\n\n, second'} for i, row in enumerate(rows)]),
        {},
    ),
    "csv, gzip": (lambda rows: gzip.compress(as_file(list(rows))), {"encoding": "gzip"}),
    "csv, of Excel": (german, {"decimal": ","}),
    "csv, utf-16": (lambda rows: as_file(list(rows)).decode().encode("utf-16"), {"charset": "utf-16"}),
    "ndjson": (lambda rows: as_file(list(rows), Format.NDJSON), {"format": Format.NDJSON}),
    "ndjson, with blank lines": (
        lambda rows: b"\xef\xbb\xbf\n" + as_file(list(rows), Format.NDJSON).replace(b"\n", b"\n \r\n"),
        {"format": Format.NDJSON},
    ),
    "ndjson, bz2": (
        lambda rows: bz2.compress(as_file(list(rows), Format.NDJSON)),
        {"format": Format.NDJSON, "encoding": "bz2"},
    ),
    "parquet": (lambda rows: as_file(list(rows), Format.PARQUET), {"format": Format.PARQUET}),
    "parquet, gzip": (
        lambda rows: gzip.compress(as_file(list(rows), Format.PARQUET)),
        {"format": Format.PARQUET, "encoding": "gzip"},
    ),
    "arrow": (as_arrow, {"format": Format.ARROW}),
    "arrow stream": (lambda rows: as_arrow(rows, pa.ipc.new_stream), {"format": Format.ARROW_STREAM}),
}

DOCUMENTS: dict[str, Callable[[Sequence[Row]], bytes]] = {
    "array": lambda rows: json.dumps(list(rows)).encode(),
    "records": lambda rows: json.dumps({"dataframe_records": list(rows)}).encode(),
    "split": as_split,
    "columns": as_columns,
}


@pytest.fixture(autouse=True)
def in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small file has several."""
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 500)
    monkeypatch.setattr(ndjson, "BLOCK_BYTES", 500)


def submit_document(bench: Workbench, body: bytes, **facts: Any) -> Job:
    model = bench.model()
    job = Job("5" * 32, model.version, model.threshold, 0.0, **facts)
    read = lambda options: json_rows.validated_from_document(body, model.contract, options)  # noqa: E731
    return bench.intake().submit_rows(body, read, job, model)


@pytest.mark.parametrize("way", WRITTEN)
def test_the_inputs_of_a_row_of_a_file_are_those_that_were_sent(bench: Workbench, numbers: Kit, way: str) -> None:
    write, facts = WRITTEN[way]
    rows = numbers.rows[:COUNT]
    sent = [row | {"id": i} for i, row in enumerate(rows)]
    job = bench.score_all(bench.read(bench.submit_file(write(sent), keep=("id",), **facts).id))
    assert job.state is JobState.SUCCEEDED
    for number in (0, 1, 7, 20, COUNT - 1):
        found = answer(bench, job, number)
        assert found.inputs == whole(rows[number], numbers)
        assert [type(value) for value in found.inputs.values()] == [*map(type, whole(rows[number], numbers).values())]
        assert found.score == numbers.expected(rows)[number]


@pytest.mark.parametrize("shape", DOCUMENTS)
def test_those_of_a_json_document_too(bench: Workbench, numbers: Kit, shape: str) -> None:
    rows = numbers.rows[:COUNT]
    sent = [row | {"id": i} for i, row in enumerate(rows)]
    job = bench.score_all(submit_document(bench, DOCUMENTS[shape](sent), keep=("id",)))
    for number in (0, 9, COUNT - 1):
        found = answer(bench, job, number)
        assert (found.inputs, found.score) == (whole(rows[number], numbers), numbers.expected(rows)[number])


BAD: dict[str, Any] = {"age": "old", "married": 7, "children": 9, "income": -1.5}


@pytest.mark.parametrize("way", ["csv", "ndjson"])
def test_an_invalid_row_has_its_values_as_they_came(bench: Workbench, numbers: Kit, way: str) -> None:
    write, facts = WRITTEN[way]
    rows = [*numbers.rows[:20], numbers.rows[20] | BAD, *numbers.rows[21:COUNT]]
    sent = [row | {"id": i} for i, row in enumerate(rows)]
    job = bench.score_all(bench.read(bench.submit_file(write(sent), on_invalid="flag", keep=("id",), **facts).id))
    assert job.invalid == 1
    found = answer(bench, job, 20)
    written = {name: str(value) for name, value in BAD.items()} if way == "csv" else BAD
    assert found.inputs == whole(rows[20], numbers) | written
    assert found.score is None


@pytest.mark.parametrize("format", [Format.PARQUET, Format.ARROW])
def test_so_has_one_of_a_columnar_file(bench: Workbench, numbers: Kit, format: Format) -> None:
    bad = {"age": 17, "income": -1.5}
    rows = [*numbers.rows[:20], numbers.rows[20] | bad]
    content = as_arrow(rows) if format is Format.ARROW else as_file(rows, format)
    job = bench.score_all(bench.read(bench.submit_file(content, on_invalid="flag", format=format).id))
    assert answer(bench, job, 20).inputs == whole(rows[20], numbers)


@pytest.mark.parametrize("line", [b"5", b'{"age": NaN}', b'{"age": [1], "income": {"a": 1}}', b"{}"])
def test_a_line_that_is_no_row_can_be_looked_at_too(bench: Workbench, numbers: Kit, line: bytes) -> None:
    content = as_file(numbers.rows[:3], Format.NDJSON) + line
    job = bench.score_all(bench.read(bench.submit_file(content, on_invalid="flag", format=Format.NDJSON).id))
    found = answer(bench, job, 3)
    assert (found.inputs, found.score, found.failed) == (whole({}, numbers), None, None)


def test_the_file_stays_and_the_encoded_rows_go_once_all_is_scored(bench: Workbench, numbers: Kit) -> None:
    job = bench.read(bench.submit_file(as_file(numbers.rows[:COUNT])).id)
    assert bench.stored_files() == sorted([job.upload_blob, job.rows_blob, job.index_blob])
    bench.score_all(job)
    scores = [job.scores_blob(chunk) for chunk in range(job.chunks or 0)]
    assert bench.stored_files() == sorted([job.upload_blob, job.index_blob, *scores])
    answer(bench, job, 3)
    assert bench.stored_files() == sorted([job.upload_blob, job.index_blob, job.row_blob("row-3"), *scores])


@pytest.mark.parametrize("format", [Format.CSV, Format.PARQUET])
def test_a_file_that_was_changed_meanwhile_is_not_taken_for_the_one_that_was_scored(
    bench: Workbench, numbers: Kit, format: Format, tmp_path: Path
) -> None:
    path = tmp_path / f"input.{format}"
    path.write_bytes(as_file(numbers.rows[:COUNT], format))
    job = bench.score_all(bench.read(bench.submit_file(b"", format=format, input_uri=f"file://{path}").id))
    assert answer(bench, job, 5).score == numbers.expected(numbers.rows)[5]
    path.write_bytes(as_file(numbers.rows[3:6], format))
    assert (answer(bench, job, 7).failed or {})["type"] in ("file-changed", "row-count")
    path.unlink()
    gone = answer(bench, job, 8)
    assert (gone.failed or {})["type"] == "storage-file-missing"


def test_a_row_too_deep_in_a_compressed_file_is_given_up(
    bench: Workbench, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.score_all(bench.read(bench.submit_file(gzip.compress(as_file(numbers.rows)), encoding="gzip").id))
    monkeypatch.setattr(row_module, "LONGEST", -1.0)
    assert (answer(bench, job, 1).failed or {})["type"] == "row-out-of-reach"


def test_a_job_that_was_removed_meanwhile_leaves_nothing(bench: Workbench, numbers: Kit) -> None:
    job = bench.score_all(bench.submit(numbers.rows[:COUNT]))
    bench.parts.store.purge(job.id)
    bench.parts.storage.delete_folder(job.folder)
    answer_row(job.id, "row-1", bench.place())
    assert bench.stored_files() == []


def test_an_answer_that_is_stored_is_not_made_again(bench: Workbench, numbers: Kit) -> None:
    job = bench.score_all(bench.submit(numbers.rows[:COUNT]))
    first = answer(bench, job, 1)
    bench.parts.storage.delete(job.upload_blob)
    assert answer(bench, job, 1) == first
    assert (answer(bench, job, 2).failed or {})["type"] == "storage-file-missing"


def test_a_row_of_one_large_row_group_is_found(bench: Workbench, numbers: Kit) -> None:
    rows = numbers.rows[:300]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in whole({}, numbers)}), sink)
    job = bench.score_all(bench.read(bench.submit_file(bytes(sink.getvalue()), format=Format.PARQUET).id))
    assert not job.in_place
    assert answer(bench, job, len(rows) - 2).inputs == whole(rows[-2], numbers)


@pytest.mark.parametrize("wanted", [None, Wanted(), Wanted(5, "adverse", "fr"), Wanted(20)])
def test_a_request_is_known_by_its_name(wanted: Wanted | None) -> None:
    assert RowRequest.of(RowRequest(7, wanted).name) == RowRequest(7, wanted)


def test_a_row_is_explained_by_the_version_that_scored_it(bench: Workbench, numbers: Kit) -> None:
    job = bench.score_all(bench.submit(numbers.rows[:COUNT]))
    found = answer(bench, job, 3, Wanted(2))
    [expected] = explain(bench.model(), [numbers.rows[3]], Wanted(2))
    assert (found.score, found.explanation) == (expected.score, expected.explanation)
    assert len(expected.explanation.contributions) == 2

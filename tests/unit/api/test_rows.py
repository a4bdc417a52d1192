"""One row of a job, and rows by the value of a kept column."""

import json
from typing import Any

import msgspec
import pytest

from api import rows as row_reader
from shared.explanation import Wanted
from shared.formats.format import Format
from shared.jobs.job import Job
from shared.jobs.row import RowAnswer, RowRequest, answer_row
from shared.scoring import explain
from tests.factories import Kit, Row
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench, as_file

ROWS = 9
UNKNOWN = "0" * 32


@pytest.fixture
def rows(numbers: Kit) -> list[Row]:
    """Rows with two columns to keep; the third is invalid."""
    return [
        row | {"id": 100 + i, "town": "Lyon" if i % 3 else "Nîmes"} | ({"age": 17} if i == 2 else {})
        for i, row in enumerate(numbers.rows[:ROWS])
    ]


@pytest.fixture
def job(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> Job:
    made = api_bench.submit(rows, keep=("id", "town"), on_invalid="flag")
    return api_bench.score_all(made)


def get(api: ApiClient, bench: Workbench, job: Job, row: int, query: str = "", wanted: Wanted | None = None) -> Any:
    """Ask for a row that a worker has read."""
    answer_row(job.id, RowRequest(row, wanted).name, bench.place())
    return api.get(f"/jobs/{job.id}/rows/{row}{query}")


def test_a_row_has_its_inputs_its_kept_columns_and_its_score(
    api: ApiClient, api_bench: Workbench, job: Job, numbers: Kit
) -> None:
    found = get(api, api_bench, job, 4)
    assert found.status_code == 200
    score = numbers.expected(numbers.rows)[4]
    assert found.json() == {
        "row": 4,
        "inputs": {column["name"]: numbers.rows[4].get(column["name"]) for column in numbers.inputs},
        "kept": {"id": 104, "town": "Lyon"},
        "score": score,
        "prediction": int(score >= job.threshold),
        "decision": "Refusé" if score >= job.threshold else "Accordé",
        "errors": [],
        "threshold": job.threshold,
        "model_version": job.model_version,
    }
    assert api.post("/individual_score", json=found.json()["inputs"]).json()["score"] == score


def test_an_invalid_row_says_what_is_wrong_and_shows_it(api: ApiClient, api_bench: Workbench, job: Job) -> None:
    found = get(api, api_bench, job, 2, "?explain=3", Wanted(3)).json()
    assert (found["inputs"]["age"], found["score"], found["explanation"]) == (17, None, None)
    assert [(error["column"], error["type"]) for error in found["errors"]] == [("age", "greater_than_equal")]


def test_a_row_is_explained_in_the_language_of_the_caller(
    api: ApiClient, api_bench: Workbench, job: Job, numbers: Kit
) -> None:
    wanted = Wanted(2, "adverse", "fr")
    answer_row(job.id, RowRequest(4, wanted).name, api_bench.place())
    path = f"/jobs/{job.id}/rows/4?explain=2&reasons=adverse"
    found = api.get(path, headers={"Accept-Language": "fr"})
    [answer] = explain(api_bench.model(), [numbers.rows[4]], wanted)
    assert found.json()["explanation"] == json.loads(msgspec.json.encode(answer.explanation))
    assert found.headers["content-language"] == "fr"


@pytest.mark.parametrize(
    "query", ["explain=0", "explain=21", "explain=x", "reasons=adverse", "explain=2&reasons=none", "k=1"]
)
def test_bad_parameters_of_a_row_are_rejected(api: ApiClient, job: Job, query: str) -> None:
    assert kind_of(assert_problem(api.get(f"/jobs/{job.id}/rows/1?{query}"), 422)) == "invalid-parameters"


@pytest.mark.parametrize("row", ["-1", "x", "1.5", str(10**20)])
def test_so_are_bad_numbers(api: ApiClient, job: Job, row: str) -> None:
    assert_problem(api.get(f"/jobs/{job.id}/rows/{row}"), 422)


def test_there_is_no_row_beyond_the_last_and_none_of_a_job_that_is_gone(api: ApiClient, job: Job) -> None:
    document = assert_problem(api.get(f"/jobs/{job.id}/rows/{ROWS}"), 404)
    assert (kind_of(document), document["params"]) == ("unknown-row", {"row": ROWS, "count": ROWS})
    assert kind_of(assert_problem(api.get(f"/jobs/{UNKNOWN}/rows/0"), 404)) == "unknown-job"
    assert api.request("DELETE", f"/jobs/{job.id}?purge=true").status_code == 204
    assert kind_of(assert_problem(api.get(f"/jobs/{job.id}/rows/0"), 404)) == "unknown-job"


def test_a_row_is_not_there_before_it_is_read_and_scored(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    made = api_bench.submit_file(as_file(rows), on_invalid="flag")
    path = f"/jobs/{made.id}/rows/5"
    assert kind_of(assert_problem(api.get(path), 409)) == "row-not-read"
    job = api_bench.read(made.id)
    api_bench.score(job.id, 0)
    assert kind_of(assert_problem(api.get(path), 409)) == "row-not-scored"
    assert get(api, api_bench, job, 1).status_code == 200
    api_bench.score_all(job)
    assert get(api, api_bench, job, 5).status_code == 200


def test_a_row_of_a_file_that_may_still_be_rejected_is_withheld(
    api: ApiClient, api_bench: Workbench, numbers: Kit
) -> None:
    content = as_file(numbers.rows[:ROWS], Format.PARQUET)
    job = api_bench.read(api_bench.submit_file(content, format=Format.PARQUET).id)
    if job.in_place:
        api_bench.score(job.id, 0)
        assert kind_of(assert_problem(api.get(f"/jobs/{job.id}/rows/0"), 409)) == "row-not-scored"


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_job_without_results_has_no_rows(api: ApiClient, api_bench: Workbench, rows: list[Row], end: str) -> None:
    made = api_bench.submit_file(as_file(rows))
    if end == "failed":
        api_bench.read(made.id)
    else:
        assert api.request("DELETE", f"/jobs/{made.id}").status_code == 200
    assert_problem(api.get(f"/jobs/{made.id}/rows/0"), 409)


def test_a_row_that_no_worker_reads_in_time_can_be_asked_for_again(
    api: ApiClient, api_bench: Workbench, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reader, "PATIENCE", 0.05)
    api_bench.take_messages()
    response = api.get(f"/jobs/{job.id}/rows/3?explain=all")
    assert kind_of(assert_problem(response, 503)) == "row-delayed"
    assert "retry-after" in response.headers
    [message] = [it for it in api_bench.take_messages() if it["headers"]["task"] == "read_row"]
    assert message["args"] == [job.id, "row-3-all-all-en"]
    answer_row(job.id, "row-3-all-all-en", api_bench.place())
    assert api.get(f"/jobs/{job.id}/rows/3?explain=all").status_code == 200


@pytest.mark.parametrize(
    ("failed", "kind", "status", "expected"),
    [
        ({"type": "file-changed", "params": {}}, "lost", 409, "row-unreadable"),
        ({"type": "storage-full", "params": {}}, "away", 503, "storage-full"),
        ({"type": "explanation-differs", "params": {}}, "unexplained", 422, "explanation-differs"),
    ],
)
def test_what_keeps_a_worker_from_reading_is_told_and_the_next_request_has_it_tried_again(
    api: ApiClient,
    api_bench: Workbench,
    job: Job,
    failed: Any,
    kind: Any,
    status: int,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(job_id: str, request: str) -> None:
        with api_bench.parts.storage.write(job.row_blob(request)) as file:
            file.write(msgspec.json.encode(RowAnswer(failed=failed, kind=kind)))

    monkeypatch.setattr(api.services.queue, "publish_row", fail)
    assert kind_of(assert_problem(api.get(f"/jobs/{job.id}/rows/3"), status)) == expected
    read = lambda job_id, request: answer_row(job_id, request, api_bench.place())  # noqa: E731
    monkeypatch.setattr(api.services.queue, "publish_row", read)
    assert api.get(f"/jobs/{job.id}/rows/3").status_code == 200


def test_inputs_of_another_score_are_those_of_another_row(api: ApiClient, api_bench: Workbench, job: Job) -> None:
    with api_bench.parts.storage.write(job.row_blob("row-3")) as file:
        file.write(msgspec.json.encode(RowAnswer(score=0.5)))
    assert kind_of(assert_problem(api.get(f"/jobs/{job.id}/rows/3"), 409)) == "row-changed"


def search(api: ApiClient, job: Job, query: str) -> Any:
    return api.get(f"/jobs/{job.id}/results?{query}")


def test_rows_are_found_by_the_value_of_a_kept_column(api: ApiClient, job: Job, numbers: Kit) -> None:
    found = search(api, job, "id=105&column=id").json()
    [result] = found["results"]
    assert (found["rows"], found["total"], found["next_offset"]) == ([5], ROWS, None)
    assert (result["id"], result["score"]) == (105, numbers.expected(numbers.rows)[5])
    assert search(api, job, "id=N%C3%AEmes&column=town").json()["rows"] == [0, 3, 6]
    for nothing in ("id=1050&column=id", "id=a&column=id", "id=&column=id", "id=lyon&column=town"):
        assert search(api, job, nothing).json()["rows"] == []


def test_a_search_goes_on_where_it_ended(api: ApiClient, job: Job) -> None:
    first = search(api, job, "id=Lyon&column=town&limit=4").json()
    assert (first["rows"], first["next_offset"]) == ([1, 2, 4, 5], 6)
    rest = search(api, job, f"id=Lyon&column=town&limit=4&offset={first['next_offset']}").json()
    assert (rest["rows"], rest["next_offset"]) == ([7, 8], None)


def test_the_only_kept_column_need_not_be_named(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    made = api_bench.submit_file(as_file(rows), on_invalid="flag", keep=("id",))
    job = api_bench.score_all(api_bench.read(made.id))
    assert search(api, job, "id=102").json()["rows"] == [2]


@pytest.mark.parametrize(
    ("query", "where", "type"),
    [
        ("column=id", "id", "lookup_id"),
        ("id=1", "column", "lookup_column"),
        ("id=1&column=income", "column", "lookup_column"),
        ("id=1&column=id&format=csv", "format", "lookup_format"),
    ],
)
def test_bad_searches_are_rejected(api: ApiClient, job: Job, query: str, where: str, type: str) -> None:
    [detail] = assert_problem(search(api, job, query), 422)["detail"]
    assert (detail["loc"], detail["type"]) == (["query", where], type)


def test_nothing_is_found_where_nothing_is_kept(api: ApiClient, api_bench: Workbench, numbers: Kit) -> None:
    job = api_bench.score_all(api_bench.submit(numbers.rows[:ROWS]))
    [detail] = assert_problem(search(api, job, "id=1"), 422)["detail"]
    assert detail["type"] == "lookup_nothing_kept"

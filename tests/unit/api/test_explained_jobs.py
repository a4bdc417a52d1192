"""The option `explain` of a batch, in every way of submitting one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.errors import NotExplainable
from shared.models.artifact import Model
from tests.factories import Kit, Row
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench, as_file

Submit = Callable[[ApiClient, list[Row], str], httpx.Response]

CSV = {"content-type": "text/csv"}
ROWS = 6

WAYS: dict[str, Submit] = {
    "file": lambda api, rows, count: api.post(f"/jobs?explain={count}", content=as_file(rows), headers=CSV),
    "json": lambda api, rows, count: api.post(f"/jobs?explain={count}", json=rows),
    "form": lambda api, rows, count: api.post(
        "/jobs", data={"explain": count}, files={"file": ("rows.csv", as_file(rows))}
    ),
    "form, in the query": lambda api, rows, count: api.post(
        f"/jobs?explain={count}", files={"file": ("rows.csv", as_file(rows))}
    ),
    "multiple_score": lambda api, rows, count: api.post(f"/multiple_score?explain={count}", json=rows),
}


@pytest.fixture(params=WAYS)
def submit(request: pytest.FixtureRequest) -> Submit:
    return WAYS[request.param]


def finished(bench: Workbench, job_id: str) -> None:
    job = bench.parts.store.get(job_id)
    bench.score_all(job if job.rows else bench.read(job_id))


def test_the_results_have_as_many_reasons_as_the_job_says(
    api: ApiClient, api_bench: Workbench, numbers: Kit, submit: Submit
) -> None:
    job = submit(api, numbers.rows[:ROWS], "3").json()
    assert job["explain"] == 3
    finished(api_bench, job["id"])
    results = api.get(f"/jobs/{job['id']}/results").json()["results"]
    assert [len(each["reasons"]) for each in results] == [3] * ROWS
    lines = api.get(f"/jobs/{job['id']}/results?format=csv").text.splitlines()
    assert lines[0] == (
        "score,prediction,decision,reason_1,contribution_1,reason_2,contribution_2,reason_3,contribution_3"
    )
    first = results[0]["reasons"][0]
    assert lines[1].split(",")[3:5] == [first["feature"], json.dumps(first["contribution"])]


def test_a_job_without_the_option_has_none(api: ApiClient, api_bench: Workbench, numbers: Kit) -> None:
    job = api.post("/jobs", json=numbers.rows[:ROWS]).json()
    assert job["explain"] is None
    finished(api_bench, job["id"])
    assert "reasons" not in api.get(f"/jobs/{job['id']}/results").json()["results"][0]


@pytest.mark.parametrize("count", ["0", "21", "all", "1.5", "-1", ""])
def test_a_number_out_of_range_is_rejected(api: ApiClient, numbers: Kit, submit: Submit, count: str) -> None:
    document = assert_problem(submit(api, numbers.rows[:ROWS], count), 422)
    assert kind_of(document) == "invalid-parameters"
    assert document["detail"][0]["loc"][-1] == "explain"


@pytest.mark.parametrize("name", ["reason_1", "contribution_2", "reasons"])
def test_names_of_reasons_cannot_be_kept(api: ApiClient, numbers: Kit, name: str) -> None:
    rows = [row | {name: 1} for row in numbers.rows[:ROWS]]
    [detail] = assert_problem(api.post(f"/jobs?explain=2&keep={name}", json=rows), 422)["detail"]
    assert detail["type"] == "kept_reserved"
    if name != "reasons":
        assert api.post(f"/jobs?keep={name}", json=rows).status_code == 202


def test_a_model_that_cannot_be_explained_takes_no_such_job(
    api: ApiClient, numbers: Kit, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(self: Model) -> Any:
        raise NotExplainable("explanation-without-weights")

    monkeypatch.setattr(Model, "explainer", property(unable))
    rows = numbers.rows[:ROWS]
    assert kind_of(assert_problem(submit(api, rows, "3"), 422)) == "explanation-without-weights"
    assert api.get("/jobs").json()["total"] == 0
    assert list(Path(api.folder / "storage").rglob("*.arrow")) == []
    assert api.post("/jobs", json=rows).status_code == 202

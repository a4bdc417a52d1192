"""Batches over HTTP; the worker's part is done by hand."""

import json
from typing import Any

import pytest

from api.schemas import JobBody, Score
from shared.jobs.job import Job
from shared.reasons import Reason
from tests.factories import Kit, make_town_kit
from tests.patience import within
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench

ROWS = 10
UNKNOWN = "0" * 32
SUBMISSIONS = pytest.mark.parametrize("path", ["/jobs", "/multiple_score"])


@pytest.fixture
def rows(numbers: Kit) -> list[dict[str, Any]]:
    return numbers.rows[:ROWS]


@pytest.fixture
def queued(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    """The API where no batch is scored immediately."""
    monkeypatch.setattr(api.services.immediate, "_most_rows", 0)
    return api


def submitted(api: ApiClient, rows: list[dict[str, Any]], path: str = "/jobs") -> str:
    response = api.post(path, json=rows)
    assert response.status_code == 202
    job_id: str = response.json()["id"]
    return job_id


@SUBMISSIONS
def test_a_batch_is_accepted_as_a_job(api: ApiClient, rows: list[dict[str, Any]], path: str) -> None:
    response = api.post(path, json=rows)
    assert response.status_code == 202
    job = JobBody.model_validate_json(response.content)
    assert response.headers["location"] == f"/jobs/{job.id}"
    assert (job.state, job.rows, job.rows_done, job.chunks, job.error) == ("queued", ROWS, 0, 3, None)
    assert job.model_version == api.services.member.model.version
    assert api.get(f"/jobs/{job.id}").json() == response.json()


def test_a_job_is_followed_to_its_results(
    api: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]], numbers: Kit
) -> None:
    job_id = submitted(api, rows)
    api_bench.score(job_id, 0)
    running = api.get(f"/jobs/{job_id}").json()
    assert (running["state"], running["rows_done"], running["seconds"]) == ("running", 4, None)
    api_bench.score_all(api_bench.parts.store.get(job_id))
    done = api.get(f"/jobs/{job_id}").json()
    assert (done["state"], done["rows_done"], done["granted"] + done["refused"]) == ("succeeded", ROWS, ROWS)
    assert done["seconds"] > 0
    page = api.get(f"/jobs/{job_id}/results").json()
    assert [answer["score"] for answer in page["results"]] == numbers.expected(rows)
    assert sum(answer["prediction"] for answer in page["results"]) == done["refused"]
    for answer in page["results"]:
        assert Score.model_validate(answer, strict=True).model_dump() == answer


def test_pages_follow_each_other_without_gap_or_overlap(
    api: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]], numbers: Kit
) -> None:
    job_id = submitted(api, rows)
    api_bench.score_all(api_bench.parts.store.get(job_id))
    scores: list[float] = []
    offset: int | None = 0
    while offset is not None:
        page = api.get(f"/jobs/{job_id}/results", params={"offset": offset, "limit": 3}).json()
        assert (page["job_id"], page["total"], page["offset"]) == (job_id, ROWS, offset)
        scores += [answer["score"] for answer in page["results"]]
        offset = page["next_offset"]
    assert scores == numbers.expected(rows)
    assert api.get(f"/jobs/{job_id}/results", params={"offset": ROWS}).json()["results"] == []


@pytest.mark.parametrize("query", ["offset=-1", "limit=0", "limit=10001", "offset=x", "limit=1.5"])
def test_a_page_that_makes_no_sense_is_rejected(api: ApiClient, query: str) -> None:
    assert_problem(api.get(f"/jobs/{UNKNOWN}/results?{query}"), 422)


def test_a_job_without_results_yet_is_a_conflict(api: ApiClient, rows: list[dict[str, Any]]) -> None:
    job_id = submitted(api, rows)
    problem = assert_problem(api.get(f"/jobs/{job_id}/results"), 409)
    assert (kind_of(problem), problem["params"]) == ("no-results", {"state": "queued"})


@pytest.mark.parametrize("job_id", [UNKNOWN, "x", "%00", "..%2F..", "é"])
def test_an_unknown_job_is_not_found(api: ApiClient, job_id: str) -> None:
    for response in (
        api.get(f"/jobs/{job_id}"),
        api.get(f"/jobs/{UNKNOWN}/results"),
        api.request("DELETE", f"/jobs/{UNKNOWN}"),
    ):
        assert_problem(response, 404)


def test_a_cancelled_job_stays_cancelled_and_its_rows_are_gone(
    api: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]]
) -> None:
    job_id = submitted(api, rows)
    for _ in range(2):
        response = api.request("DELETE", f"/jobs/{job_id}")
        assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    assert api_bench.stored_files() == []
    api_bench.score(job_id, 0)
    assert api.get(f"/jobs/{job_id}").json()["rows_done"] == 0
    assert_problem(api.get(f"/jobs/{job_id}/results"), 409)


def test_a_job_that_has_ended_cannot_be_cancelled(
    api: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]]
) -> None:
    job_id = submitted(api, rows)
    api_bench.score_all(api_bench.parts.store.get(job_id))
    problem = assert_problem(api.request("DELETE", f"/jobs/{job_id}"), 409)
    assert (kind_of(problem), problem["params"]) == ("job-ended", {"state": "succeeded"})
    assert len(api.get(f"/jobs/{job_id}/results").json()["results"]) == ROWS


@pytest.mark.parametrize("end", ["queued", "running", "succeeded", "failed", "cancelled"])
def test_a_job_in_any_state_can_be_removed_with_all_that_is_stored_of_it(
    api: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]], end: str
) -> None:
    job_id, other = submitted(api, rows), submitted(api, rows)
    bring_to(end, job_id, api_bench)
    assert api.get(f"/jobs/{job_id}").json()["state"] == end
    response = api.request("DELETE", f"/jobs/{job_id}?purge=true")
    assert (response.status_code, response.content) == (204, b"")
    for path in ("", "/results", "/events"):
        assert_problem(api.get(f"/jobs/{job_id}{path}"), 404)
    assert_problem(api.request("DELETE", f"/jobs/{job_id}?purge=true"), 404)
    assert [job["id"] for job in api.get("/jobs").json()["jobs"]] == [other]
    # What comes of work that was under way is not kept either.
    api_bench.score(job_id, 1)
    assert api_bench.client.keys(f"*{job_id}*") == []
    assert {path.split("/")[1] for path in api_bench.stored_files()} == {other}
    assert api_bench.score_all(api_bench.parts.store.get(other)).state == "succeeded"


def bring_to(end: str, job_id: str, bench: Workbench) -> None:
    if end == "running":
        bench.score(job_id, 0)
    elif end == "succeeded":
        bench.score_all(bench.parts.store.get(job_id))
    elif end == "failed":
        bench.parts.store.fail(job_id, Reason("storage-full"))
    elif end == "cancelled":
        bench.parts.store.cancel(job_id)


def test_only_a_clear_wish_removes_a_job(api: ApiClient, rows: list[dict[str, Any]]) -> None:
    job_id = submitted(api, rows)
    for query in ("purge=perhaps", "purge=", "purg=true"):
        assert_problem(api.request("DELETE", f"/jobs/{job_id}?{query}"), 422)
    assert api.get(f"/jobs/{job_id}").json()["state"] == "queued"
    assert api.request("DELETE", f"/jobs/{job_id}?purge=false").json()["state"] == "cancelled"


def test_the_key_of_a_job_that_was_removed_is_free(api: ApiClient, rows: list[dict[str, Any]]) -> None:
    def submit(rows: list[dict[str, Any]]) -> str:
        job_id: str = api.post("/jobs", json=rows, headers={"idempotency-key": "november"}).json()["id"]
        return job_id

    first = submit(rows)
    assert submit(rows) == first
    assert api.request("DELETE", f"/jobs/{first}?purge=true").status_code == 204
    second = submit(rows[1:])
    assert second != first
    assert submit(rows[1:]) == second


@SUBMISSIONS
@pytest.mark.parametrize("body", ["[]", "{}", "null", "5", "[", '"[]"'])
def test_what_is_no_list_of_rows_is_rejected(api: ApiClient, api_bench: Workbench, path: str, body: str) -> None:
    response = api.post(path, content=body, headers={"content-type": "application/json"})
    assert_problem(response, 400)
    assert api_bench.stored_files() == []


@SUBMISSIONS
@pytest.mark.parametrize("value", ["17", "NaN", "1e999", '"x"', "null", "1" + "0" * 400])
def test_a_bad_row_is_named_and_nothing_is_created(
    api: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]], path: str, value: str
) -> None:
    rows[7] = rows[7] | {"age": "VALUE"}
    body = json.dumps(rows).replace('"VALUE"', value)
    document = assert_problem(api.post(path, content=body, headers={"content-type": "application/json"}), 422)
    assert [detail["loc"] for detail in document["detail"]] == [["body", 7, "age"]]
    assert api_bench.stored_files() == []
    assert api_bench.parts.store.open_jobs() == []


def test_a_client_that_prefers_to_wait_gets_the_answers_in_the_order_of_its_rows(
    queued: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]], numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score_at_once(job: Job, units: list[str]) -> None:
        for chunk in units:
            api_bench.score(job.id, int(chunk))

    monkeypatch.setattr(queued.services.queue, "publish", score_at_once)
    response = queued.post("/multiple_score", json=rows, headers={"prefer": "respond-async, WAIT=5"})
    assert response.status_code == 200
    assert (response.headers["preference-applied"], response.headers["vary"]) == ("wait=5", "Prefer")
    assert [answer["score"] for answer in response.json()] == numbers.expected(rows)


def test_a_client_that_waited_in_vain_gets_the_job(api: ApiClient, rows: list[dict[str, Any]]) -> None:
    response = api.post("/multiple_score", json=rows, headers={"prefer": "wait=0"})
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "wait=0"
    assert response.headers["location"] == f"/jobs/{response.json()['id']}"


def test_a_client_that_does_not_wait_is_told_that_it_could(api: ApiClient, rows: list[dict[str, Any]]) -> None:
    response = api.post("/multiple_score", json=rows)
    assert response.headers["vary"] == "Prefer"
    assert "preference-applied" not in response.headers


def test_a_job_that_fails_while_its_client_waits_says_so(
    queued: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(job: Job, _: list[str]) -> None:
        api_bench.parts.store.fail(job.id, Reason("version-gone", {"version": "v"}))

    monkeypatch.setattr(queued.services.queue, "publish", fail)
    response = queued.post("/multiple_score", json=rows, headers={"prefer": "wait=5"})
    sentence = "The model source no longer has version v."
    assert (response.status_code, response.json()["state"], response.json()["error"]) == (
        202,
        "failed",
        {"type": "version-gone", "message": sentence, "params": {"version": "v"}},
    )


def test_a_client_learns_of_its_job_even_if_redis_goes_away_while_it_waits(
    queued: ApiClient, api_bench: Workbench, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_redis(*_: Any) -> None:
        api_bench.server.connected = False

    monkeypatch.setattr(queued.services.queue, "publish", lose_redis)
    response = queued.post("/multiple_score", json=rows, headers={"prefer": "wait=1"})
    api_bench.server.connected = True
    [job_id] = api_bench.parts.store.open_jobs()
    assert response.status_code == 202
    assert response.headers["location"] == f"/jobs/{job_id}"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/jobs"),
        ("POST", "/multiple_score"),
        ("GET", f"/jobs/{UNKNOWN}"),
        ("GET", f"/jobs/{UNKNOWN}/results"),
        ("DELETE", f"/jobs/{UNKNOWN}"),
    ],
)
def test_without_redis_job_routes_say_so_within_two_seconds_and_leave_nothing(
    cut_off: ApiClient, mixed: Kit, method: str, path: str
) -> None:
    response = within(2, lambda: cut_off.request(method, path, json=mixed.rows[:3] if method == "POST" else None))
    assert kind_of(assert_problem(response, 503)) == "redis-unavailable"
    assert int(response.headers["retry-after"]) > 0
    assert list((cut_off.folder / "storage").rglob("*.arrow")) == []


def test_without_a_broker_a_batch_is_accepted_all_the_same(
    api: ApiClient, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(api.services.queue._app, "send_task", refuse)
    for _ in range(2):
        submitted(api, rows)


def test_rows_with_categories_that_the_model_has_not_seen_are_told(fresh: ApiClient, bench: Workbench) -> None:
    kit = make_town_kit()
    bench.activate(bench.offer(kit))
    fresh.services.member.look()
    job_id = submitted(fresh, [row | {"town": "Town 1"} for row in kit.rows[:5]] + kit.rows[:5])
    assert fresh.get(f"/jobs/{job_id}").json()["unseen_categories"] == {}
    bench.score_all(bench.parts.store.get(job_id))
    assert JobBody.model_validate(fresh.get(f"/jobs/{job_id}").json()).unseen_categories == {"town": 5}

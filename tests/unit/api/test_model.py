"""What the service tells of its model and of its health."""

import time
from collections.abc import AsyncIterator

import pytest

from shared.errors import SourceUnavailable
from shared.fleet.records import ProcessReport
from shared.jobs.queue import CHUNKS, QUEUE_PREFIX, QUEUES
from shared.version import service_version
from tests.factories import METADATA, Kit, put_in_cache, write_checksums
from tests.processes import wait_for
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench


def test_the_root_leads_to_the_documentation(cut_off: ApiClient) -> None:
    response = cut_off.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/docs")


def test_the_signature_lists_the_features_in_the_models_order(cut_off: ApiClient, mixed: Kit) -> None:
    body = cut_off.get("/model_signature").json()
    assert body["nb_features"] == len(mixed.inputs)
    assert [{key: column[key] for key in ("name", "type", "required")} for column in body["columns"]] == mixed.inputs
    assert body["ordered"] == METADATA["ordered"]
    income, age, *_, children = (column for column in body["columns"] if column["name"] in METADATA["features"])
    assert (income["description"], income["ge"], income["le"]) == ("Monthly income.", 0, None)
    assert (age["ge"], age["le"]) == (18, 100)
    assert children["values"] == [0, 1, 2, 3]
    assert body["input_example"] == mixed.rows[0]


def test_a_model_without_an_example_shows_none(fresh: ApiClient, bench: Workbench, mixed: Kit) -> None:
    folder = mixed.write(bench.folder / "source")
    (folder / "input_example.json").unlink()
    write_checksums(folder)
    bench.activate(put_in_cache(folder, bench.folder / "cache"))
    fresh.services.member.look()
    assert fresh.get("/model_signature").json()["input_example"] is None


def test_the_card_is_shown_as_markdown_without_its_front_matter(fresh: ApiClient, bench: Workbench, mixed: Kit) -> None:
    folder = mixed.write(bench.folder / "source")
    (folder / "README.md").write_text("---\ntags: [a]\n---\n\n# Modèle\n\n---\n\nIt scores.\n", encoding="utf-8")
    bench.activate(put_in_cache(folder, bench.folder / "cache"))
    fresh.services.member.look()
    response = fresh.get("/model_card")
    assert (response.status_code, response.text) == (200, "# Modèle\n\n---\n\nIt scores.\n")
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.headers["x-model-version"] == fresh.services.member.model.version


def test_a_model_without_a_card_is_told_from_no_model(cut_off: ApiClient, bare: ApiClient) -> None:
    assert kind_of(assert_problem(cut_off.get("/model_card"), 404)) == "no-model-card"
    problem = assert_problem(bare.get("/model_card"), 404)
    assert (kind_of(problem), problem["params"]["reason"]["type"]) == ("model-not-loaded", "model-file-missing")


def test_the_info_tells_where_the_model_comes_from(cut_off: ApiClient) -> None:
    body = cut_off.get("/model_info").json()
    assert body["version"] == cut_off.services.member.model.version
    assert body["recommended_threshold"] == 0.4
    assert body["model_type"] == "CatBoostClassifier"
    assert body["created_at"] == "2026-01-02T03:04:05.678901Z"
    assert body["classes"] == [0, 1]
    assert body["mlflow_run_id"] == "0" * 32
    model = cut_off.services.member.model
    assert body["evaluator"]["name"] == model.scorer.evaluator.name
    assert body["evaluator"]["reason"]["type"] == model.evaluation.type


def test_the_status_tells_of_the_file_and_without_redis_nothing_of_the_fleet(cut_off: ApiClient) -> None:
    body = cut_off.get("/model_status").json()
    model = cut_off.services.member.model
    assert (body["file_name"], body["path"], body["size"]) == ("model.cb", "model.cb", model.file.stat().st_size)
    assert body["version"] == model.version
    assert (body["active_version"], body["converged"], body["processes"]) == (None, None, [])


def test_the_status_tells_who_serves_what(api: ApiClient) -> None:
    # A process that stood still for long reports itself with its next turn.
    wait_for("its report", lambda: api.get("/model_status").json()["processes"])
    body = api.get("/model_status").json()
    assert body["active_version"] == body["version"]
    assert body["converged"] is True
    assert [(process["kind"], process["version"]) for process in body["processes"]] == [("api", body["version"])]


def test_the_status_tells_why_this_process_does_not_serve_what_is_active(cut_off: ApiClient) -> None:
    cut_off.services.member.error = SourceUnavailable("hub-answered", status=502).reason
    error = cut_off.get("/model_status").json()["error"]
    assert (error["type"], error["params"]) == ("hub-answered", {"status": 502})
    assert "502" in error["message"]


@pytest.mark.parametrize("path", ["/model_status", "/model_signature", "/model_info", "/model_card"])
def test_without_a_model_there_is_nothing_to_tell(bare: ApiClient, path: str) -> None:
    assert_problem(bare.get(path), 404)


def test_alive_needs_nothing(bare: ApiClient) -> None:
    assert bare.get("/api_health").json() == {"status": "ok", "version": service_version()}


def test_the_version_is_told_the_same_everywhere(bare: ApiClient) -> None:
    assert bare.get("/version").json() == {"version": service_version()}
    assert bare.get("/openapi.json").json()["info"]["version"] == service_version()


def test_ready_needs_a_model(bare: ApiClient, cut_off: ApiClient) -> None:
    response = bare.get("/router_health")
    assert (response.status_code, response.json()["status"]) == (503, "not ready")
    model = response.json()["parts"]["model"]
    assert (model["type"], model["params"]["reason"]["params"]) == ("model-not-loaded", {"file": "MLmodel"})
    assert model["detail"] == "No model is loaded. The model folder has no file 'MLmodel'."
    response = cut_off.get("/router_health")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    parts = response.json()["parts"]
    assert {name: part["status"] for name, part in parts.items()} == {
        "model": "ok",
        "redis": "down",
        "workers": "down",
        "readers": "down",
        "storage": "ok",
    }
    version = cut_off.services.member.model.version
    assert {name: (part["type"], part["params"]) for name, part in parts.items()} == {
        "model": ("model-served", {"version": version}),
        "redis": ("redis-unavailable", {}),
        "workers": ("not-known-without-redis", {}),
        "readers": ("not-known-without-redis", {}),
        "storage": ("storage-writable", {}),
    }
    assert parts["model"]["detail"] == f"Model version {version} is served."
    assert response.json()["queues"] is None


def test_the_tasks_that_wait_are_counted_by_lane(api: ApiClient, api_bench: Workbench) -> None:
    assert api.get("/router_health").json()["queues"] == dict.fromkeys(QUEUES, 0)
    queue = f"{QUEUE_PREFIX}{CHUNKS}"
    api_bench.client.lpush(queue, "one", "another")
    health = api.get("/router_health").json()
    api_bench.client.delete(queue)
    assert health["queues"] == dict.fromkeys(QUEUES, 0) | {CHUNKS: 2}
    redis = health["parts"]["redis"]
    assert (redis["detail"], redis["type"], redis["params"]) == ("2 tasks are waiting.", "tasks-waiting", {"count": 2})


def test_a_worker_that_reports_makes_the_service_ready(api: ApiClient, api_bench: Workbench) -> None:
    without = api.get("/router_health").json()
    assert (without["status"], without["parts"]["workers"]["status"]) == ("degraded", "down")
    for queues, readers in (((CHUNKS,), "down"), (QUEUES, "ok")):
        worker = ProcessReport("worker", "host", 1, None, time.time(), slots=2, queues=queues)
        api_bench.parts.fleet.report(worker)
        ready = api.get("/router_health").json()
        assert (ready["parts"]["workers"]["status"], ready["parts"]["readers"]["status"]) == ("ok", readers)
        assert ready["parts"]["workers"]["detail"] == "1 worker is running."
        assert ready["parts"]["readers"]["params"] == {"count": int(readers == "ok")}
        assert ready["status"] == ("ready" if readers == "ok" else "degraded")
    api_bench.parts.fleet.retire(worker)


def test_a_reload_body_of_any_size_is_rejected_after_a_few_kilobytes(api: ApiClient) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield b" " * 2**16

    assert_problem(api.post("/reload_model", content=endless(), headers={"Content-Type": "application/json"}), 413)
    assert taken < 10


@pytest.mark.parametrize("body", [b"{", b'{"revision": 5}', b'{"version": "v2"}', b"[]", b"\xff"])
def test_a_reload_of_nonsense_is_rejected(api: ApiClient, body: bytes) -> None:
    document = assert_problem(
        api.post("/reload_model", content=body, headers={"Content-Type": "application/json"}), 422
    )
    assert document["detail"][0]["loc"][0] == "body"

"""What the API tells Prometheus: of requests, scores, jobs, queues and the fleet, by labels that no caller chooses."""

import time

import pytest

from api.routes.scoring import INDIVIDUAL_SCORE
from api.traffic import Traffic
from shared.jobs.queue import QUEUE_PREFIX
from shared.metrics import Metrics
from tests import promtool
from tests.factories import Kit
from tests.unit.api.access.keyed import ADA, API_KEYS, keyed_api
from tests.unit.api.client import ApiClient
from tests.unit.workbench import Workbench, as_file

Samples = dict[str, float]


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.gauges.FRESH", 0.0)


def samples(api: ApiClient) -> Samples:
    """All samples by name and labels, as the text has them."""
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = (line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def request_count(found: Samples, method: str, route: str, status: int) -> float:
    return found.get(
        f'pret_http_request_duration_seconds_count{{method="{method}",route="{route}",status="{status}"}}', 0
    )


def test_requests_are_counted_by_the_route_that_served_them(api: ApiClient, numbers: Kit) -> None:
    before = samples(api)
    api.post(INDIVIDUAL_SCORE, json=numbers.rows[0])
    api.post(INDIVIDUAL_SCORE, json={})
    api.get("/jobs/" + "0" * 32)
    api.request("HEAD", "/api_health")
    api.get("/no/such/path")
    api.request("BREW", "/api_health")
    after = samples(api)
    for method, route, status in (
        ("POST", INDIVIDUAL_SCORE, 200),
        ("POST", INDIVIDUAL_SCORE, 422),
        ("GET", "/jobs/{job_id}", 404),
        ("HEAD", "/api_health", 200),
        ("GET", "none", 404),
        ("other", "/api_health", 405),
    ):
        counted = request_count(after, method, route, status) - request_count(before, method, route, status)
        assert counted == 1, (method, route, status)


def test_nothing_that_a_caller_sends_becomes_a_label(api: ApiClient, numbers: Kit) -> None:
    api.get("/chosen-by-a-caller", headers={"X-Request-ID": "chosen-id", "Host": "localhost"})
    api.get("/jobs/chosen-job?chosen=query")
    api.post("/jobs?keep=chosen", content=b"chosen,columns\n1,2\n", headers={"Content-Type": "text/csv"})
    api.post(INDIVIDUAL_SCORE, json=numbers.rows[0] | {"chosen": 1})
    assert "chosen" not in api.get("/metrics").text


def test_single_scores_are_counted_by_version_decision_and_score(api: ApiClient, numbers: Kit) -> None:
    before = samples(api)
    answers = [api.post(INDIVIDUAL_SCORE, json=row).json() for row in numbers.rows[:30]]
    after = samples(api)
    version = answers[0]["model_version"]
    refused = sum(answer["prediction"] for answer in answers)
    low = sum(answer["score"] <= 0.25 for answer in answers)
    for name, expected in (
        (f'pret_decisions_total{{decision="granted",version="{version}"}}', 30 - refused),
        (f'pret_decisions_total{{decision="refused",version="{version}"}}', refused),
        (f'pret_score_bucket{{le="0.25",version="{version}"}}', low),
        ("pret_microbatch_rows_count", 30),
    ):
        assert after[name] - before.get(name, 0) == expected, name
    [scored] = {name for name in after if name.startswith("pret_rows_scored_total")}
    assert after[scored] - before.get(scored, 0) == 30


def test_a_batch_that_is_waited_for_is_counted_too(api: ApiClient, numbers: Kit) -> None:
    before = samples(api)
    api.post("/multiple_score", json=numbers.rows[:50], headers={"Prefer": "wait=5"})
    after = samples(api)
    [scored] = {name for name in after if name.startswith("pret_rows_scored_total")}
    assert after[scored] - before.get(scored, 0) == 50


def test_jobs_and_queues_are_told_from_their_records(api: ApiClient, api_bench: Workbench, numbers: Kit) -> None:
    before = samples(api)
    job = api.post("/jobs", content=as_file(numbers.rows[:10]), headers={"Content-Type": "text/csv"}).json()
    api_bench.let_messages_wait()
    waiting = samples(api)
    assert waiting['pret_jobs{state="queued"}'] == 1
    assert waiting['pret_queue_length{queue="quick"}'] == 1
    assert 0 <= waiting['pret_queue_oldest_age_seconds{queue="quick"}'] < 60
    assert waiting["pret_http_upload_bytes_total"] > before.get("pret_http_upload_bytes_total", 0)
    api_bench.score_all(api_bench.read(job["id"]))
    after = samples(api)
    ended = 'pret_jobs_ended_total{state="succeeded"}'
    assert after[ended] - before.get(ended, 0) == 1
    count = 'pret_job_duration_seconds_count{state="succeeded"}'
    assert after[count] - before.get(count, 0) == 1


def test_the_age_of_a_message_does_not_depend_on_the_clock_of_who_published_it(
    api: ApiClient, api_bench: Workbench, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.jobs.queue.CLOCK_INTERVAL", -1.0)
    monkeypatch.setattr("shared.jobs.queue.time", lambda: time.time() - 3600)
    api.post("/jobs", content=as_file(numbers.rows[:10]), headers={"Content-Type": "text/csv"})
    api_bench.let_messages_wait()
    monkeypatch.setattr("shared.jobs.queue.time", lambda: time.time() + 3600)
    assert samples(api)['pret_queue_oldest_age_seconds{queue="quick"}'] < 60


def test_a_strange_message_in_a_queue_has_no_age(api: ApiClient, api_bench: Workbench) -> None:
    for message in ("", "[]", "{}", '{"headers": {"published_at": "long ago"}}'):
        api_bench.client.rpush(f"{QUEUE_PREFIX}quick", message)
        assert samples(api)['pret_queue_oldest_age_seconds{queue="quick"}'] == 0
    api_bench.client.delete(f"{QUEUE_PREFIX}quick")


def test_the_fleet_is_told_with_the_version_that_each_process_serves(api: ApiClient) -> None:
    api.services.member.look()
    found = samples(api)
    version = api.get("/model_status").json()["version"]
    assert any(name.startswith("pret_process_info{") and f'version="{version}"' in name for name in found)
    assert found[f'pret_active_model_info{{version="{version}"}}'] == 1
    assert found["pret_fleet_behind_processes"] == 0
    assert found["pret_redis_up"] == 1
    assert 0 < found["pret_redis_round_trip_seconds"] < 60
    assert found["pret_storage_free_bytes"] > 0


def test_without_redis_the_rest_is_told(cut_off: ApiClient) -> None:
    found = samples(cut_off)
    assert found["pret_redis_up"] == 0
    assert "pret_redis_round_trip_seconds" not in found
    assert found["pret_storage_free_bytes"] > 0


def test_who_asks_all_the_time_gets_the_same_look(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.gauges.FRESH", 60.0)
    samples(api)
    monkeypatch.setattr(api.services.queue, "lengths", None)
    for _ in range(5):
        assert samples(api)["pret_redis_up"] == 1


def test_where_there_are_keys_the_metrics_need_one(bench: Workbench) -> None:
    with keyed_api(bench, api_keys=API_KEYS) as api:
        assert api.get("/metrics").status_code == 401
        assert api.get("/metrics", headers=ADA).status_code == 200


def test_prometheus_finds_nothing_to_complain_about(api: ApiClient, numbers: Kit) -> None:
    api.post(INDIVIDUAL_SCORE, json=numbers.rows[0])
    promtool.run("check", "metrics", text=api.get("/metrics").text)


def test_what_cannot_be_counted_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    traffic = Traffic(metrics)
    traffic.answered("GET", "/version", 200, 0.1)
    with monkeypatch.context() as broken, pytest.raises(OSError, match="no space"):
        broken.setattr(metrics.requests, "labels", lambda *_: raise_no_space())
        traffic.flush()
    traffic.answered("GET", "/version", 200, 0.1)
    traffic.flush()
    labels = {"method": "GET", "route": "/version", "status": "200"}
    assert metrics.registry.get_sample_value("pret_http_request_duration_seconds_count", labels) == 1


def raise_no_space() -> None:
    raise OSError("no space")

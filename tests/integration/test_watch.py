"""Metrics, logs and traces of real processes: several of the API on one port, and workers with children that die."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from scripts.lib.loopback import free_port
from tests import promtool
from tests.collector import collecting
from tests.factories import Kit, make_rows
from tests.processes import Service, http, service, wait_for
from tests.unit.workbench import as_file

SLOW = "tests.integration.slow_worker"
Samples = dict[str, float]


def parsed(text: str) -> Samples:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def of_port(port: int) -> Samples:
    return parsed(http.get(f"http://127.0.0.1:{port}/metrics").text)


def of_api(made: Service) -> Samples:
    return parsed(http.get(f"http://127.0.0.1:{made.port}/metrics").text)


def total(found: Samples, prefix: str) -> float:
    return sum(value for name, value in found.items() if name.startswith(prefix))


def test_processes_of_the_api_tell_their_metrics_together_whichever_is_asked(tmp_path: Path, mixed: Kit) -> None:
    scored = 'pret_http_request_duration_seconds_count{method="POST",route="/individual_score",status="200"}'
    with service(tmp_path, WEB_CONCURRENCY="2") as made:
        made.offer(mixed)
        made.start_api()
        wait_for("both processes", lambda: len(made.processes("api")) == 2)
        serving = {process["pid"] for process in made.processes("api")}
        for _ in range(40):
            assert http.post(f"http://127.0.0.1:{made.port}/individual_score", json=mixed.rows[0]).status_code == 200
        wait_for("all requests", lambda: of_api(made).get(scored) == 40)
        assert {of_api(made)[scored] for _ in range(10)} == {40}
        wait_for(
            "both in the metrics", lambda: sum(name.startswith("pret_process_info{") for name in of_api(made)) == 2
        )
        text = http.get(f"http://127.0.0.1:{made.port}/metrics").text
        promtool.run("check", "metrics", text=text)
        # One that is killed is replaced by its parent; what it has counted stays.
        victim = next(child for child in made.api.children() if child.pid in serving)
        victim.kill()
        wait_for("the other one", lambda: {each["pid"] for each in made.processes("api")} > serving - {victim.pid})
        assert {of_api(made)[scored] for _ in range(10)} == {40}


def test_a_worker_tells_what_its_children_do_and_did(tmp_path: Path, mixed: Kit) -> None:
    rows, port = make_rows(400, seed=5, purpose=True), free_port()
    with service(tmp_path, CHUNK_ROWS="20", CHUNK_LEASE="5", RECONCILE_INTERVAL="0.5") as made:
        made.offer(mixed)
        made.start_api()
        worker = made.start_worker(METRICS_PORT=str(port))
        job = made.upload(as_file(rows))
        assert made.wait_until_ended(job)["state"] == "succeeded"
        found = of_port(port)
        assert found['pret_unit_attempts_total{kind="score",outcome="done"}'] == 20
        assert found['pret_unit_attempts_total{kind="read",outcome="done"}'] == 1
        assert total(found, "pret_rows_scored_total") == 400
        for child in worker.children():
            child.kill()
        wait_for("new children", lambda: len(worker.children()) == 2)
        again = made.upload(as_file(rows))
        assert made.wait_until_ended(again)["state"] == "succeeded"
        assert total(of_port(port), "pret_rows_scored_total") == 800
        assert total(of_api(made), "pret_jobs_ended_total") == 2
        promtool.run("check", "metrics", text=http.get(f"http://127.0.0.1:{port}/metrics").text)


def test_a_worker_tells_its_metrics_while_redis_is_away(tmp_path: Path, mixed: Kit) -> None:
    port = free_port()
    with service(tmp_path) as made:
        made.offer(mixed)
        made.start_api()
        made.start_worker(METRICS_PORT=str(port))
        made.redis.kill()
        assert http.get(f"http://127.0.0.1:{port}/metrics").status_code == 200
        found = wait_for(
            "a look without Redis", lambda: found if (found := of_api(made))["pret_redis_up"] == 0 else None
        )
        assert "pret_queue_length" not in found


def test_a_port_that_is_in_use_is_said_and_the_worker_works(tmp_path: Path, mixed: Kit) -> None:
    with socket.socket() as taken, service(tmp_path) as made:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        made.offer(mixed)
        made.start_api()
        worker = made.start_worker(METRICS_PORT=str(taken.getsockname()[1]))
        job = made.upload(as_file(mixed.rows[:20]))
        assert made.wait_until_ended(job)["state"] == "succeeded"
        assert "Address already in use" in worker.log.read_text()


def test_the_port_is_free_again_when_a_worker_was_killed(tmp_path: Path, mixed: Kit) -> None:
    port = free_port()
    with service(tmp_path, CHUNK_ROWS="20") as made:
        made.offer(mixed)
        made.start_api()
        worker = made.start_worker(SLOW, METRICS_PORT=str(port))
        made.upload(as_file(make_rows(400, seed=5, purpose=True)))
        assert worker.running is not None
        worker.running.kill()
        worker.running.wait()

        def is_free() -> bool:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            return True

        wait_for("the port", is_free)


def lines_of(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_every_line_about_a_job_names_it_and_its_request(tmp_path: Path, mixed: Kit) -> None:
    with service(tmp_path, CHUNK_ROWS="20", LOG_FORMAT="json") as made:
        made.offer(mixed)
        made.start_api()
        worker = made.start_worker()
        headers = {"Content-Type": "text/csv", "X-Request-ID": "the-request"}
        job = made.client.post("/jobs", content=as_file(mixed.rows[:60]), headers=headers).json()["id"]
        made.wait_until_ended(job)

        def about() -> list[dict[str, Any]]:
            return [line for line in lines_of(worker.log) if job in line["message"]]

        wait_for("the lines of all units", lambda: len({line.get("unit") for line in about()}) == 4)
        assert {line.get("job") for line in about()} == {job}
        [sent] = [line for line in lines_of(made.api.log) if line["logger"] == "access" and line["status"] == 202]
        assert (sent["request"], sent["route"], sent["method"]) == ("the-request", "/jobs", "POST")
        assert job not in json.dumps([line for line in lines_of(made.api.log) if line["logger"] == "access"])


def test_the_trace_of_a_job_goes_through_both_processes_even_if_a_child_dies(tmp_path: Path, mixed: Kit) -> None:
    with collecting() as collector:
        variables = collector.environment()
        with service(tmp_path, CHUNK_ROWS="20", **variables) as made:
            made.offer(mixed)
            made.start_api()
            made.start_worker()
            job = made.upload(as_file(mixed.rows[:60]))
            made.wait_until_ended(job)
            wait_for(
                "the spans of all units",
                lambda: len([span for span in collector.spans if span.name == "score unit"]) == 3,
            )
        [request] = [span for span in collector.spans if span.name == "POST /jobs"]
        units = [span for span in collector.spans if span.name.endswith(" unit")]
        assert {span.trace_id for span in units} == {request.trace_id}
        assert collector.services == {"pret-api", "pret-worker"}


@pytest.mark.parametrize("manner", ["fails", "hangs"])
def test_a_hostile_collector_delays_neither_work_nor_end(tmp_path: Path, mixed: Kit, manner: Any) -> None:
    with collecting(manner) as collector, service(tmp_path, CHUNK_ROWS="20", **collector.environment()) as made:
        made.offer(mixed)
        made.start_api()
        worker = made.start_worker()
        job = made.upload(as_file(mixed.rows[:60]))
        assert made.wait_until_ended(job)["state"] == "succeeded"
        assert made.client.post("/individual_score", json=mixed.rows[0]).status_code == 200
        wait_for("a request at the collector", lambda: collector.requests > 0)
        for process in (made.api, worker):
            assert process.running is not None
            process.running.terminate()
            process.running.wait(20)

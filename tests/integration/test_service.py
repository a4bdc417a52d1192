"""API and workers as real processes over a real Redis: every row is scored once, by one model, whatever dies."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from shared.jobs.queue import CHUNKS, QUEUE_PREFIX
from shared.models.verdict import is_fast_evaluator_installed
from tests.factories import Kit, fitted, frame, make_kit, make_rows
from tests.integration.portfolio import PARQUET, as_parquet
from tests.processes import Service, service, wait_for

ROWS = 4000
SLOW = "tests.integration.slow_worker"
QUICK = {"CHUNK_LEASE": "5", "RECONCILE_INTERVAL": "0.5"}
"""Lost work is found within seconds."""


@pytest.fixture
def running(tmp_path: Path, mixed: Kit) -> Iterator[Service]:
    """A service with its API up, a model to serve and jobs of many small chunks; no worker yet."""
    with service(tmp_path, CHUNK_ROWS="20", **QUICK) as made:
        made.offer(mixed)
        made.start_api()
        yield made


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return make_rows(ROWS, seed=5, purpose=True)


def check_results(made: Service, job_id: str, expected: list[float], threshold: float) -> None:
    """The job counts each row once, and its results are CatBoost's own scores in input order."""
    job = made.wait_until_ended(job_id)
    assert (job["state"], job["error"], job["rows_done"]) == ("succeeded", None, len(expected))
    answers = made.results(job_id, page=999)
    assert [answer["score"] for answer in answers] == expected
    assert [answer["prediction"] for answer in answers] == [int(score >= threshold) for score in expected]
    refused = sum(answer["decision"] == "Refusé" for answer in answers)
    assert (job["refused"], job["granted"]) == (refused, len(expected) - refused)
    assert {answer["model_version"] for answer in answers} == {job["model_version"]}


def wait_until_underway(made: Service, job_id: str) -> None:
    wait_for("the first rows", lambda: made.job(job_id)["rows_done"] > 0)
    assert made.job(job_id)["state"] == "running", "the job was too quick to be disturbed"


def test_results_are_catboosts_own(running: Service, mixed: Kit, rows: list[dict[str, Any]]) -> None:
    running.start_worker()
    check_results(running, running.submit(rows), mixed.expected(rows), 0.4)


@pytest.mark.skipif(not is_fast_evaluator_installed(), reason="there is no pylignum for this platform")
def test_each_model_is_evaluated_by_what_is_proven_for_it(
    running: Service, mixed: Kit, rows: list[dict[str, Any]]
) -> None:
    target = [score >= 0.4 for score in mixed.expected()]
    trees = fitted(frame(mixed.rows, mixed.inputs), target, cat_features=["purpose"], grow_policy="Lossguide")
    unsymmetric = replace(mixed, classifier=trees)
    running.start_worker()
    for kit, name, why in ((mixed, "pylignum", "evaluator-proven"), (unsymmetric, "catboost", "evaluator-unable")):
        kit.write(running.model_dir)
        assert running.client.post("/reload_model", timeout=60).status_code == 200
        evaluator = running.client.get("/model_info").json()["evaluator"]
        assert (evaluator["name"].partition(" ")[0], evaluator["reason"]["type"]) == (name, why)
        assert running.client.get("/router_health").json()["parts"]["model"]["status"] == "ok"
        assert running.client.post("/individual_score", json=kit.rows[0]).json()["score"] == kit.expected()[0]
        check_results(running, running.submit(rows), kit.expected(rows), 0.4)


@pytest.mark.parametrize("more", [{}, {"Idempotency-Key": "makes it a job"}])
def test_batch_with_prefer_wait_equals_single_scoring(running: Service, mixed: Kit, more: dict[str, str]) -> None:
    if more:
        running.start_worker()
    answer = running.client.post("/multiple_score", json=mixed.rows, headers={"PREFER": "foo, Wait=30", **more})
    assert answer.status_code == 200
    assert (answer.headers["preference-applied"], answer.headers["vary"]) == ("wait=30", "Prefer")
    singles = [running.client.post("/individual_score", json=row).json() for row in mixed.rows[:50]]
    assert answer.json()[:50] == singles
    assert [single["score"] for single in singles] == mixed.expected(mixed.rows[:50])


def test_waited_for_batches_and_single_applicants_are_scored_while_redis_is_away(
    running: Service, mixed: Kit, rows: list[dict[str, Any]]
) -> None:
    running.redis.stop()
    many = [*rows, *rows, *rows][:10_000]
    answer = running.client.post("/multiple_score", json=many, headers={"Prefer": "wait=30"})
    assert answer.status_code == 200
    assert [each["score"] for each in answer.json()] == mixed.expected(many)
    assert len({each["model_version"] for each in answer.json()}) == 1
    assert running.client.post("/individual_score", json=rows[0]).json() == answer.json()[0]
    assert running.client.post("/multiple_score", json=many).status_code == 503


def test_single_applicants_are_scored_while_many_batches_are_waited_for(
    running: Service, mixed: Kit, rows: list[dict[str, Any]]
) -> None:
    expected = mixed.expected(rows)
    busy = threading.Event()

    def wait_for_batches() -> None:
        with httpx.Client(base_url=running.client.base_url, timeout=120, trust_env=False) as client:
            for _ in range(3):
                answer = client.post("/multiple_score", json=rows, headers={"Prefer": "wait=30"})
                if answer.status_code == 202:  # on a very busy machine
                    check_results(running, answer.json()["id"], expected, 0.4)
                else:
                    assert [each["score"] for each in answer.json()] == expected
                busy.set()

    # A batch that does not get its turn is a job.
    running.start_worker()
    with ThreadPoolExecutor(8) as pool:
        batches = [pool.submit(wait_for_batches) for _ in range(8)]
        assert busy.wait(30)
        for row, score in zip(rows[:100], expected, strict=False):
            assert running.client.post("/individual_score", json=row).json()["score"] == score
        for batch in batches:
            batch.result()


def test_prefer_wait_gives_the_job_when_time_is_over(running: Service, mixed: Kit) -> None:
    answer = running.client.post("/multiple_score", json=mixed.rows, headers={"Prefer": "wait=0"})
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"


def kill_child(made: Service) -> None:
    made.workers[0].children()[0].kill()


def kill_worker(made: Service) -> None:
    made.workers[0].kill()
    made.start_worker(app=SLOW)


def kill_api(made: Service) -> None:
    made.api.kill()
    made.start_api()


def kill_redis(made: Service) -> None:
    made.redis.kill()
    made.redis.start()


@pytest.mark.parametrize("disturb", [kill_child, kill_worker, kill_api, kill_redis])
def test_a_kill_in_mid_job_loses_nothing(
    running: Service, mixed: Kit, rows: list[dict[str, Any]], disturb: Callable[[Service], None]
) -> None:
    running.start_worker(app=SLOW)
    job_id = running.submit(rows)
    wait_until_underway(running, job_id)
    disturb(running)
    check_results(running, job_id, mixed.expected(rows), 0.4)


def test_lost_messages_are_published_again(running: Service, mixed: Kit, rows: list[dict[str, Any]]) -> None:
    job_id = running.submit(rows)
    with redis.Redis.from_url(running.redis.url) as client:
        assert client.delete(f"{QUEUE_PREFIX}{CHUNKS}") == 1
    running.start_worker()
    check_results(running, job_id, mixed.expected(rows), 0.4)


def test_small_jobs_go_before_the_chunks_of_a_large_one_that_came_first(
    running: Service, rows: list[dict[str, Any]]
) -> None:
    large = running.submit(rows[: 20 * 30])
    small = [running.submit(rows[:1]) for _ in range(60)]
    running.start_worker(app=SLOW)
    jobs = [running.wait_until_ended(job_id) for job_id in [large, *small]]
    assert {job["state"] for job in jobs} == {"succeeded"}
    # Taking turns one to one, the large job would have ended when half of the small ones had.
    assert max(job["finished_at"] for job in jobs[1:]) < jobs[0]["finished_at"]


def test_a_job_keeps_the_version_it_was_submitted_with(
    running: Service, mixed: Kit, rows: list[dict[str, Any]]
) -> None:
    old_version = running.client.get("/model_status").json()["version"]
    old_job = running.submit(rows)
    new_kit = make_kit(purpose=True, seed=2)
    new_kit.write(running.model_dir)
    reload = running.client.post("/reload_model").json()
    assert (reload["status"], reload["version_before"]) == ("reloaded", old_version)
    new_job = running.submit(rows)
    running.start_worker()
    check_results(running, old_job, mixed.expected(rows), 0.4)
    check_results(running, new_job, new_kit.expected(rows), 0.4)
    assert running.job(old_job)["model_version"] == old_version
    assert running.job(new_job)["model_version"] == reload["version"]


def test_a_bad_model_is_rejected_and_the_old_one_serves_on(running: Service, mixed: Kit) -> None:
    version = running.client.get("/model_status").json()["version"]
    (running.model_dir / "model.cb").write_bytes(b"not a model")
    rejection = running.client.post("/reload_model")
    assert rejection.status_code == 409
    assert "SHA256SUMS" in rejection.json()["detail"]
    assert rejection.json()["params"]["reason"]["type"] == "model-file-damaged"
    score = running.client.post("/individual_score", json=mixed.rows[0]).json()
    assert (score["score"], score["model_version"]) == (mixed.expected()[0], version)


def test_a_chunk_that_kills_its_workers_fails_the_job_and_nothing_else(running: Service, mixed: Kit) -> None:
    deadly = running.submit([{**mixed.rows[0], "income": 666.0}])
    running.start_worker(app="tests.integration.dying_worker")
    job = running.wait_until_ended(deadly)
    assert job["state"] == "failed"
    assert job["error"]["message"].startswith("Chunk 0 was given up after 3 attempts.")
    assert job["error"]["params"]["reason"]["type"] == "worker-died"
    check_results(running, running.submit(mixed.rows), mixed.expected(), 0.4)


def test_a_file_whose_metadata_kills_each_worker_fails_its_job_and_nothing_else(running: Service, mixed: Kit) -> None:
    running.start_worker(app="tests.integration.dying_worker")
    job = running.wait_until_ended(running.upload(as_parquet(make_rows(66, purpose=True)), PARQUET))
    assert job["state"] == "failed"
    assert job["error"]["message"].startswith("The reading of the file was given up after 3 attempts.")
    assert job["error"]["params"]["reason"]["type"] == "worker-died"
    check_results(running, running.submit(mixed.rows), mixed.expected(), 0.4)


def test_damaged_input_fails_the_job_with_the_reason(running: Service, mixed: Kit) -> None:
    job_id = running.submit(mixed.rows)
    [stored] = (running.storage / "jobs" / job_id).glob("rows-*")
    stored.write_bytes(b"ARROW1 but not really")
    running.start_worker()
    job = running.wait_until_ended(job_id)
    assert job["state"] == "failed"
    assert job["error"]["params"]["reason"]["type"] == "storage-damaged"
    rejection = running.client.get(f"/jobs/{job_id}/results")
    assert rejection.status_code == 409
    assert rejection.json()["params"] == {"reason": job["error"]}


def test_cancelling_stops_a_job_and_frees_its_space(running: Service, rows: list[dict[str, Any]]) -> None:
    running.start_worker(app=SLOW, concurrency=1)
    job_id = running.submit(rows)
    wait_until_underway(running, job_id)
    assert running.client.delete(f"/jobs/{job_id}").json()["state"] == "cancelled"
    assert running.job(job_id)["rows_done"] < ROWS
    with redis.Redis.from_url(running.redis.url) as client:
        wait_for("an empty queue", lambda: client.llen(f"{QUEUE_PREFIX}{CHUNKS}") == 0)
    assert running.job(job_id)["state"] == "cancelled"
    assert running.client.delete(f"/jobs/{job_id}").status_code == 200
    assert running.client.get(f"/jobs/{job_id}/results").status_code == 409


def test_single_scoring_goes_on_while_redis_is_away(running: Service, mixed: Kit) -> None:
    running.redis.kill()
    answer = running.client.post("/individual_score", json=mixed.rows[0])
    assert (answer.status_code, answer.json()["score"]) == (200, mixed.expected()[0])
    refusal = running.client.post("/jobs", json=mixed.rows)
    assert (refusal.status_code, refusal.headers["retry-after"]) == (503, "2")
    assert not list((running.storage / "jobs").glob("*")), "a refused batch left something behind"
    assert running.client.get("/router_health").json()["status"] == "degraded"
    running.redis.start()
    running.start_worker()
    check_results(running, running.submit(mixed.rows), mixed.expected(), 0.4)


def test_an_ended_job_expires_with_its_files(tmp_path: Path, mixed: Kit) -> None:
    with service(tmp_path, JOB_TTL="1", **QUICK) as made:
        made.offer(mixed)
        made.start_api()
        made.start_worker()
        answer = made.client.post("/multiple_score", json=mixed.rows)
        folder = made.storage / "jobs" / answer.json()["id"]
        wait_for("the end of the job", lambda: made.client.get(answer.headers["location"]).status_code == 404)
        wait_for("the removal of its files", lambda: not folder.exists())


def test_a_busy_worker_does_not_delay_its_report(running: Service, rows: list[dict[str, Any]]) -> None:
    running.start_worker(app=SLOW)
    job_id = running.submit(rows)
    wait_until_underway(running, job_id)
    assert running.client.get("/router_health").json()["parts"]["workers"]["status"] == "ok"
    assert running.wait_until_ended(job_id)["state"] == "succeeded"

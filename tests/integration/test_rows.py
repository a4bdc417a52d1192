"""One row of a job through real processes: read by a worker from what was sent, while others are served."""

import gzip
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.factories import Kit, Row, make_rows
from tests.integration.portfolio import (
    CSV,
    ID,
    NDJSON,
    PARQUET,
    STREAM,
    as_csv,
    as_ndjson,
    as_parquet,
    as_stream,
    rows_of,
    with_ids,
)
from tests.processes import Service, service, wait_for

ROWS = 3000
QUICK = {"CHUNK_LEASE": "5", "RECONCILE_INTERVAL": "0.5"}

WRITTEN: dict[str, tuple[Callable[[list[Row]], bytes], dict[str, str]]] = {
    "csv": (as_csv, {"content-type": CSV}),
    "csv, gzip": (lambda rows: gzip.compress(as_csv(rows)), {"content-type": CSV, "content-encoding": "gzip"}),
    "ndjson": (as_ndjson, {"content-type": NDJSON}),
    "parquet": (as_parquet, {"content-type": PARQUET}),
    "stream": (as_stream, {"content-type": STREAM}),
    "json": (lambda rows: json.dumps(rows).encode(), {"content-type": "application/json"}),
}


@pytest.fixture
def running(tmp_path: Path, mixed: Kit) -> Iterator[Service]:
    with service(tmp_path, CHUNK_ROWS="500", **QUICK) as made:
        made.offer(mixed)
        made.start_api()
        yield made


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return with_ids(make_rows(ROWS, seed=7, purpose=True))


def submit(made: Service, rows: list[Row], way: str = "csv", query: str = "") -> str:
    write, headers = WRITTEN[way]
    answer = made.client.post(f"/jobs?keep={ID}{query}", content=write(rows), headers=headers)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def inputs(row: Row, kit: Kit) -> Row:
    return {column["name"]: row.get(column["name"]) for column in kit.inputs}


def test_rows_of_every_kind_of_file_are_read_again_and_explained(running: Service, mixed: Kit, rows: list[Row]) -> None:
    running.start_worker()
    jobs = {way: submit(running, rows, way, "&explain=3") for way in WRITTEN}
    for job_id in jobs.values():
        assert running.wait_until_ended(job_id)["state"] == "succeeded"
    for number in (0, 1234, ROWS - 1):
        alone = running.client.post("/individual_score?explain=3", json=inputs(rows[number], mixed)).json()
        told = [(it["feature"], it["contribution"]) for it in alone["explanation"]["contributions"]]
        for way, job_id in jobs.items():
            found = running.client.get(f"/jobs/{job_id}/rows/{number}?explain=3").json()
            assert found["inputs"] == inputs(rows[number], mixed), way
            assert str(found["kept"][ID]) == str(rows[number][ID])
            assert (found["score"], found["explanation"]) == (alone["score"], alone["explanation"])
            assert [(it["feature"], pytest.approx(it["contribution"], abs=1e-12)) for it in found["reasons"]] == told
            results = running.client.get(f"/jobs/{job_id}/results?id={rows[number][ID]}").json()
            assert (results["rows"], results["results"][0]["score"]) == ([number], alone["score"])


def test_downloads_have_the_reasons(running: Service, rows: list[Row]) -> None:
    running.start_worker()
    job_id = submit(running, rows, "parquet", "&explain=2")
    assert running.wait_until_ended(job_id)["state"] == "succeeded"

    def get(form: str) -> list[Row]:
        return rows_of(form, running.client.get(f"/jobs/{job_id}/results?format={form}").content)

    known = [row["reasons"] for row in get("parquet")]
    assert {len(each) for each in known} == {2}
    assert [row["reasons"] for row in get("ndjson")] == known
    assert [row["reasons"] for row in running.results(job_id)] == known
    assert [
        [{"feature": row[f"reason_{i}"], "contribution": float(row[f"contribution_{i}"])} for i in (1, 2)]
        for row in get("csv")
    ] == known


def test_without_a_worker_a_row_comes_later(running: Service, mixed: Kit, rows: list[Row]) -> None:
    worker = running.start_worker()
    job_id = submit(running, rows[:10], "json")
    assert running.wait_until_ended(job_id)["state"] == "succeeded"
    worker.kill()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(running.client.get, f"/jobs/{job_id}/rows/4")
        assert running.client.post("/individual_score", json=inputs(rows[0], mixed)).status_code == 200
        running.start_worker()
        answer = waiting.result()
    assert answer.status_code in (200, 503), answer.text
    again = answer if answer.status_code == 200 else running.client.get(f"/jobs/{job_id}/rows/4")
    assert again.json()["inputs"] == inputs(rows[4], mixed)


def test_all_that_is_stored_goes_with_the_job(tmp_path: Path, mixed: Kit, rows: list[Row]) -> None:
    with service(tmp_path, JOB_TTL="3", **QUICK) as made:
        made.offer(mixed)
        made.start_api()
        made.start_worker()
        kept, purged = submit(made, rows), submit(made, rows)
        for job_id in (kept, purged):
            assert made.wait_until_ended(job_id)["state"] == "succeeded"
        assert made.client.get(f"/jobs/{purged}/rows/5").status_code == 200
        assert made.client.delete(f"/jobs/{purged}?purge=true").status_code == 204
        assert not (made.storage / "jobs" / purged).exists()
        wait_for("the removal of the other one", lambda: not (made.storage / "jobs" / kept).exists())
        for job_id in (kept, purged):
            assert made.client.get(f"/jobs/{job_id}/rows/5").status_code == 404


def test_a_deep_row_of_a_compressed_file_holds_up_nobody(running: Service, mixed: Kit, rows: list[Row]) -> None:
    running.start_worker()
    many = rows * 10
    job_id = submit(running, many, "csv, gzip")
    assert running.wait_until_ended(job_id)["state"] == "succeeded"
    single: Any = inputs(rows[0], mixed)
    with ThreadPoolExecutor() as pool:
        deep = [pool.submit(running.client.get, f"/jobs/{job_id}/rows/{len(many) - 1 - i}") for i in range(4)]
        while not all(each.done() for each in deep):
            assert running.client.post("/individual_score", json=single).status_code == 200
    assert [each.result().json()["inputs"] for each in deep] == [inputs(many[-1 - i], mixed) for i in range(4)]

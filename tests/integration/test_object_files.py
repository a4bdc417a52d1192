"""Jobs whose files lie in an object store: the storage itself, the input and the output."""

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.storage import create_storage
from tests.factories import Kit, Row, make_rows
from tests.integration.portfolio import ID, Pace, as_csv, as_parquet, check_job, results, rows_of, with_ids
from tests.objects import BUCKET, ENVIRONMENT, ObjectServer, object_server
from tests.processes import Service, http, service, wait_for

ROWS = 300
PACED = "tests.integration.paced_worker"
IN, OUT = f"s3://{BUCKET}/in", f"s3://{BUCKET}/out"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with object_server(tmp_path_factory.mktemp("objects")) as server:
        yield server


@pytest.fixture(scope="module")
def paces(tmp_path_factory: pytest.TempPathFactory) -> Pace:
    return Pace(tmp_path_factory.mktemp("paces") / "now")


@pytest.fixture
def pace(paces: Pace) -> Iterator[Pace]:
    yield paces
    paces.free()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, mixed: Kit, objects: ObjectServer, paces: Pace
) -> Iterator[Service]:
    settings = ENVIRONMENT | paces.settings
    settings |= {"AWS_ENDPOINT_URL": objects.endpoint, "STORAGE_URL": objects.url("storage")}
    settings |= {"INPUT_URI_PREFIXES": IN, "OUTPUT_URI_PREFIXES": f"{OUT},{IN}"}
    settings |= {"CHUNK_ROWS": "20", "CHUNK_LEASE": "3", "RECONCILE_INTERVAL": "0.5"}
    with service(tmp_path_factory.mktemp("service"), **settings) as made:
        made.offer(mixed)
        made.start_api()
        for _ in range(2):
            made.start_worker(PACED, concurrency=1)
        yield made


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return with_ids(make_rows(ROWS, seed=13, purpose=True))


@pytest.fixture(scope="module")
def expected(mixed: Kit, rows: list[Row]) -> list[float | None]:
    return list(mixed.expected(rows))


def put(objects: ObjectServer, key: str, body: bytes) -> None:
    http.put(f"{objects.endpoint}/{BUCKET}/{key}", content=body).raise_for_status()


def get(objects: ObjectServer, key: str) -> bytes:
    with create_storage(objects.url()).read(key) as file:
        content: bytes = file.read()
        return content


def by_address(made: Service, **addresses: str) -> httpx.Response:
    return made.client.post("/jobs", json=addresses, params={"keep": ID})


def accepted(answer: httpx.Response) -> str:
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def test_csv_in_and_parquet_out_though_one_of_two_workers_is_killed(
    running: Service, pace: Pace, objects: ObjectServer, rows: list[Row], expected: list[float | None]
) -> None:
    pace.set("scoring", 0.1)
    job_id = running.upload(as_csv(rows), keep=ID)
    wait_for("the first rows", lambda: running.job(job_id)["rows_done"])
    running.workers.pop(0).kill()
    assert running.job(job_id)["state"] == "running"
    pace.free()
    check_job(running, job_id, rows, expected)
    found = rows_of("parquet", results(running, job_id, "parquet"))
    assert [row["score"] for row in found] == expected
    keys = objects.keys(f"storage/jobs/{job_id}/")
    assert sum(key.startswith("scores-") for key in keys) == ROWS // 20
    assert "upload" in keys
    answer = running.client.get(f"/jobs/{job_id}/rows/{ROWS - 1}")
    assert answer.status_code == 200, answer.text
    row = answer.json()
    assert (row["inputs"]["age"], row["score"]) == (rows[-1]["age"], expected[-1])


def test_a_file_in_the_store_is_read_and_the_results_go_there(
    running: Service, objects: ObjectServer, rows: list[Row], expected: list[float | None]
) -> None:
    put(objects, "in/a/portfolio.parquet", as_parquet(rows))
    job_id = accepted(by_address(running, input_uri=f"{IN}/a/portfolio.parquet", output_uri=f"{OUT}/b/scores.parquet"))
    check_job(running, job_id, rows, expected)
    table = pq.read_table(io.BytesIO(get(objects, "out/b/scores.parquet")))
    assert table.column(ID).to_pylist() == [row[ID] for row in rows]
    assert table.column("score").combine_chunks().equals(pa.array(expected))
    assert get(objects, "in/a/portfolio.parquet") == as_parquet(rows)
    job = running.job(job_id)
    assert (job["stage"], job["name"], job["format"]) == (None, "portfolio.parquet", "parquet")


@pytest.mark.parametrize(
    ("addresses", "kind"),
    [
        ({"input_uri": f"s3://{BUCKET}/other/x.csv"}, "input-uri-not-allowed"),
        ({"input_uri": f"{IN}/../storage/x.csv"}, "input-uri-not-allowed"),
        ({"input_uri": f"{IN}side/x.csv"}, "input-uri-not-allowed"),
        ({"input_uri": f"{IN}/%2e%2e/x.csv"}, "input-uri-not-allowed"),
        ({"input_uri": "file:///etc/passwd.csv"}, "input-uri-not-allowed"),
        ({"input_uri": f"{IN}/x.csv", "output_uri": f"s3://{BUCKET}/other/x.csv"}, "output-uri-not-allowed"),
        ({"input_uri": f"{IN}/x.csv", "output_uri": f"{OUT}/../in/x.csv"}, "output-uri-not-allowed"),
        ({"input_uri": f"{IN}/x.csv", "output_uri": f"{OUT}/x.png"}, "output-uri-unsupported"),
    ],
)
def test_what_is_not_below_an_allowed_prefix_is_rejected(
    running: Service, addresses: dict[str, str], kind: str
) -> None:
    answer = by_address(running, **addresses)
    assert answer.status_code == 400, answer.text
    assert answer.json()["type"] == f"urn:pret-a-depenser:{kind}"


def failed(made: Service, job_id: str) -> dict[str, Any]:
    job = made.wait_until_ended(job_id)
    assert job["state"] == "failed"
    assert BUCKET not in str(job["error"])
    return job


def test_an_object_that_is_not_there_fails_the_job_until_it_is_there(
    running: Service, objects: ObjectServer, rows: list[Row], expected: list[float | None]
) -> None:
    job_id = accepted(by_address(running, input_uri=f"{IN}/late.csv"))
    job = failed(running, job_id)
    assert job["error"]["message"].startswith("The reading of the file was given up after 3 attempts. ")
    assert job["error"]["params"]["reason"]["type"] == "storage-file-missing"
    put(objects, "in/late.csv", as_csv(rows))
    assert running.client.post(f"/jobs/{job_id}/retry").status_code == 202
    check_job(running, job_id, rows, expected)


def test_a_cancelled_job_leaves_no_object(running: Service, pace: Pace, objects: ObjectServer, rows: list[Row]) -> None:
    pace.set("scoring", 0.3)
    job_id = running.upload(as_csv(rows), keep=ID)
    wait_for("the first rows", lambda: running.job(job_id)["rows_done"])
    assert running.client.delete(f"/jobs/{job_id}").status_code == 200
    pace.free()
    after = running.upload(as_csv(rows[:10]), keep=ID)
    assert running.wait_until_ended(after)["state"] == "succeeded"
    wait_for("its objects to go", lambda: objects.keys(f"storage/jobs/{job_id}/") == [])

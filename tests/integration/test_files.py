"""Files through real processes: every format in and out, progress, fairness, callbacks, and what a client may do twice."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import redis

from shared.jobs.job_keys import ENDED_KEY
from shared.jobs.queue import QUEUE_PREFIX, QUEUES
from shared.jobs.window import SMALLEST_WINDOW
from tests.factories import Kit, Row, make_rows
from tests.integration.portfolio import (
    ARROW,
    CSV,
    ENCODERS,
    ID,
    NDJSON,
    PARQUET,
    STREAM,
    Pace,
    as_arrow,
    as_csv,
    as_ndjson,
    as_parquet,
    as_stream,
    check_job,
    folder_of,
    folders,
    pieces,
    results,
    rows_of,
    with_ids,
)
from tests.processes import Service, http, service, wait_for

ROWS = 1000
SECRET = "between the two of us"  # noqa: S105 - nobody's
QUICK = {"CHUNK_LEASE": "5", "RECONCILE_INTERVAL": "0.5"}


class Receiver(ThreadingHTTPServer):
    """Takes callbacks: answers with the statuses in their order, then with 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.calls: list[tuple[dict[str, str], bytes]] = []

    @property
    def host(self) -> str:
        return f"localhost:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()
        thread.join()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with listening() as server:
        yield server


@pytest.fixture(scope="module")
def paces(tmp_path_factory: pytest.TempPathFactory) -> Pace:
    return Pace(tmp_path_factory.mktemp("paces") / "now")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, mixed: Kit, paces: Pace, receiver: Receiver) -> Iterator[Service]:
    """A service with one worker of two processes. What the API cuts into chunks of 333 rows, the worker cuts into 100."""
    callbacks = {"WEBHOOK_HOSTS": receiver.host, "WEBHOOK_SECRET": SECRET}
    with service(tmp_path_factory.mktemp("service"), CHUNK_ROWS="333", **QUICK, **paces.settings, **callbacks) as made:
        made.offer(mixed)
        made.start_api()
        made.start_worker("tests.integration.paced_worker", CHUNK_ROWS="100")
        yield made


@pytest.fixture
def pace(paces: Pace) -> Iterator[Pace]:
    yield paces
    paces.free()


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return with_ids(make_rows(ROWS, seed=7, purpose=True))


@pytest.fixture(scope="module")
def expected(mixed: Kit, rows: list[Row]) -> list[float]:
    return mixed.expected(rows)


@pytest.mark.parametrize(
    ("content_type", "write", "encoding"),
    [
        (CSV, as_csv, "gzip"),
        (NDJSON, as_ndjson, "zstd"),
        (PARQUET, as_parquet, None),
        (ARROW, as_arrow, None),
        (STREAM, as_stream, "zstd"),
        (CSV, as_csv, "bz2"),
        (PARQUET, as_parquet, "xz"),
        (ARROW, as_stream, "zip"),
    ],
)
def test_a_file_gives_the_models_own_scores_in_every_format(
    running: Service,
    rows: list[Row],
    expected: list[float | None],
    content_type: str,
    write: Callable[[list[Row]], bytes],
    encoding: str | None,
) -> None:
    body = ENCODERS[encoding](write(rows)) if encoding else write(rows)
    headers = {"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {})
    answer = running.client.post("/jobs", content=pieces(body), headers=headers, params={"keep": ID})
    assert answer.status_code == 202, answer.text
    assert (answer.json()["stage"], answer.json()["rows"]) == ("reading", None)
    job_id = answer.json()["id"]
    check_job(running, job_id, rows, expected)
    assert running.job(job_id)["chunks"] == ROWS // 100
    for form in ("csv", "parquet", "arrow", "arrows"):
        found = rows_of(form, results(running, job_id, form))
        assert [int(row[ID]) for row in found] == [row[ID] for row in rows], form
        assert [row["score"] for row in found] == expected, form
    assert (folder_of(running, job_id) / "upload").exists()


def test_rows_alone_in_json_and_in_a_form_have_the_same_score_bits(
    running: Service, rows: list[Row], expected: list[float | None]
) -> None:
    files = {"file": ("portfolio.csv", as_csv(rows))}
    plain = [{name: value for name, value in row.items() if name != ID} for row in rows]
    form = running.client.post("/jobs", data={"keep": ID}, files=files)
    array = running.client.post("/jobs", json=rows, params={"keep": ID})
    ids = [answer.json()["id"] for answer in (form, array)]
    for job_id in ids:
        check_job(running, job_id, rows, expected)
    assert [running.job(job_id)["chunks"] for job_id in ids] == [10, 4]
    alone = [running.client.post("/individual_score", json=row).json()["score"] for row in plain[:40]]
    assert alone == expected[:40]


def events_of(made: Service, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    with made.client.stream("GET", f"/jobs/{job_id}/events") as answer:
        for line in answer.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                found.append((name, json.loads(value)))
    return found


def test_the_events_follow_a_job_to_its_end_though_other_clients_go_away(
    running: Service, pace: Pace, rows: list[Row], expected: list[float | None]
) -> None:
    pace.set("reading", 5)
    pace.set("scoring", 0.2)
    job_id = running.upload(as_csv(rows), keep=ID)
    for _ in range(20):
        with http.stream("GET", f"{running.client.base_url}/jobs/{job_id}/events") as answer:
            assert next(answer.iter_lines()).startswith("event: ")
    pace.set("reading", 0.03)
    names, jobs = zip(*events_of(running, job_id), strict=True)
    assert set(names[:-1]) == {"progress"}
    assert (names[-1], jobs[-1]["state"]) == ("end", "succeeded")
    assert {job["stage"] for job in jobs} >= {"reading", "scoring"}
    done = [job["rows_done"] for job in jobs]
    assert done == sorted(done)
    assert len(set(done)) > 3
    check_job(running, job_id, rows, expected)
    assert running.client.get("/api_health").is_success


def test_small_jobs_do_not_wait_for_large_ones_whose_messages_stay_few(
    running: Service, pace: Pace, rows: list[Row], mixed: Kit
) -> None:
    many = with_ids(make_rows(12_000, seed=9, purpose=True))
    # Only a large file is read in the queue of the large ones.
    padded = as_csv([row | {"note": "x" * 1200} for row in rows])
    small, expected = rows[:100], mixed.expected(rows[:100])
    large = running.upload(as_csv(many), keep=ID)
    wait_for("the first chunks", lambda: running.job(large)["rows_done"])
    pace.set("scoring", 0.1)
    pace.set("reading", 0.5)
    long_read = running.upload(padded, keep=ID)
    wait_for("the file to be read", lambda: running.job(long_read)["rows_read"])
    pace.set("reading", 0.1)
    lengths = []
    with redis.Redis.from_url(running.redis.url) as client:
        for _ in range(5):
            job_id = running.upload(as_csv(small), keep=ID)
            while running.job(job_id)["finished_at"] is None:
                lengths.append(sum(client.llen(f"{QUEUE_PREFIX}{queue}") for queue in QUEUES))
            check_job(running, job_id, small, list(expected))
    assert running.job(large)["state"] == "running"
    # Those of two jobs, and a few of clearing up.
    assert max(lengths) <= 2 * SMALLEST_WINDOW + 3
    pace.free()
    check_job(running, long_read, rows, list(mixed.expected(rows)))
    check_job(running, large, many, list(mixed.expected(many)))


def test_the_caller_is_told_by_a_signed_message_and_again_after_an_error(
    running: Service, rows: list[Row], receiver: Receiver
) -> None:
    receiver.statuses = [500, 503]
    receiver.calls.clear()
    job_id = running.upload(as_csv(rows), callback_url=f"http://{receiver.host}/told?x=1")
    wait_for("three attempts", lambda: len(receiver.calls) >= 3)
    for headers, body in receiver.calls:
        signed = headers["X-Pret-Timestamp"].encode() + b"." + body
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["X-Pret-Signature"] == f"sha256={digest}"
        assert abs(int(headers["X-Pret-Timestamp"]) - time.time()) < 60
        assert headers["X-Pret-Delivery"] == job_id
        told = json.loads(body)
        assert (told["id"], told["state"], told["rows_done"]) == (job_id, "succeeded", ROWS)
    with redis.Redis.from_url(running.redis.url) as client:
        wait_for("nobody to be told", lambda: client.zcard("pret:jobs:webhooks") == 0)
    assert len(receiver.calls) == 3
    rejected = running.client.post(
        "/jobs",
        content=as_csv(rows),
        headers={"Content-Type": CSV},
        params={"callback_url": "http://169.254.169.254/latest"},
    )
    assert rejected.status_code == 400
    assert rejected.json()["type"].endswith(":webhook-host-not-allowed")


def test_the_same_key_at_the_same_time_is_one_job(
    running: Service, rows: list[Row], expected: list[float | None]
) -> None:
    before = set(folders(running))

    def submit(_: int) -> httpx.Response:
        headers = {"Content-Type": CSV, "Idempotency-Key": "both at once"}
        return http.post(
            f"{running.client.base_url}/jobs?keep={ID}", content=pieces(as_csv(rows)), headers=headers, timeout=30
        )

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(submit, range(4)))
    assert {answer.status_code for answer in answers} == {202}
    [job_id] = {answer.json()["id"] for answer in answers}
    check_job(running, job_id, rows, expected)
    assert set(folders(running)) - before == {folder_of(running, job_id)}


def test_a_job_whose_storage_fails_is_given_up_and_can_be_done_again(
    running: Service, pace: Pace, rows: list[Row], expected: list[float | None]
) -> None:
    pace.set("scoring", 0.2)
    job_id = running.upload(as_csv(rows), keep=ID)
    wait_for("the scoring", lambda: running.job(job_id)["rows_done"])
    folder = folder_of(running, job_id)
    aside = folder.with_name("aside")
    with ExitStack() as still:
        # A chunk that is written now would make another folder.
        for worker in running.workers:
            still.enter_context(worker.frozen())
        folder.rename(aside)
        folder.write_text("a file where the folder was")
    pace.free()
    job = running.wait_until_ended(job_id)
    assert job["state"] == "failed"
    error = job["error"]
    assert (error["type"], error["params"]["attempts"]) == ("chunk-given-up", 3)
    assert error["params"]["reason"]["type"].startswith("storage-")
    assert str(running.storage) not in str(error)
    folder.unlink()
    aside.rename(folder)
    again = running.client.post(f"/jobs/{job_id}/retry")
    # It may have begun, or even ended, by the time of the answer.
    assert (again.status_code, again.json()["error"]) == (202, None)
    assert again.json()["state"] in ("queued", "running", "succeeded")
    check_job(running, job_id, rows, expected)
    assert running.client.post(f"/jobs/{job_id}/retry").status_code == 409


def test_a_file_job_expires_with_its_files(running: Service, rows: list[Row]) -> None:
    job_id = running.upload(as_csv(rows), keep=ID)
    running.wait_until_ended(job_id)
    assert folder_of(running, job_id).exists()
    with redis.Redis.from_url(running.redis.url) as client:
        client.zadd(ENDED_KEY, {job_id: 1})
    wait_for("the end of its files", lambda: not folder_of(running, job_id).exists())
    assert running.client.get(f"/jobs/{job_id}").status_code == 404
    assert job_id not in {job["id"] for job in running.client.get("/jobs").json()["jobs"]}

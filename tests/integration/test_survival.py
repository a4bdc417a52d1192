"""A worker outlives whatever happens to Redis and to its children, and ends in order when it is told to."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis

from shared.jobs.job_keys import JOB_KEY
from shared.jobs.queue import CHUNKS, QUEUE_PREFIX
from tests.factories import Kit, Row, make_rows
from tests.integration.portfolio import Pace, as_csv
from tests.processes import DEADLINE, Process, Service, service, wait_for

PACED = "tests.integration.paced_worker"
ROWS = 400
ROUNDS = 4
"""More often than a chunk or a reading is tried."""
CHUNKS_KEY = f"{QUEUE_PREFIX}{CHUNKS}"
NO_REPORT = "This process could not report itself"


@pytest.fixture
def pace(tmp_path: Path) -> Pace:
    return Pace(tmp_path / "pace")


@pytest.fixture
def running(tmp_path: Path, mixed: Kit, pace: Pace) -> Iterator[Service]:
    """A service whose chunks and slices take as long as `pace` says."""
    with service(tmp_path, CHUNK_ROWS="20", RECONCILE_INTERVAL="0.5", CHUNK_LEASE="6", **pace.settings) as made:
        made.offer(mixed)
        made.start_api()
        yield made


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return make_rows(ROWS, seed=23, purpose=True)


@pytest.fixture
def client(running: Service) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(running.redis.url, decode_responses=True) as made:
        yield made


def kill(running: Service) -> None:
    running.redis.kill()
    running.redis.start()


def freeze(running: Service) -> None:
    """Stop the server until it must have been given up by all that wait for an answer."""
    server = psutil.Process(running.redis.pid)
    server.suspend()
    try:
        wait_for("the API to miss Redis", lambda: parts(running)["redis"]["status"] == "down")
    finally:
        server.resume()


def fill(running: Service) -> None:
    """Let the server refuse all writes until the worker has met that."""
    log = running.workers[0].log
    before = log.read_text().count(NO_REPORT)
    with redis.Redis.from_url(running.redis.url) as client:
        client.config_set("maxmemory", 1)
        try:
            wait_for("the worker to miss Redis", lambda: log.read_text().count(NO_REPORT) > before)
        finally:
            client.config_set("maxmemory", 0)


def drop(running: Service) -> None:
    """Close all connections."""
    with redis.Redis.from_url(running.redis.url) as client:
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)


def parts(running: Service) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = running.client.get("/router_health").json()["parts"]
    return found


def assert_is_well(worker: Process) -> None:
    assert worker.running is not None and worker.running.poll() is None
    log = worker.log.read_text()
    assert "Traceback" not in log, log
    assert "CRITICAL" not in log, log


@pytest.mark.parametrize("disturb", [kill, freeze, fill, drop])
def test_a_worker_goes_on_with_the_same_process_and_without_a_traceback(
    running: Service, pace: Pace, client: redis.Redis, rows: list[Row], disturb: Callable[[Service], None]
) -> None:
    pace.set("scoring", 0.2)
    worker = running.start_worker(PACED)
    for _ in range(ROUNDS):
        job = running.submit(rows)
        # Chunks that are being scored when the connection is lost end while there is another one, or none.
        wait_for("the first rows", lambda job=job: running.job(job)["rows_done"] > 0)  # type: ignore[misc]
        disturb(running)
        pace.set("scoring", 0)
        assert running.wait_until_ended(job)["rows_done"] == ROWS
        pace.set("scoring", 0.2)
        assert_is_well(worker)
    assert not list(client.scan_iter(f"{QUEUE_PREFIX}unacked*"))


def test_a_child_that_dies_in_its_first_moment_is_replaced(running: Service) -> None:
    running.start_worker()
    running.redis.kill()
    late = Process([*running.workers[0].command[:-1], "late@%h"], running.folder / "late.log", running.environment)
    late.start()
    try:
        # The children are there; what they are needed for begins once there is a Redis.
        wait_for("the children", lambda: len(late.children()) == 2)
        child = late.children()[0]
        child.kill()
        running.redis.start()
        wait_for("the worker", lambda: late.pid in {process["pid"] for process in running.processes("worker")})
        wait_for("another child", lambda: len([one for one in late.children() if one != child]) == 2)
        assert_is_well(late)
    finally:
        late.stop()


def attempts(client: redis.Redis, job: str) -> dict[str, str]:
    found: dict[str, str] = client.hgetall(f"{JOB_KEY}{job}:attempts")  # type: ignore[assignment]
    return found


def end(worker: Process) -> int:
    """Tell the worker to end, and give its exit code."""
    assert worker.running is not None
    worker.running.send_signal(signal.SIGTERM)
    return worker.running.wait(DEADLINE)


def test_a_reading_is_handed_back_as_often_as_workers_end(
    running: Service, pace: Pace, client: redis.Redis, rows: list[Row]
) -> None:
    pace.set("reading", 1)
    job = running.upload(as_csv(rows))
    for _ in range(ROUNDS):
        worker = running.start_worker(PACED)
        wait_for("some rows", lambda: running.job(job)["rows_read"])
        assert end(worker) == 0
        assert attempts(client, job).get("reading", "0") == "0"
        assert_ended_in_order(worker)
    pace.free()
    running.start_worker(PACED)
    assert running.wait_until_ended(job)["state"] == "succeeded"


def test_a_chunk_is_ended_and_what_waits_is_left_to_others(
    running: Service, pace: Pace, client: redis.Redis, rows: list[Row]
) -> None:
    pace.set("scoring", 0.5)
    job = running.submit(rows)
    for _ in range(ROUNDS):
        worker = running.start_worker(PACED)
        done = running.job(job)["rows_done"]
        wait_for("a chunk", lambda done=done: running.job(job)["rows_done"] > done)  # type: ignore[misc]
        assert end(worker) == 0
        assert set(attempts(client, job).values()) <= {"0"}
        assert_ended_in_order(worker)
        # All that is published and not done can be taken by others, before the end of a lease; and perhaps what was just done.
        waiting = {json.loads(message)["headers"]["id"].split(".")[1] for message in client.lrange(CHUNKS_KEY, 0, -1)}
        assert waiting >= set(client.zrange(f"{JOB_KEY}{job}:due", 0, -1))
    pace.free()
    running.start_worker(PACED)
    assert running.wait_until_ended(job)["rows_done"] == ROWS


def assert_ended_in_order(worker: Process) -> None:
    log = worker.log.read_text()
    assert "Traceback" not in log, log

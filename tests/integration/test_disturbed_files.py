"""Files whose job is disturbed in its middle: what is killed, cancelled or full loses nothing, doubles nothing, leaves nothing."""

import gzip
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from shared.jobs.job_keys import TURN_KEY
from shared.reasons import Reason
from tests.factories import Kit, Row, make_rows
from tests.integration.portfolio import ID, PARQUET, Pace, as_csv, as_parquet, check_job, folder_of, folders, with_ids
from tests.processes import DEADLINE, Service, http, service, wait_for

PACED = "tests.integration.paced_worker"
ROWS = 800
LEASE = 3
QUICK = {"CHUNK_LEASE": str(LEASE), "RECONCILE_INTERVAL": "0.5"}
DAY = 24 * 3600

READING, SCORING = "reading", "scoring"


@pytest.fixture(scope="module")
def paces(tmp_path_factory: pytest.TempPathFactory) -> Pace:
    return Pace(tmp_path_factory.mktemp("paces") / "now")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, mixed: Kit, paces: Pace) -> Iterator[Service]:
    with service(tmp_path_factory.mktemp("service"), CHUNK_ROWS="20", **QUICK, **paces.settings) as made:
        made.offer(mixed)
        made.start_api()
        yield made


@pytest.fixture
def pace(paces: Pace) -> Iterator[Pace]:
    yield paces
    paces.free()


@pytest.fixture
def running(lasting: Service) -> Service:
    """The service, with one worker of one process: what it does next shows that it does nothing else any more."""
    if not lasting.workers:
        lasting.start_worker(PACED, concurrency=1)
    return lasting


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return with_ids(make_rows(ROWS, seed=11, purpose=True))


@pytest.fixture(scope="module")
def expected(mixed: Kit, rows: list[Row]) -> list[float | None]:
    return list(mixed.expected(rows))


def reach(made: Service, job_id: str, work: str) -> None:
    """Wait until the job is in the middle of being read, or scored."""
    count = {READING: "rows_read", SCORING: "rows_done"}[work]
    wait_for(f"the {work}", lambda: made.job(job_id)[count] > 0)
    assert (made.job(job_id)["stage"], made.job(job_id)["state"]) == (work, "running")


def kill_child(made: Service) -> None:
    [child] = made.workers[0].children()
    child.kill()


def kill_worker(made: Service) -> None:
    made.workers.pop().kill()
    made.start_worker(PACED, concurrency=1)


def kill_redis(made: Service) -> None:
    made.redis.kill()
    made.redis.start()


@pytest.mark.parametrize(
    ("work", "disturb"),
    [
        (READING, kill_child),
        (READING, kill_worker),
        (READING, kill_redis),
        (SCORING, kill_worker),
    ],
)
def test_a_kill_in_mid_job_loses_nothing(
    running: Service,
    pace: Pace,
    rows: list[Row],
    expected: list[float | None],
    work: str,
    disturb: Callable[[Service], None],
) -> None:
    pace.set(work, 0.1)
    job_id = running.upload(as_csv(rows), keep=ID)
    reach(running, job_id, work)
    disturb(running)
    assert running.job(job_id)["state"] == "running"
    pace.free()
    check_job(running, job_id, rows, expected)
    left = sorted(path.name.partition("-")[0] for path in folder_of(running, job_id).iterdir())
    assert left.count("scores") == ROWS // 20
    assert {"upload", "index", "echo"} < {*left}


@pytest.mark.parametrize(
    ("work", "disturb"),
    [
        ("planning", kill_child),
        ("planning", kill_worker),
        ("decoding", kill_child),
        ("decoding", kill_redis),
        (SCORING, kill_worker),
    ],
)
def test_a_kill_while_a_file_is_read_in_place_loses_nothing(
    running: Service,
    pace: Pace,
    rows: list[Row],
    expected: list[float | None],
    work: str,
    disturb: Callable[[Service], None],
) -> None:
    pace.set(work, 1 if work == "planning" else 0.1)
    job_id = running.upload(as_parquet(rows, row_group_size=20), PARQUET, keep=ID)
    if work == "planning":
        wait_for("the planning", lambda: running.job(job_id)["state"] == "running")
        assert running.job(job_id)["stage"] == READING
    else:
        reach(running, job_id, SCORING)
    disturb(running)
    assert running.client.get(f"/jobs/{job_id}/results", params={"partial": True}).json()["total"] == 0
    pace.free()
    check_job(running, job_id, rows, expected)
    left = sorted(path.name.partition("-")[0] for path in folder_of(running, job_id).iterdir())
    assert left == [*["scores"] * (ROWS // 20), "upload"]


def test_of_a_file_with_an_invalid_row_in_its_last_chunk_no_score_is_handed_out(
    running: Service, pace: Pace, rows: list[Row]
) -> None:
    pace.set(SCORING, 0.05)
    body = as_parquet([*rows[:-1], rows[-1] | {"income": -1.0}], row_group_size=20)
    job_id = running.upload(body, PARQUET, keep=ID)
    reach(running, job_id, SCORING)
    address, partial = f"/jobs/{job_id}/results", {"partial": "true"}
    while running.job(job_id)["state"] == "running":
        answer = running.client.get(address, params=partial)
        assert answer.status_code == 409 or answer.json()["results"] == []
    job = running.job(job_id)
    assert (job["state"], job["error"]["type"]) == ("failed", "invalid-rows")
    assert (job["granted"], job["refused"], job["report"]["invalid_rows"]) == (0, 0, 1)
    assert [error["row"] for error in job["report"]["errors"]] == [ROWS - 1]
    for params in ({}, partial, partial | {"format": "csv"}):
        assert running.client.get(address, params=params).status_code == 409
    wait_for("the end of its folder", lambda: not folder_of(running, job_id).exists())
    assert running.client.post(f"/jobs/{job_id}/retry").status_code == 409


@pytest.mark.parametrize("work", [READING, SCORING])
def test_cancelling_stops_the_work_and_leaves_nothing(running: Service, pace: Pace, rows: list[Row], work: str) -> None:
    pace.set(work, 1)
    job_id = running.upload(as_csv(rows), keep=ID)
    reach(running, job_id, work)
    begun = time.monotonic()
    assert running.client.delete(f"/jobs/{job_id}").json()["state"] == "cancelled"
    wait_for("the end of its folder", lambda: not folder_of(running, job_id).exists())
    # The only process that works would be busy with the other one for a second per slice or chunk of 20 rows.
    after = running.upload(as_csv(rows[:10]), keep=ID)
    wait_for("the next job", lambda: running.job(after)["state"] == "succeeded")
    assert time.monotonic() - begun < ROWS / 20 - 2
    job = running.job(job_id)
    assert (job["state"], job["stage"]) == ("cancelled", None)
    assert job["rows_done"] < ROWS
    assert not folder_of(running, job_id).exists()
    assert running.client.get(f"/jobs/{job_id}/results").status_code == 409
    assert running.client.post(f"/jobs/{job_id}/retry").status_code == 409


def aged(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        os.utime(path, (time.time() - DAY, time.time() - DAY))


def test_an_api_that_is_killed_in_mid_upload_leaves_nothing(running: Service, rows: list[Row]) -> None:
    before = set(folders(running))
    end = threading.Event()

    def body() -> Iterator[bytes]:
        yield as_csv(rows)
        end.wait(60)
        yield as_csv(rows)

    def send() -> httpx.Response:
        return http.post(f"{running.client.base_url}/jobs", content=body(), headers={"Content-Type": "text/csv"})

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(send)
        [folder] = wait_for("the upload", lambda: set(folders(running)) - before)
        running.api.kill()
        end.set()
        with pytest.raises(httpx.TransportError):
            answer.result()
    running.start_api()
    assert folder.name not in {job["id"] for job in running.client.get("/jobs").json()["jobs"]}
    aged(folder)
    with redis.Redis.from_url(running.redis.url) as client:
        client.delete(TURN_KEY)
    wait_for("the end of the folder", lambda: not folder.exists())
    assert set(folders(running)) == before


def test_a_client_that_hangs_up_in_mid_upload_leaves_nothing(running: Service, rows: list[Row]) -> None:
    before = set(folders(running))
    total = running.client.get("/jobs").json()["total"]

    def body() -> Iterator[bytes]:
        yield as_csv(rows) * 30
        wait_for("the upload", lambda: set(folders(running)) - before)
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        http.post(f"{running.client.base_url}/jobs", content=body(), headers={"Content-Type": "text/csv"})
    wait_for("the end of the folder", lambda: set(folders(running)) == before)
    assert running.client.get("/jobs").json()["total"] == total


def test_an_api_ends_though_events_are_followed(running: Service, pace: Pace, rows: list[Row]) -> None:
    pace.set(READING, 0.2)
    job_id = running.upload(as_csv(rows))
    assert running.api.running is not None
    with http.stream("GET", f"{running.client.base_url}/jobs/{job_id}/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: progress"
        psutil.Process(running.api.pid).send_signal(signal.SIGTERM)
        assert "event: end" not in list(lines)
        running.api.running.wait(DEADLINE)
    running.start_api()
    pace.free()
    assert running.wait_until_ended(job_id)["state"] == "succeeded"


def test_an_api_that_ends_answers_a_caller_who_waits_with_the_job(
    running: Service, pace: Pace, rows: list[Row]
) -> None:
    pace.set(SCORING, 0.5)
    assert running.api.running is not None
    with ThreadPoolExecutor(1) as pool:
        url, headers = f"{running.client.base_url}/multiple_score", {"Prefer": "wait=60", "Idempotency-Key": "a job"}
        applicants = [{name: value for name, value in row.items() if name != ID} for row in rows]
        waiting = pool.submit(http.post, url, json=applicants, headers=headers, timeout=DEADLINE)
        wait_for("the job", lambda: running.client.get("/jobs", params={"state": "running"}).json()["jobs"])
        psutil.Process(running.api.pid).send_signal(signal.SIGTERM)
        answer = waiting.result()
    assert answer.status_code == 202
    running.api.running.wait(DEADLINE)
    running.start_api()
    pace.free()
    assert running.wait_until_ended(answer.json()["id"])["state"] == "succeeded"


def test_a_disk_that_becomes_full_fails_the_job_and_it_can_be_done_again(
    running: Service, pace: Pace, rows: list[Row], expected: list[float | None]
) -> None:
    pace.set(READING, 0.1)
    job_id = running.upload(as_csv(rows), keep=ID)
    reach(running, job_id, READING)
    pace.set("free", 1000)
    job = running.wait_until_ended(job_id)
    assert job["state"] == "failed"
    last = Reason("storage-full").as_dict()
    params = {"unit": READING, "attempts": 3, "reason": last}
    message = f"The reading of the file was given up after 3 attempts. {last['message']}"
    assert job["error"] == {"type": "file-given-up", "message": message, "params": params}
    assert [path.name for path in folder_of(running, job_id).iterdir()] == ["upload"]
    pace.free()
    assert running.client.post(f"/jobs/{job_id}/retry").status_code == 202
    check_job(running, job_id, rows, expected)


def test_a_copy_that_takes_longer_than_the_lease_is_one_attempt_and_ends_with_its_job(
    running: Service, pace: Pace, rows: list[Row], expected: list[float | None]
) -> None:
    body, headers = gzip.compress(as_parquet(rows)), {"Content-Type": PARQUET, "Content-Encoding": "gzip"}

    def submit() -> str:
        answer = running.client.post("/jobs", content=body, headers=headers, params={"keep": ID})
        job_id: str = answer.json()["id"]
        wait_for("the copying", lambda: running.job(job_id)["state"] == "running")
        return job_id

    pace.set("copying", 1)
    cancelled, begun = submit(), time.monotonic()
    assert running.client.delete(f"/jobs/{cancelled}").status_code == 200
    pace.set("copying", 1.2 * LEASE * 1000 / len(as_parquet(rows)))
    copied = submit()
    # By itself it would have taken a second per 1,000 bytes.
    assert time.monotonic() - begun < len(as_parquet(rows)) / 1000
    check_job(running, copied, rows, expected)
    assert f"of job {copied} again" not in running.workers[0].log.read_text()


@pytest.mark.parametrize("form", ["csv", "ndjson", "arrows"])
def test_a_download_whose_rest_is_missing_is_no_complete_one(running: Service, rows: list[Row], form: str) -> None:
    job_id = running.upload(as_csv(rows), keep=ID)
    assert running.wait_until_ended(job_id)["state"] == "succeeded"
    for path in sorted(folder_of(running, job_id).glob("scores-*"))[10:]:
        path.unlink()
    before = running.api.log.read_text()
    with pytest.raises(httpx.RemoteProtocolError):
        running.client.get(f"/jobs/{job_id}/results", params={"format": form})
    said = running.api.log.read_text().removeprefix(before)
    assert said.count("A response was cut off: The storage has no such file.") == 1
    assert "Traceback" not in said


def test_a_download_that_cannot_begin_is_an_error(running: Service, rows: list[Row]) -> None:
    job_id = running.upload(as_csv(rows), keep=ID)
    assert running.wait_until_ended(job_id)["state"] == "succeeded"
    for path in folder_of(running, job_id).glob("scores-*"):
        path.unlink()
    answer = running.client.get(f"/jobs/{job_id}/results", params={"format": "csv"})
    assert (answer.status_code, answer.json()["detail"]) == (503, "The storage has no such file.")

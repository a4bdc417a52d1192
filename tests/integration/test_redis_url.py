"""An address of Redis that is wrong, or a login that is not accepted: one sentence at once, and no secret in it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from scripts.lib.loopback import free_port
from shared.errors import RedisUnavailable
from shared.redis import ping
from tests.factories import Kit
from tests.processes import ROOT, RedisServer, Service, redis_server, wait_for
from tests.tls import certificate, relay

SECRET = "s3cr3t"  # noqa: S105 - nobody's
DENIED = "Redis does not accept the login in REDIS_URL. Check its user, its password and its rights."
ENCODED = "The user and the password in REDIS_URL must be percent-encoded"

API = ["api"]
WORKER = ["celery", "-A", "worker.app", "worker", "-c", "1"]
FLOWER = ["celery", "-A", "worker.monitor", "flower"]


def start_of(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that is to end by itself."""
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with a password that has signs of addresses in it."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", f"@:/#%{SECRET}")
        yield server


@pytest.fixture
def environment(tmp_path: Path, numbers: Kit) -> dict[str, str]:
    numbers.write(tmp_path / "model")
    return {
        "MODEL_DIR": str(tmp_path / "model"),
        "MODEL_CACHE_DIR": str(tmp_path / "cache"),
        "STORAGE_URL": str(tmp_path / "storage"),
        "PYTHONPATH": str(ROOT),
    }


@pytest.mark.parametrize(
    "command",
    [["-m", *API], ["-m", *WORKER], ["-m", *FLOWER], ["scripts/reload_model.py"]],
    ids=["api", "worker", "flower", "reload"],
)
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"unix://:{SECRET}@/run/redis.sock", "REDIS_URL must begin with redis:// or rediss://"),
        (f"redis://:@:/#%{SECRET}@127.0.0.1:6379/0", ENCODED),
    ],
)
def test_an_address_that_is_none_ends_a_program_at_its_start(
    environment: dict[str, str], command: list[str], url: str, sentence: str
) -> None:
    done = start_of(command, environment | {"REDIS_URL": url})
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr


@pytest.mark.parametrize("command", [["-m", *WORKER], ["scripts/reload_model.py"]], ids=["worker", "reload"])
@pytest.mark.parametrize("login", ["", f":not-{SECRET}@"])
def test_a_wrong_password_ends_what_can_do_nothing_without_redis(
    environment: dict[str, str], locked: RedisServer, command: list[str], login: str
) -> None:
    done = start_of(command, environment | {"REDIS_URL": f"redis://{login}127.0.0.1:{locked.port}/0"})
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == DENIED
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_a_wrong_password_is_said_by_the_api_which_scores_on(tmp_path: Path, numbers: Kit, locked: RedisServer) -> None:
    url = f"redis://:not-{SECRET}@127.0.0.1:{locked.port}/0"
    running = Service(tmp_path, locked, {"REDIS_URL": url}, free_port())
    running.offer(numbers)
    try:
        running.start_api()
        answer = running.client.post("/individual_score", json=numbers.rows[0])
        assert answer.json()["score"] == numbers.expected(numbers.rows[:1])[0]
        part = running.client.get("/router_health").json()["parts"]["redis"]
        assert (part["status"], part["type"], part["detail"]) == ("down", "redis-access-denied", DENIED)
        assert running.client.get("/jobs").json()["type"].endswith(":redis-access-denied")
    finally:
        running.stop()
    log = (tmp_path / "api.log").read_text()
    assert log.count(DENIED) == 1
    assert "Traceback" not in log
    assert SECRET not in log


def test_a_password_with_signs_of_addresses_works_once_it_is_encoded(
    tmp_path: Path, numbers: Kit, locked: RedisServer
) -> None:
    url = f"redis://:%40%3A%2F%23%25{SECRET}@127.0.0.1:{locked.port}/0"
    running = Service(tmp_path, locked, {"REDIS_URL": url})
    running.offer(numbers)
    try:
        running.start_api()
        running.start_worker()
        job = running.wait_until_ended(running.submit(numbers.rows))
        assert job["state"] == "succeeded"
        wait_for("the queues", lambda: running.client.get("/router_health").json()["parts"]["redis"]["status"] == "ok")
    finally:
        running.stop()
    assert SECRET not in "".join(path.read_text() for path in tmp_path.glob("*.log"))


def test_jobs_go_over_a_connection_with_tls(tmp_path: Path, numbers: Kit, locked: RedisServer) -> None:
    authority, key = certificate(tmp_path)
    with relay(locked.port, authority, key) as port:
        place = f"rediss://:%40%3A%2F%23%25{SECRET}@127.0.0.1:{port}/0"
        running = Service(tmp_path, locked, {"REDIS_URL": f"{place}?ssl_cert_reqs=required&ssl_ca_certs={authority}"})
        running.offer(numbers)
        try:
            running.start_api()
            running.start_worker()
            assert running.wait_until_ended(running.submit(numbers.rows))["state"] == "succeeded"
        finally:
            running.stop()
        # Without it, the certificate is of no authority that this machine knows.
        with pytest.raises(RedisUnavailable):
            ping(place)


def test_a_cluster_is_not_supported_and_said_so(environment: dict[str, str], tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.command += ["--cluster-enabled", "yes"]
    server.start()
    try:
        done = start_of(["-m", *WORKER], environment | {"REDIS_URL": server.url})
    finally:
        server.stop()
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith("The Redis server is part of a cluster, which is not supported.")

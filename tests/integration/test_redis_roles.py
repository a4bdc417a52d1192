"""The users of Redis in the Compose file: each role does its work with its own, and nothing beyond it."""

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import yaml

from scripts.lib.loopback import free_port
from tests.factories import Kit
from tests.processes import ROOT, Process, RedisServer, Service, wait_for

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
PASSWORDS = {
    "REDISCLI_AUTH": "operator-secret",
    "REDIS_API_PASSWORD": "api-secret",
    "REDIS_WORKER_PASSWORD": "worker-secret",
    "REDIS_FLOWER_PASSWORD": "flower-secret",
}
LOGIN = {"FLOWER_BASIC_AUTH": "watcher:secret"}


def configuration(folder: Path, port: int) -> str:
    """What the Compose file writes to the server, for another folder and port."""
    text = COMPOSE["redis"]["command"][-1].partition("<<END\n")[2].rpartition("END\n")[0]
    for name, password in PASSWORDS.items():
        text = text.replace(f"$${name}", password)
    text = re.sub(r"\$\{\w+:-(\w+)\}", r"\1", text)
    return text.replace("dir /data", f"dir {folder}\nport {port}\nbind 127.0.0.1")


class GuardedRedis(RedisServer):
    """A server with the users of the Compose file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        file = folder / "redis.conf"
        file.write_text(configuration(folder, self.port))
        self.command = [self.command[0], str(file)]

    def url_of(self, user: str, password: str) -> str:
        return f"redis://{user}:{password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        Process.start(self)
        with redis.Redis.from_url(self.url_of("", PASSWORDS["REDISCLI_AUTH"])) as client:
            wait_for("Redis", lambda: _answers(client))


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@dataclass
class Guarded:
    server: GuardedRedis
    service: Service
    flower: httpx.Client

    def client(self, role: str) -> redis.Redis:
        return redis.Redis.from_url(self.server.url_of(role, f"{role}-secret"), decode_responses=True)

    def operator(self) -> redis.Redis:
        return redis.Redis.from_url(self.server.url_of("", PASSWORDS["REDISCLI_AUTH"]), decode_responses=True)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, numbers: Kit) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("roles")
    server = GuardedRedis(folder)
    server.start()
    made = Service(folder, server, {"REDIS_URL": server.url_of("api", "api-secret")})
    made.offer(numbers)
    port = free_port()
    flower = Process(
        [sys.executable, "-m", "celery", "-A", "worker.monitor", "flower", "--address=127.0.0.1", f"--port={port}"],
        folder / "flower.log",
        {"REDIS_URL": server.url_of("flower", "flower-secret"), "PATH": os.environ["PATH"], **LOGIN},
    )
    flower.start()
    try:
        made.start_api()
        made.start_worker(REDIS_URL=server.url_of("worker", "worker-secret"))
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=("watcher", "secret"), trust_env=False) as client:
            wait_for("Flower", lambda: _is_up(client))
            yield Guarded(server, made, client)
    finally:
        flower.stop()
        made.stop()
        server.stop()


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/healthcheck").is_success
    except httpx.TransportError:
        return False


def denied(guarded: Guarded) -> list[tuple[str, str, str]]:
    with guarded.operator() as client:
        return [(entry["username"], entry["reason"], entry["object"]) for entry in client.acl_log()]


def test_all_that_the_service_does_it_may_do(guarded: Guarded, numbers: Kit) -> None:
    client = guarded.service.client
    lines = "\n".join(map(json.dumps, numbers.rows[:20]))
    for job in (
        client.post("/jobs", json=numbers.rows[:20], headers={"Idempotency-Key": "one"}),
        client.post("/jobs", content=lines, headers={"Content-Type": "application/x-ndjson"}),
    ):
        job_id = job.raise_for_status().json()["id"]
        assert guarded.service.wait_until_ended(job_id)["state"] == "succeeded"
        assert client.delete(f"/jobs/{job_id}?purge=true").status_code == 204
    job_id = client.post("/jobs", json=numbers.rows[:5]).json()["id"]
    client.delete(f"/jobs/{job_id}")
    assert client.post("/reload_model", timeout=60).json()["status"] == "unchanged"
    assert client.get("/router_health").json()["status"] in ("ready", "degraded")
    assert client.get("/audit").json()["total"]
    wait_for("Flower to know the worker", lambda: "worker0" in guarded.flower.get("/workers").text)
    tasks: Any = wait_for("Flower to know a task", lambda: guarded.flower.get("/api/tasks").json())
    assert tasks
    assert guarded.flower.get("/api/queues/length").json()["active_queues"]
    assert denied(guarded) == []


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("flower", ("lpush", "pret:queue:quick", "x")),
        ("flower", ("brpop", "pret:queue:chunks", "1")),
        ("flower", ("del", "pret:queue:files")),
        ("flower", ("keys", "*")),
        ("flower", ("hgetall", "pret:job:x")),
        ("flower", ("set", "pret:model:deployment", "x")),
        ("flower", ("eval", "return redis.call('GET', KEYS[1])", "1", "pret:job:x")),
        ("worker", ("lrange", "pret:audit:changes", "0", "-1")),
        ("worker", ("del", "pret:usage:requests:ada")),
        ("worker", ("flushall",)),
        ("worker", ("config", "get", "*")),
        ("api", ("flushall",)),
        ("api", ("acl", "list")),
        ("api", ("shutdown",)),
        ("api", ("set", "something-else", "x")),
        ("api", ("publish", "something-else", "x")),
    ],
)
def test_nobody_does_more_than_its_role_needs(guarded: Guarded, role: str, command: tuple[str, ...]) -> None:
    with guarded.client(role) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command)


@pytest.mark.parametrize("login", ["", "api:wrong@", "flower:api-secret@", ":api-secret@"])
def test_nobody_gets_in_without_a_login_of_its_own(guarded: Guarded, login: str) -> None:
    url = f"redis://{login}127.0.0.1:{guarded.server.port}/0"
    with redis.Redis.from_url(url) as client, pytest.raises(redis.AuthenticationError):
        client.ping()

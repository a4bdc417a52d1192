"""The service that a soak disturbs: its own, on free ports and in a folder of its own, run by the project's supervisor."""

import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
import redis

from scripts.bench.portfolio import kind_of
from scripts.bench.redis_proxy import RedisProxy
from scripts.bench.soaking.orders import Order
from scripts.lib.loopback import free_port
from scripts.lib.programs import HOST, Ports, configuration, programs
from scripts.lib.supervisor import Supervisor
from shared.fleet import records
from shared.jobs import job_scripts

T = TypeVar("T")

PARTS = ("redis", "worker", "reader", "api")
START_DEADLINE = 180.0
PROBE_TIMEOUT = 5.0

SETTINGS = {
    "CHUNK_ROWS": "2000",
    "CHUNK_LEASE": "5",
    "RECONCILE_INTERVAL": "1",
    "JOB_TTL": "600",
    "WEBHOOK_SECRET": "soak",
}
"""Small chunks, so that there is something to be in the middle of; lost work is found within seconds."""

SLOW_LOADING = "key-load-delay 500\nloading-process-events-interval-bytes 4096\n"
"""Lets Redis take half a millisecond to load a key, so that loading is a state that one can meet."""

FREE_SHARE = 0.25
"""Of the free space of the disk, what may go before the storage counts as full; the rest is left to others."""

http = httpx.Client(trust_env=False, timeout=PROBE_TIMEOUT)


class NotUp(Exception):
    """The service does not come up, or not again."""


class Site:
    """The service, and the proxy between it and its Redis."""

    def __init__(self, folder: Path, webhook_host: str) -> None:
        self.folder = folder
        self.model_dir = folder / "model"
        self.storage = folder / "storage"
        self.inputs = folder / "inputs"
        self.outputs = folder / "outputs"
        self.logs = folder / "logs"
        self.loading = folder / "loading.conf"
        """What Redis reads at its start besides; SLOW_LOADING or nothing."""
        self.deaths: Counter[str] = Counter()
        """Programs that ended with an error, and not by a signal or when told to."""
        ports = [free_port() for _ in range(4)]
        self._ports = Ports(ports[0], ports[1], ports[2], ports[3])
        self.proxy = RedisProxy(ports[3], job_scripts.SCRIPTS | records.SCRIPTS)
        self.redis = self.direct(0)
        """A way to Redis past the proxy."""
        self._supervisor: Supervisor | None = None
        self._config = folder / "supervisord.conf"
        self._settings = SETTINGS | {
            "MODEL_DIR": str(self.model_dir),
            "MODEL_CACHE_DIR": str(folder / "models"),
            "STORAGE_URL": str(self.storage),
            "INPUT_URI_PREFIXES": f"file://{self.inputs}",
            "OUTPUT_URI_PREFIXES": f"file://{self.outputs}",
            "WEBHOOK_HOSTS": webhook_host,
            "TMPDIR": str(folder / "tmp"),
        }

    def direct(self, database: int) -> "redis.Redis":
        """Make a client of Redis that does not pass the proxy."""
        return redis.Redis(HOST, self._ports.redis or 0, database, socket_timeout=PROBE_TIMEOUT, decode_responses=True)

    @property
    def url(self) -> str:
        """Where the API answers."""
        return self._ports.api_url

    def prepare(self) -> None:
        """Begin to listen for the service, and write down its programs."""
        for name in ("logs", "inputs", "outputs", "tmp", "valkey"):
            (self.folder / name).mkdir()
        self.proxy.start()
        free = shutil.disk_usage(self.folder).free
        self._settings |= {"REDIS_URL": self.proxy.url, "MIN_FREE_BYTES": str(int(free * (1 - FREE_SHARE)))}
        os.environ.update(self._settings)
        found = programs(self._ports, self.folder)
        self.loading.touch()
        found["redis"].command.extend(("--include", str(self.loading)))
        text = configuration({name: found[name] for name in PARTS}, self.folder / "supervisord.pid", self.logs)
        # Every line is looked at in the end.
        self._config.write_text(text.replace("maxbytes=10MB", "maxbytes=0"), encoding="utf-8")

    def output_of(self, order: Order) -> Path:
        """Tell the file to which the service writes the results of an order that wants that."""
        return self.outputs / f"{order.name}.{order.results}"

    def start(self) -> None:
        """Start all programs; returns at once."""
        self._supervisor = Supervisor(self._config, self._hear)

    def stop(self) -> None:
        """End all programs in order."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None

    def close(self) -> None:
        """End everything, whatever state it is in."""
        everything = self.all_processes()
        for process in everything:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        self.stop()
        for process in everything:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(everything, PROBE_TIMEOUT)
        self.redis.close()
        self.proxy.stop()

    def wait_until_up(self, stop: threading.Event, deadline: float = START_DEADLINE) -> None:
        """Wait until every part says that it is there; raises NotUp."""
        end = time.monotonic() + deadline
        while not stop.wait(0.1):
            if self.is_up():
                return
            if time.monotonic() > end:
                raise NotUp(f"The service is not up after {deadline:.0f} s.")

    def is_up(self) -> bool:
        """Whether every part is there, of this service and not of another that listens at the same port."""
        with suppress(httpx.HTTPError, KeyError, ValueError):
            answer = http.get(f"{self.url}/router_health").json()
            reports = http.get(f"{self.url}/model_status").json()["processes"]
            own = {process.pid for process in self.parents("api")}
            return answer["status"] == "ready" and any(report["pid"] in own for report in reports)
        return False

    def all_processes(self) -> list[psutil.Process]:
        """Give everything that runs below the supervisor, itself included, and what it left behind."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("MODEL_DIR") == str(self.model_dir) and process.pid != os.getpid():
                    found.append(process)
        return found

    def parents(self, kind: str) -> list[psutil.Process]:
        """Give the processes of one program that the supervisor started."""
        supervisor = self._supervisor
        if supervisor is None:
            return []
        with suppress(psutil.Error):
            below = psutil.Process(supervisor.pid).children()
            return [process for process in below if kind_of_process(process) == kind]
        return []

    def children(self, kind: str) -> list[psutil.Process]:
        """Give the processes that those of one program have forked to work."""
        found = []
        for parent in self.parents(kind):
            with suppress(psutil.Error):
                found += [child for child in parent.children() if kind_of_process(child) == kind]
        return found

    def programs(self) -> list[psutil.Process]:
        """Give the processes of all programs, but not of Redis, with those that they have forked."""
        return [process for kind in PARTS[1:] for process in (*self.parents(kind), *self.children(kind))]

    def _hear(self, event: str) -> None:
        """Count the ends that nobody has caused: `exited: worker (exit status 1; not expected); ...`."""
        if event.startswith("exited:") and "exit status" in event and "exit status 0" not in event:
            self.deaths[f"{event.split()[1]} ({event.partition('(')[2].partition(';')[0]})"] += 1


def kind_of_process(process: psutil.Process) -> str:
    """Tell what a process of the service is; `gone` for one that has just ended."""
    try:
        return kind_of(process.cmdline())
    except psutil.Error:
        return "gone"


def wait_for(probe: Callable[[], T | None], deadline: float, pause: float = 0.05) -> T | None:
    """Call until it gives something true, and return that; None if it did not in so many seconds."""
    end = time.monotonic() + deadline
    while True:
        with suppress(httpx.HTTPError, redis.RedisError, OSError, psutil.Error):
            if found := probe():
                return found
        if time.monotonic() > end:
            return None
        time.sleep(pause)


assert sys.platform == "linux", "a soak stops, limits and measures processes as Linux does"

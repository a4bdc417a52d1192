"""A service of its own to be attacked: on free ports, in a folder of its own, run by the project's supervisor."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from scripts.bench.soaking.models import Models
from scripts.lib.loopback import free_port
from scripts.lib.programs import HOST, Ports, configuration, programs
from scripts.lib.supervisor import Supervisor
from shared.contract.contract import Row

PARTS = ("redis", "worker", "reader", "api")
START_DEADLINE = 300.0
ROWS = 1000

SETTINGS = {
    # A single process: whatever holds it up is seen by all.
    "WEB_CONCURRENCY": "1",
    "MAX_WAIT": "1",
    "JOB_TTL": "60",
    "RECONCILE_INTERVAL": "1",
    "MIN_FREE_BYTES": "0",
}

http = httpx.Client(trust_env=False, timeout=10.0)


class NotUp(Exception):
    """The service does not come up."""


class Service:
    """The service while it runs."""

    def __init__(self, folder: Path, rows: Sequence[Row]) -> None:
        self.rows = rows
        """Valid rows of its model."""
        self.ends: list[str] = []
        """What the supervisor said of programs that have ended."""
        self.logs = folder / "logs"
        self._ports = Ports(free_port(), free_port(), free_port(), free_port())
        self._config = folder / "supervisord.conf"
        self._prepare(folder)
        self._supervisor = Supervisor(self._config, self.ends.append)

    @property
    def address(self) -> tuple[str, int]:
        """Where the API listens."""
        return HOST, self._ports.api

    @property
    def url(self) -> str:
        """The same as a URL."""
        return self._ports.api_url

    def api(self) -> psutil.Process:
        """Give the process of the API."""
        children = psutil.Process(self._supervisor.pid).children()
        return next(child for child in children if "api" in child.cmdline())

    def wait_until_up(self) -> None:
        """Wait until every part is there; raises NotUp."""
        end = time.monotonic() + START_DEADLINE
        while time.monotonic() < end:
            with suppress(httpx.HTTPError, KeyError, ValueError):
                if http.get(f"{self.url}/router_health").json()["status"] == "ready":
                    return
            time.sleep(0.1)
        raise NotUp(f"The service is not up after {START_DEADLINE:.0f} s.")

    def open_jobs(self) -> int:
        """Count the jobs that have not ended."""
        pages = [http.get(f"{self.url}/jobs", params={"state": state, "limit": 1}) for state in ("queued", "running")]
        return sum(page.json()["total"] for page in pages)

    def stop(self) -> None:
        """End all programs."""
        self._supervisor.stop()

    def _prepare(self, folder: Path) -> None:
        self.logs.mkdir()
        places = {"MODEL_DIR": "model", "MODEL_CACHE_DIR": "models", "STORAGE_URL": "storage", "TMPDIR": "tmp"}
        (folder / "tmp").mkdir()
        os.environ.update(SETTINGS | {name: str(folder / place) for name, place in places.items()})
        os.environ["REDIS_URL"] = f"redis://{HOST}:{self._ports.redis}/0"
        found = programs(self._ports, folder)
        text = configuration({name: found[name] for name in PARTS}, folder / "supervisord.pid", self.logs)
        # Every line is looked at in the end.
        self._config.write_text(text.replace("maxbytes=10MB", "maxbytes=0"), encoding="utf-8")


@contextmanager
def running_service(folder: Path, seed: int) -> Iterator[Service]:
    """Train a model, serve it in an empty folder until the block ends; raises NotUp."""
    models = Models(seed, folder, versions=1)
    models.install(next(iter(models.versions)), folder / "model")
    service = Service(folder, models.rows(0, ROWS))
    try:
        service.wait_until_up()
        yield service
    finally:
        service.stop()

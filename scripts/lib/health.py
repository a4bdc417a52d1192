"""Waits for the programs of `./scripts/up`: those that serve must come up, those that only show may not."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from scripts.lib.programs import Ports, StartError
from scripts.lib.supervisor import Supervisor
from shared import redis
from shared.errors import RedisDenied, RedisUnavailable

SERVING = ("redis", "api", "model", "worker", "reader")
SHOWING = ("console", "flower")
"""What is waited for: first what serves the model, which is then the active one, and then what shows it."""

START_DEADLINE = 120.0
"""Seconds until a process that is not healthy is called broken."""

MONITOR_DEADLINE = 60.0
"""Seconds more that console and Flower get, once scoring is up."""

DEATHS = 3
"""A program that has died so often at its start does not come up."""

PAUSE = 0.1
REDIS_PATIENCE = 3.0
"""Seconds that a Redis server of somebody else gets to answer."""

http = httpx.Client(trust_env=False)
"""One for all requests: to make a client reads all certificate authorities, 50 ms of processor time. It uses no proxy."""


def require_redis(url: str) -> None:
    """See that a given server answers and lets us in; raises StartError."""
    deadline = time.monotonic() + REDIS_PATIENCE
    while True:
        try:
            redis.ping(url)
            return
        except RedisDenied as error:
            raise StartError(str(error)) from error
        except RedisUnavailable as error:
            if time.monotonic() > deadline:
                raise StartError("There is no Redis at the address in REDIS_URL, or it does not answer.") from error
        time.sleep(PAUSE)


class Health:
    """What is up, asked of the programs themselves until somebody sets `stop`."""

    def __init__(self, ports: Ports, supervisor: Supervisor, stop: threading.Event) -> None:
        self._supervisor = supervisor
        self._stop = stop
        self._checks: dict[str, Callable[[], bool]] = {
            "redis": lambda: redis.ping(os.environ["REDIS_URL"]),
            "api": lambda: http.get(f"{ports.api_url}/api_health").is_success,
            "model": lambda: _model_is_loaded(ports),
            "worker": lambda: _parts(ports)["workers"]["status"] == "ok",
            "reader": lambda: _parts(ports)["readers"]["status"] == "ok",
            "console": lambda: http.get(f"{ports.console_url}/_stcore/health").is_success,
            "flower": lambda: http.get(f"{ports.flower_url}/healthcheck").is_success,
        }

    def wait_for_scoring(self) -> None:
        """Wait until all that scores is up; raises StartError."""
        deadline = time.monotonic() + START_DEADLINE
        for name in SERVING:
            if not self._comes_up(name, deadline):
                raise StartError(f"{name} does not come up; see .local/logs/.")

    def wait_for_monitors(self) -> set[str]:
        """Wait for what people look at, and name what does not come up: no reason to stop scoring."""
        deadline = time.monotonic() + MONITOR_DEADLINE
        down = {name for name in SHOWING if not self._comes_up(name, deadline)}
        for name in sorted(down):
            print(f"{name} does not come up; see .local/logs/{name}.log. Scoring goes on without it.", flush=True)
        return down

    def _comes_up(self, name: str, deadline: float) -> bool:
        """Wait for one; also true where nobody waits any more."""
        print(f"waiting for {name} ...", flush=True)
        while not self._stop.is_set() and not _holds(self._checks[name]):
            if self._supervisor.has_ended:
                raise StartError("The supervisor has ended; the service is down.")
            if time.monotonic() > deadline or self._supervisor.deaths(name) >= DEATHS:
                return False
            self._stop.wait(PAUSE)
        return True


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (httpx.HTTPError, RedisUnavailable, OSError):
        return False


def _model_is_loaded(ports: Ports) -> bool:
    """Read the API's verdict; it is final, since the API looks for its model before it answers anything."""
    model = _parts(ports)["model"]
    if model["status"] != "ok":
        raise StartError(model["detail"])
    return True


def _parts(ports: Ports) -> dict[str, Any]:
    parts: dict[str, Any] = http.get(f"{ports.api_url}/router_health").json()["parts"]
    return parts

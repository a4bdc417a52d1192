"""A caller who goes on scoring one valid applicant, and notes how long that takes while the service is attacked."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

JSON = {"Content-Type": "application/json"}


class Probe:
    """Scores the same row again and again, in a thread, while the block runs."""

    def __init__(
        self,
        address: tuple[str, int],
        row: Mapping[str, Any],
        patience: float,
        pause: float = 0.0,
        delays: Callable[[], float] = float,
    ) -> None:
        self.times: list[float] = []
        """Seconds of each answer."""
        self.net_times: list[float] = []
        """The same without what `delays` has grown by meanwhile, seconds for which others were to blame."""
        self.faults: list[str] = []
        self._address = address
        self._body = json.dumps(row)
        self._patience = patience
        self._pause = pause
        self._delays = delays
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._expected: bytes | None = None

    def __enter__(self) -> "Probe":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = HTTPConnection(*self._address, timeout=self._patience)
        while not self._stop.is_set():
            delayed, began = self._delays(), time.perf_counter()
            try:
                connection.request("POST", "/individual_score", self._body, JSON)
                answer = connection.getresponse()
                body, seconds = answer.read(), time.perf_counter() - began
                self._look(answer.status, body)
                self.times.append(seconds)
                self.net_times.append(seconds - (self._delays() - delayed))
            except (OSError, HTTPException) as error:
                self.faults.append(f"{type(error).__name__} after {time.perf_counter() - began:.1f} s")
                connection.close()
            self._stop.wait(self._pause)
        connection.close()

    def _look(self, status: int, body: bytes) -> None:
        self._expected = self._expected or body
        if status != 200 or body != self._expected:
            self.faults.append(f"{status} {body[:300]!r}")

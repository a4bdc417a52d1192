"""The raw fuzzer: sends odd requests over plain sockets, and looks at each answer."""

import threading
import time
from collections import Counter
from http.client import HTTPException

from scripts.bench.fuzzing.line import Line
from scripts.bench.fuzzing.requests import Request, Requests
from scripts.bench.fuzzing.service import Service
from scripts.bench.fuzzing.verdict import Verdict, fault_in

THREADS = 3


class Fuzzer:
    """Sends requests from several threads, until there were enough or the time is up."""

    def __init__(self, service: Service, seed: int, verdict: Verdict, patience: float) -> None:
        self._service = service
        self._seed = seed
        self._verdict = verdict
        self._patience = patience
        self.statuses: Counter[int] = Counter()
        """Of the answers; 0 where a connection was closed without one."""
        self._lock = threading.Lock()

    @property
    def sent(self) -> int:
        """Number of requests."""
        return self.statuses.total()

    def run(self, requests: int, end: float) -> None:
        """Send so many requests, but none after `end` by the monotonic clock."""
        threads = [
            threading.Thread(target=self._send_all, args=(number, requests // THREADS, end))
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send_all(self, number: int, count: int, end: float) -> None:
        requests = Requests(self._service.rows, f"{self._seed}-{number}")
        line = Line(self._service.address, self._patience)
        for _ in range(count):
            if time.monotonic() > end:
                break
            self._send(line, requests.next())
        line.close()

    def _send(self, line: Line, request: Request) -> None:
        status = 0
        try:
            answer = line.ask(request)
        except TimeoutError:
            self._verdict.note("no answer in time", request.text)
            line.close()
        except (OSError, HTTPException) as error:
            if request.is_whole:
                self._verdict.note(f"no answer but {type(error).__name__}", request.text)
            line.close()
        else:
            status, headers, body = answer
            if fault := fault_in(request, status, headers, body):
                self._verdict.note(fault, request.text)
        with self._lock:
            self.statuses[status] += 1

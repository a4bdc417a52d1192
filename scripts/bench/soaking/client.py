"""A patient client of the service: it asks again while the service is away, and takes nothing else for an answer."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from scripts.bench.soaking.record import Record

Job = dict[str, Any]
Headers = Mapping[str, str]

NOT_NOW = {httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.TOO_MANY_REQUESTS}
"""What a client answers with patience; anything else is an answer."""

FINAL = ("succeeded", "failed", "cancelled")
PATIENCE = 300.0
"""Seconds without any progress after which a promise counts as broken; far more than any fault lasts."""

REQUEST_TIMEOUT = 30.0
PAUSE = 0.2


class Broken(Exception):
    """A promise of the service is not kept; the arguments are which one, and what was seen."""


class Ended(Exception):
    """The soak is over."""


class Client:
    """Requests of one thread, counted. Every method raises Broken, and Ended once the soak is stopped."""

    def __init__(self, url: str, record: Record, stop: threading.Event) -> None:
        self.http = httpx.Client(base_url=url, timeout=REQUEST_TIMEOUT, trust_env=False)
        self._record = record
        self._stop = stop

    def once(self, send: Callable[[httpx.Client], httpx.Response]) -> httpx.Response | None:
        """Ask once; None if there was no answer, or the answer was to ask later."""
        try:
            answer = send(self.http)
        except httpx.TransportError as error:
            self._record.count(self._record.requests, type(error).__name__)
            return None
        self._record.count(self._record.requests, str(answer.status_code))
        return None if answer.status_code in NOT_NOW else answer

    def insist(self, send: Callable[[httpx.Client], httpx.Response], *expected: int) -> httpx.Response:
        """Ask until there is an answer; raises Broken unless it has an expected status."""
        end = time.monotonic() + PATIENCE
        while (answer := self.once(send)) is None:
            if self._stop.wait(PAUSE):
                raise Ended
            if time.monotonic() > end:
                raise Broken("the service answers again", f"no answer for {PATIENCE:.0f} s")
        if answer.status_code not in expected:
            raise Broken("every answer is one that the guide has", f"{answer.request.method} {told(answer)}")
        return answer

    def get(self, path: str, *expected: int, **parameters: Any) -> httpx.Response:
        """Read something."""
        return self.insist(lambda http: http.get(path, params=parameters), 200, *expected)

    def job(self, job_id: str) -> Job:
        """Read a job that was accepted."""
        answer = self.get(f"/jobs/{job_id}", 404)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise Broken("an accepted job is there", f"job {job_id} is unknown")
        job: Job = answer.json()
        return job

    def end_of(self, job_id: str) -> Job:
        """Follow a job to its end; raises Broken if it makes no progress for long."""
        seen, since = None, time.monotonic()
        while True:
            job = self.job(job_id)
            if job["state"] in FINAL:
                return job
            progress = (job["state"], job["stage"], job["rows_read"], job["rows_done"])
            if progress != seen:
                seen, since = progress, time.monotonic()
            if time.monotonic() > since + PATIENCE:
                raise Broken("every accepted job ends", f"job {job_id} stays {progress} for {PATIENCE:.0f} s")
            if self._stop.wait(PAUSE):
                raise Ended

    def jobs(self) -> Iterator[Job]:
        """Read the records of all jobs, newest first."""
        offset: int | None = 0
        while offset is not None:
            page = self.get("/jobs", offset=offset, limit=200).json()
            yield from page["jobs"]
            offset = page["next_offset"]


def told(answer: httpx.Response) -> str:
    """Say what an answer was, briefly."""
    return f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}"

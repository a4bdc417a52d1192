"""What a service must look like once a soak is over and every job has ended: nothing is left, and all serve one model."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import redis

from scripts.bench.soaking.client import FINAL, Broken
from scripts.bench.soaking.record import Record
from scripts.bench.soaking.site import Site, wait_for
from scripts.bench.soaking.traffic import Traffic
from shared.audit import AUDIT_KEY, KEYS_KEY
from shared.fleet.records import PROCESS_KEY
from shared.jobs.expiry import ORPHAN_AGE
from shared.jobs.job import READ_PREFIXES
from shared.jobs.job_keys import ENDED_KEY, JOB_KEY, TOTALS_KEY, TURN_KEY, WEBHOOKS_KEY
from shared.jobs.queue import QUEUE_PREFIX, QUEUES
from shared.redis import KEY_PREFIX
from shared.storage.local import PARTIAL_SUFFIX

DEADLINE = 300.0
"""Seconds for each thing to come about; all come within a few on a machine that has nothing else to do."""

LASTING = (f"{KEY_PREFIX}model:", PROCESS_KEY, f"{QUEUE_PREFIX}_kombu.", TURN_KEY, TOTALS_KEY, AUDIT_KEY, KEYS_KEY)
"""Beginnings of keys that stay as long as the service does."""


class Aftermath:
    """The checks, in order; each notes a violation and lets the next one follow."""

    def __init__(self, site: Site, record: Record, traffic: Traffic, stop: threading.Event) -> None:
        self._site = site
        self._record = record
        self._traffic = traffic
        self._stop = stop
        self._client = traffic.client()

    def check(self) -> None:
        """Run all checks. Raises Ended if the soak is stopped."""
        self._hold("every job ends", self._open_jobs)
        self._hold("nobody's job is less than whole", self._strays)
        self._hold("the fleet serves one version", self._differing_versions)
        self._hold("no message is left", self._messages)
        self._hold("what a killed reading leaves is removed with the next", self._remains_of_readings)
        self._make_due(WEBHOOKS_KEY)
        self._hold("every webhook is sent or given up", self._webhooks)
        self._make_due(ENDED_KEY)
        self._age_folders()
        self._hold("nothing is left in Redis beyond its time", self._keys)
        self._hold("nothing is left in the storage beyond its time", self._blobs)

    def _hold(self, promise: str, rest: Callable[[], list[str]]) -> None:
        """Wait until there is nothing left that keeps a promise from being kept."""
        print(f"looking whether {promise} ...", flush=True)
        left: list[str] = ["no answer"]

        def nothing_left() -> bool:
            left[:] = rest()
            return not left or self._stop.is_set()

        try:
            if not wait_for(nothing_left, DEADLINE, pause=0.3):
                self._record.violation(promise, f"{len(left)} left, as {', '.join(left[:5])}")
        except Broken as broken:
            self._record.violation(*broken.args)

    def _open_jobs(self) -> list[str]:
        return [job["id"] for job in self._client.jobs() if job["state"] not in FINAL]

    def _strays(self) -> list[str]:
        """Look at the jobs that nobody follows; what is wrong with one is noted there."""
        self._traffic.check_strays(self._client)
        return []

    def _differing_versions(self) -> list[str]:
        status = self._client.get("/model_status").json()
        if status["converged"]:
            return []
        return [f"{process['kind']} {process['version']}" for process in status["processes"]] or ["none"]

    def _messages(self) -> list[str]:
        """Name the queues that have messages."""
        found = {name: self._site.redis.llen(f"{QUEUE_PREFIX}{name}") for name in QUEUES}
        return [f"{name} ({count})" for name, count in found.items() if count]

    def _remains_of_readings(self) -> list[str]:
        # What an API process that was killed has written belongs to no job, and stays as long as a folder without one does.
        partial = [
            path for path in self._files() if path.name.startswith(READ_PREFIXES) and path.suffix == PARTIAL_SUFFIX
        ]
        return [path.name for path in partial if self._site.redis.exists(f"{JOB_KEY}{path.parent.name}")]

    def _webhooks(self) -> list[str]:
        members: list[str] = self._site.redis.zrange(WEBHOOKS_KEY, 0, -1)  # type: ignore[assignment]
        return members

    def _make_due(self, key: str) -> None:
        """Make it as if the time of every member were over."""
        with suppress(redis.RedisError):
            members: list[str] = self._site.redis.zrange(key, 0, -1)  # type: ignore[assignment]
            if members:
                self._site.redis.zadd(key, dict.fromkeys(members, 1), xx=True)

    def _age_folders(self) -> None:
        """Make it as if nothing had been written for long: folders without a job stay for an hour."""
        long_ago = time.time() - 2 * ORPHAN_AGE
        for path in self._files():
            for aged in (path, path.parent):
                with suppress(FileNotFoundError):
                    os.utime(aged, (long_ago, long_ago))

    def _keys(self) -> list[str]:
        """Name the keys that nothing removes."""
        ended = [f"{ENDED_KEY}: {self._site.redis.zcard(ENDED_KEY)}"] if self._site.redis.exists(ENDED_KEY) else []
        found = [key for key in self._site.redis.scan_iter(f"{KEY_PREFIX}*", count=1000) if not key.startswith(LASTING)]
        return ended + [key for key in found if self._site.redis.ttl(key) == -1]

    def _blobs(self) -> list[str]:
        # A sweep that found nothing old enough a moment ago does not come again for a minute.
        self._site.redis.delete(TURN_KEY)
        return [path.name for path in self._files()]

    def _files(self) -> list[Path]:
        """List the files in the storage; folders that are removed meanwhile are passed over, which `Path.rglob` does not do."""
        return [Path(folder, name) for folder, _, names in os.walk(self._site.storage) for name in names]

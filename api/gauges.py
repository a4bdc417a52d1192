"""What is looked up when the metrics are asked for: the fleet, the queues, the jobs and the storage.

One look at a time, whose result is given again for some seconds: however often somebody asks, Redis does not notice.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from shared.errors import PretError, RedisUnavailable
from shared.fleet.records import Fleet
from shared.jobs.queue import QUEUES, TaskQueue
from shared.jobs.store import JobStore
from shared.jobs.totals import Totals
from shared.storage import Storage
from shared.version import service_version

Samples = Mapping[Any, float]
"""Values by those of the labels, a tuple of texts."""

FRESH = 2.0
"""Seconds for which a look is given again."""


class Gauges(Collector):
    """What the service as a whole is like now; without Redis, only what can be told without it."""

    def __init__(
        self, storage: Storage, min_free_bytes: int, queue: TaskQueue, store: JobStore, totals: Totals, fleet: Fleet
    ) -> None:
        self._storage = storage
        self._min_free_bytes = min_free_bytes
        self._queue = queue
        self._store = store
        self._totals = totals
        self._fleet = fleet
        self._lock = Lock()
        self._seen: list[Metric] = []
        self._seen_at = -FRESH

    def collect(self) -> Iterable[Metric]:
        """Give what was seen last, from a new look if that is not fresh and no other one is under way."""
        if time.monotonic() - self._seen_at >= FRESH and self._lock.acquire(blocking=not self._seen):
            try:
                self._seen = list(self._look())
                self._seen_at = time.monotonic()
            finally:
                self._lock.release()
        return self._seen

    def _look(self) -> Iterator[Metric]:
        yield _gauge("build_info", "Version of the service; always 1.", ("service_version",), {(service_version(),): 1})
        yield from self._of_storage()
        began = time.perf_counter()
        try:
            lengths = self._queue.lengths()
            seconds = time.perf_counter() - began
            found = [*self._of_queues(lengths), *self._of_jobs(), *self._of_fleet()]
        except RedisUnavailable:
            yield _gauge("redis_up", "Whether Redis answers.", (), {(): 0})
            return
        yield _gauge("redis_up", "Whether Redis answers.", (), {(): 1})
        yield _gauge("redis_round_trip_seconds", "Time that Redis took for one answer.", (), {(): seconds})
        yield from found

    def _of_storage(self) -> Iterator[Metric]:
        try:
            free = self._storage.free_bytes()
        except (PretError, OSError):
            return
        # An object store has no end.
        if free is not None:
            yield _gauge("storage_free_bytes", "Free space in the folder of jobs.", (), {(): free})
            yield _gauge(
                "storage_min_free_bytes", "Free space below which no jobs are taken.", (), {(): self._min_free_bytes}
            )

    def _of_queues(self, lengths: Mapping[str, int]) -> Iterator[Metric]:
        by_queue = {(name,): length for name, length in lengths.items()}
        yield _gauge("queue_length", "Tasks that wait.", ("queue",), by_queue)
        ages = {(name,): age for name, age in self._queue.ages().items()}
        yield _gauge("queue_oldest_age_seconds", "Time that the oldest task has waited.", ("queue",), ages)

    def _of_jobs(self) -> Iterator[Metric]:
        by_state = {(state.value,): count for state, count in self._totals.by_state().items()}
        yield _gauge("jobs", "Jobs that there are.", ("state",), by_state)
        yield _gauge("queued_rows", "Rows of open jobs that are not scored yet.", (), {(): self._store.queued_rows()})
        durations = HistogramMetricFamily(
            "pret_job_duration_seconds", "Time from the submission of a job to its end.", labels=["state"]
        )
        ended = CounterMetricFamily("pret_jobs_ended", "Jobs that have ended.", labels=["state"])
        for state, jobs in self._totals.ended().items():
            buckets, count = [], 0
            for bound, number in jobs.durations:
                count += number
                buckets.append((bound, float(count)))
            durations.add_metric([state.value], buckets, jobs.seconds)
            ended.add_metric([state.value], count)
        given_up = CounterMetricFamily("pret_units_given_up", "Units of work that ran out of attempts.")
        given_up.add_metric([], self._totals.given_up())
        yield from (durations, ended, given_up)

    def _of_fleet(self) -> Iterator[Metric]:
        (deployed, candidate), processes = self._fleet.look(), self._fleet.processes()
        active = deployed.active.id if deployed else ""
        serving = {(each.name, each.kind, each.version or ""): 1.0 for each in processes}
        yield _gauge("process_info", "What each process serves; always 1.", ("process", "kind", "version"), serving)
        if deployed:
            yield _gauge("active_model_info", "The active version; always 1.", ("version",), {(active,): 1})
            yield _gauge(
                "active_model_timestamp_seconds", "When the active version became active.", (), {(): deployed.at}
            )
        behind = sum(each.version != active for each in processes)
        yield _gauge("fleet_behind_processes", "Processes that do not serve the active version.", (), {(): behind})
        yield _gauge("reload_in_progress", "Whether a version is being prepared.", (), {(): candidate is not None})
        slots = {(name,): sum(each.slots for each in processes if name in each.queues) for name in QUEUES}
        yield _gauge("worker_slots", "Tasks that are done at the same time.", ("queue",), slots)


def _gauge(name: str, text: str, labels: tuple[str, ...], samples: Samples) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"pret_{name}", text, labels=labels)
    for values, value in samples.items():
        family.add_metric(values, value)
    return family

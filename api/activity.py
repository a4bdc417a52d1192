"""The last hour of this service, in memory: for whoever has no Prometheus.

Each process keeps an hour of its own, of what all processes of the port have counted together.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from time import time

from prometheus_client import Metric
from prometheus_client.registry import Collector

from api.traffic import Traffic
from shared.errors import RedisUnavailable
from shared.jobs.queue import TaskQueue

logger = logging.getLogger(__name__)

INTERVAL = 30.0
KEPT = 120
"""Seconds between two points, and points that are kept: an hour."""

QUANTILE = 0.99
SINGLE = "/individual_score"
"""The route whose latencies are looked at: of all others it depends on what is asked for."""


@dataclass(frozen=True)
class Point:
    """What happened since the point before."""

    at: float
    """Seconds since the epoch."""
    requests_per_second: float
    p99_seconds: float | None
    """Of single scores; None if there were none."""
    waiting: int | None
    """Tasks in all queues; None while Redis is away."""
    refused_share: float | None
    """Of the applicants that the API has scored itself; None if there were none."""


@dataclass
class _Counts:
    """What was counted up to a moment."""

    at: float
    requests: float = 0
    latencies: Counter[float] = field(default_factory=Counter)
    """Single scores by the upper bound of their latency, those below it included."""
    decisions: Counter[str] = field(default_factory=Counter)


class Activity:
    """Looks at the metrics twice a minute."""

    def __init__(self, metrics: Collector, traffic: Traffic, queue: TaskQueue) -> None:
        """Take the metrics, who must flush into them, and the queues."""
        self._metrics = metrics
        self._traffic = traffic
        self._queue = queue
        self._before: _Counts | None = None
        self.points: deque[Point] = deque(maxlen=KEPT)

    async def keep_looking(self) -> None:
        """Look, until it is cancelled."""
        while True:
            try:
                self._traffic.flush()
                await asyncio.to_thread(self.look)
            except Exception:
                logger.exception("A look at the last minutes failed; the next one follows")
            await asyncio.sleep(INTERVAL)

    def look(self) -> None:
        """Add a point, from the second look on."""
        now = self._counted(self._metrics.collect())
        if self._before is not None:
            self.points.append(self._point(self._before, now))
        self._before = now

    def _counted(self, metrics: Iterable[Metric]) -> _Counts:
        counts = _Counts(time())
        for sample in (sample for metric in metrics for sample in metric.samples):
            labels = sample.labels
            if sample.name == "pret_http_request_duration_seconds_count":
                counts.requests += sample.value
            elif sample.name == "pret_http_request_duration_seconds_bucket" and labels["route"] == SINGLE:
                counts.latencies[float(labels["le"])] += int(sample.value)
            elif sample.name == "pret_decisions_total":
                counts.decisions[labels["decision"]] += int(sample.value)
        return counts

    def _point(self, before: _Counts, now: _Counts) -> Point:
        decisions = now.decisions - before.decisions
        return Point(
            at=now.at,
            requests_per_second=max(0.0, now.requests - before.requests) / max(now.at - before.at, 1e-3),
            p99_seconds=_quantile({bound: count - before.latencies[bound] for bound, count in now.latencies.items()}),
            waiting=self._waiting(),
            refused_share=decisions["refused"] / decisions.total() if decisions else None,
        )

    def _waiting(self) -> int | None:
        try:
            return sum(self._queue.lengths().values())
        except RedisUnavailable:
            return None


def _quantile(latencies: Mapping[float, int]) -> float | None:
    """Estimate the quantile from cumulative counts, as if the values in a bucket were spread evenly."""
    total = latencies.get(inf, 0)
    if total <= 0:
        return None
    below, low = 0, 0.0
    for bound in sorted(latencies):
        count = latencies[bound]
        if count >= QUANTILE * total:
            return low + (bound - low) * (QUANTILE * total - below) / (count - below) if isfinite(bound) else low
        below, low = count, bound
    return low

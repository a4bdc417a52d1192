"""The metrics of a process: their names, and how they are counted. What they mean stands in docs/monitoring.md.

Labels have few values, all of them ours: a route and never a path, a kind of work and never a job.
"""

from collections.abc import Mapping
from math import inf

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

LATENCIES = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
"""Seconds, from the fastest single score to the longest wait."""

DURATIONS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0)
"""Seconds that units of work and reloads take."""

SCORES = tuple(i / 20 for i in range(1, 21))
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)

MOST_VERSIONS = 20
"""Model versions that one process tells apart; a process that has met more counts the next ones together."""

OTHER = "other"
"""Takes the place of a label of which there would be too many."""

# A second sample for every counter, which tells when it began.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Tallied(Histogram):
    """A histogram that takes many observations at once: one alone takes it 3 µs."""

    def observe_all(self, values: npt.ArrayLike) -> None:
        """Add observations, shape (n,); none of them may be NaN."""
        observed = np.asarray(values, np.float64)
        counts = np.bincount(np.searchsorted(self._upper_bounds, observed), minlength=len(self._upper_bounds))
        self._sum.inc(float(observed.sum()))
        for bucket, count in zip(self._buckets, counts.tolist(), strict=True):
            if count:
                bucket.inc(count)


class Metrics:
    """All metrics that a process counts itself. Their methods may be called by several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._versions: set[str] = set()
        self.requests = self._tallied(
            "http_request_duration_seconds",
            "Time from the head of a request to the end of its response.",
            ("method", "route", "status"),
            LATENCIES,
        )
        self.in_flight = self._gauge("http_requests_in_flight", "Requests that have not been answered yet.")
        self.streams = self._gauge("http_event_streams", "Event streams that are open.")
        self.uploads = self._gauge("http_uploads_in_flight", "Files that are being received.")
        self.upload_bytes = self._counter("http_upload_bytes", "Bytes of files that were received.")
        self.microbatches = self._tallied(
            "microbatch_rows", "Rows that were scored in one call for several requests.", (), BATCHES
        )
        self.rows_scored = self._counter("rows_scored", "Rows that were scored.", ("evaluator",))
        self.scoring_seconds = self._counter("scoring_seconds", "Time spent in the evaluator.", ("evaluator",))
        self.decisions = self._counter("decisions", "Decisions on applicants.", ("version", "decision"))
        self.scores = self._tallied("score", "Scores of applicants, between 0 and 1.", ("version",), SCORES)
        self.attempts = self._counter("unit_attempts", "Attempts at a unit of work.", ("kind", "outcome"))
        self.unit_seconds = self._tallied(
            "unit_duration_seconds", "Time that an attempt at a unit of work took.", ("kind",), DURATIONS
        )
        self.step_seconds = self._counter(
            "unit_step_seconds", "Time that attempts spent in each step.", ("kind", "step")
        )
        self.republished = self._counter("units_republished", "Units of work whose message was lost.")
        self.rows_read = self._counter("rows_read", "Rows of files that were read and validated.")
        self.invalid_values = self._counter(
            "invalid_values", "Values of files that break the contract of the model.", ("reason",)
        )
        self.reloads = self._tallied(
            "reload_duration_seconds", "Time that changes of the active model took.", ("outcome",), DURATIONS
        )

    def scored(
        self, version: str, evaluator: str, scores: npt.NDArray[np.float64], refused: int, seconds: float
    ) -> None:
        """Note predictions: the scores of all rows that have one, shape (rows,), and how many of these were refused."""
        version = self._label_of(version)
        self.rows_scored.labels(evaluator).inc(len(scores))
        self.scoring_seconds.labels(evaluator).inc(seconds)
        self.decisions.labels(version, "granted").inc(len(scores) - refused)
        self.decisions.labels(version, "refused").inc(refused)
        self.scores.labels(version).observe_all(scores)

    def found_invalid(self, values: Mapping[str, int]) -> None:
        """Note how many values were found invalid, by the type of their reason."""
        for reason, count in values.items():
            self.invalid_values.labels(reason).inc(count)

    def _label_of(self, version: str) -> str:
        if version in self._versions or len(self._versions) < MOST_VERSIONS:
            self._versions.add(version)
            return version
        return OTHER

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"pret_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"pret_{name}", text, registry=self.registry, multiprocess_mode="livesum")

    def _tallied(self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Tallied:
        return Tallied(f"pret_{name}", text, labels, registry=self.registry, buckets=(*buckets, inf))

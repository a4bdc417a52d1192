"""What the edge and the micro-batches observe: counted by the event loop in plain numbers, and moved to the metrics now and then.

A metric that is safe for several processes takes a microsecond to count one thing; a single applicant takes some seventy.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Sequence

from starlette.types import Scope

from shared.metrics import LATENCIES, SCORES, Metrics, Tally
from shared.models.artifact import Model
from shared.scoring import Answer

FLUSH_INTERVAL = 1.0
"""Seconds; what a process counted in the last one is lost if it is killed."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
NO_ROUTE = "none"
"""Of a request that was not let in, or whose path is not ours: it could be anything."""

CLOSED = 499
"""Stands for the status where the client was gone before there was one, as nginx has it."""


def known(method: str) -> str:
    """Return a method, if it is one that is in use."""
    return method if method in METHODS else OTHER_METHOD


def route_of(scope: Scope) -> str:
    """Return the template of the route that served a request, such as `/jobs/{job_id}`."""
    path: str = getattr(scope.get("route"), "path", NO_ROUTE)
    return path


class Traffic:
    """Counts requests and single scores. Used by the event loop alone."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.in_flight = 0
        self._requests: dict[tuple[str, str, int], Tally] = {}
        self._microbatches = Tally(metrics.microbatches.bounds)
        self._scored: dict[str, _Scored] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note a request that has ended."""
        tally = self._requests.get((method, route, status)) or self._tally(method, route, status)
        tally.counts[bisect_left(LATENCIES, seconds)] += 1
        tally.total += seconds

    def microbatch(self, model: Model, answers: Sequence[Answer], seconds: float) -> None:
        """Note a micro-batch, and what it took in the evaluator."""
        self._microbatches.observe(len(answers))
        self.scored(model, answers, seconds)

    def scored(self, model: Model, answers: Sequence[Answer], seconds: float = 0.0) -> None:
        """Note the scores of applicants."""
        scored = self._scored.get(model.version)
        if scored is None:
            scored = self._scored[model.version] = _Scored(self._metrics, model)
        scored.seconds += seconds
        counts, total = scored.scores.counts, 0.0
        for answer in answers:
            total += answer.score
            scored.refused += answer.prediction
            counts[bisect_left(SCORES, answer.score)] += 1
        scored.scores.total += total

    def _tally(self, method: str, route: str, status: int) -> Tally:
        """Find where such requests are counted; those of a method that nobody has heard of, together."""
        key = (known(method), route, status)
        return self._requests.setdefault(key, Tally(self._metrics.requests.bounds))

    def flush(self) -> None:
        """Move all to the metrics."""
        metrics = self._metrics
        metrics.in_flight.set(self.in_flight)
        for (method, route, status), tally in self._requests.items():
            tally.move_to(metrics.requests.labels(method, route, str(status)))
        self._microbatches.move_to(metrics.microbatches)
        for scored in self._scored.values():
            scored.move()
        # A version that is no longer served would stay for good.
        self._scored.clear()

    async def keep_flushing(self) -> None:
        """Flush, until it is cancelled and then once more."""
        try:
            while True:
                await asyncio.sleep(FLUSH_INTERVAL)
                self.flush()
        finally:
            self.flush()


class _Scored:
    """The predictions of one model version that wait to be moved."""

    def __init__(self, metrics: Metrics, model: Model) -> None:
        self._metrics = metrics
        self._version, self._evaluator = model.version, model.scorer.evaluator.name
        self.scores = Tally(metrics.scores.bounds)
        self.refused = 0
        self.seconds = 0.0

    def move(self) -> None:
        tally = self.scores
        self._metrics.add_scored(self._version, self._evaluator, tally.counts, tally.total, self.refused, self.seconds)

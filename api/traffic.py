"""What the edge and the micro-batches observe: noted by the event loop as it is, and counted in the metrics now and then.

A metric that is safe for several processes takes microseconds to count one thing; a single applicant takes some fifty. Arrays
hold the numbers, eight bytes each: as objects they would push out of the processor's caches what the next request needs.
"""

import asyncio
import logging
from array import array
from collections import defaultdict

import numpy as np
from starlette.types import Scope

from shared.metrics import Metrics
from shared.models.artifact import Model
from shared.models.evaluator import Scores
from shared.scoring import Predictions

logger = logging.getLogger(__name__)

FLUSH_INTERVAL = 0.5
"""Seconds; what a process noted since then is lost if it is killed."""

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


def _floats() -> "array[float]":
    return array("d")


class Traffic:
    """Notes requests and single scores. Used by the event loop alone."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.in_flight = 0
        self._seconds: defaultdict[tuple[str, str, int], array[float]] = defaultdict(_floats)
        """What requests took, by method, route and status."""
        self._scored: dict[str, _Scored] = {}
        """By model version."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note a request that has ended."""
        self._seconds[method, route, status].append(seconds)

    def microbatch(self, model: Model, scores: Scores, seconds: float) -> None:
        """Note the scores of a micro-batch, and what it took in the evaluator."""
        noted = self.scored(model, scores)
        noted.microbatches.append(len(scores))
        noted.seconds += seconds

    def scored(self, model: Model, scores: Scores) -> "_Scored":
        """Note the scores of applicants, shape (rows,); return all that is noted of the model version."""
        noted = self._scored.get(model.version)
        if noted is None:
            noted = self._scored[model.version] = _Scored(model)
        noted.scores.frombytes(scores.tobytes())
        return noted

    def flush(self) -> None:
        """Count all in the metrics; what fails there is not kept, as the memory would fill up."""
        metrics = self._metrics
        taken, self._seconds = self._seconds, defaultdict(_floats)
        # By the way, a version that is no longer served does not stay for good.
        versions, self._scored = self._scored, {}
        metrics.in_flight.set(self.in_flight)
        for (method, route, status), seconds in taken.items():
            metrics.requests.labels(known(method), route, str(status)).observe_all(seconds)
        for scored in versions.values():
            scored.count(metrics)

    async def keep_flushing(self) -> None:
        """Flush, until it is cancelled and then once more."""
        try:
            while True:
                await asyncio.sleep(FLUSH_INTERVAL)
                try:
                    self.flush()
                except Exception:
                    logger.exception("Requests and scores could not be counted; the next ones follow")
        finally:
            self.flush()


class _Scored:
    """The scores of one model version that wait to be counted."""

    def __init__(self, model: Model) -> None:
        self._version, self._evaluator, self._threshold = model.version, model.scorer.evaluator.name, model.threshold
        self.microbatches = array("q")
        """Numbers of rows."""
        self.scores = _floats()
        self.seconds = 0.0

    def count(self, metrics: Metrics) -> None:
        metrics.microbatches.observe_all(self.microbatches)
        together = Predictions(np.frombuffer(self.scores), self._threshold, self._version)
        refused = together.counts()["refused"]
        metrics.scored(self._version, self._evaluator, together.scores, refused, self.seconds)

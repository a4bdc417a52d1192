"""One process of the fleet: gets versions ready, serves the active one, and says so."""

import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from shared.errors import ModelError, NoModel, PretError, RedisUnavailable, SourceUnavailable, Unavailable
from shared.fleet.preparation import Preparation
from shared.fleet.records import REPORT_INTERVAL, ActiveVersion, Candidate, Fleet, Kind, Prepared, ProcessReport
from shared.models.artifact import Model
from shared.models.cache import ModelCache

logger = logging.getLogger(__name__)

FOLLOWING = "following the active version"
"""What a preparation is for, where it is not for a candidate."""

RETRY_SECONDS = 5.0
"""Pause before a version that could not be made ready is tried again; short enough to converge within 10 s."""


class Member:
    """Follows the fleet's records: `look` is called every half second, from one thread at a time, and does not block.

    An API process loads what it serves. A worker's parent process, which forks, only has it verified on disk.
    """

    def __init__(
        self, kind: Kind, models: ModelCache, fleet: Fleet, prepare: Callable[[str], Preparation], *, loads: bool
    ) -> None:
        self._kind: Kind = kind
        self._cache = models
        self._fleet = fleet
        self._prepare = prepare
        self._loads = loads
        self._model: Model | None = None
        self._version: str | None = None
        self._since = 0.0
        self._preparation: Preparation | None = None
        self._purpose = FOLLOWING
        self._answered: str | None = None
        self._retry_at = 0.0
        self._reported: tuple[str | None, str | None, float] = (None, None, 0.0)
        self.slots = 0
        self.queues: tuple[str, ...] = ()
        """How many tasks the process does at the same time, and the queues that it takes them from."""
        self.error: str | None = None
        """Why the version that should be served is not; None while all is well."""

    @property
    def model(self) -> Model:
        """The loaded model; raises NoModel while there is none."""
        if self._model is None:
            raise NoModel(f"No model is loaded. {self.error}" if self.error else None)
        return self._model

    @property
    def has_settled(self) -> bool:
        """Whether the process serves something, or has found that it cannot."""
        return self._version is not None or (self.error is not None and self._preparation is None)

    def look(self) -> None:
        """Follow the records one step. Never raises: what serves goes on serving."""
        try:
            self._look()
        except Exception:
            logger.exception("Following the active model version failed; it is tried again")

    def _look(self) -> None:
        try:
            active, candidate = self._fleet.look()
        except RedisUnavailable:
            if self._version is None:
                self._start()
            return
        try:
            if candidate is not None and candidate.reload_id != self._answered and self.has_settled:
                self._answer(candidate)
            elif active is not None:
                self._follow(active.version)
            elif self._version is not None or self._start():
                self._fleet.activate_first(ActiveVersion(str(self._version), None, "start", time.time()))
            self._report()
        except RedisUnavailable:
            logger.warning("Redis is away; this process could not report itself")

    def retire(self) -> None:
        """End what is under way, and say that this process ends, so that no reload waits for it."""
        if self._preparation is not None:
            self._preparation.cancel()
            self._preparation = None
        with suppress(RedisUnavailable):
            self._fleet.retire(self._as_report())

    def _follow(self, version: str) -> bool:
        """Bring the version one step nearer; True once this process serves it."""
        if version == self._version:
            self.error = None
            return True
        if time.monotonic() < self._retry_at:
            return False
        try:
            if self._is_ready(version, FOLLOWING):
                self._take(version)
                return True
        except (ModelError, Unavailable) as error:
            self._failed(version, error)
        return False

    def _start(self) -> bool:
        """Without an active version: serve what the source offers, or else what this machine served last."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            version = self._preparation.version if self._preparation else self._cache.resolve()
        except (ModelError, Unavailable) as error:
            self._failed("of the source", error)
            return False
        return self._follow(version)

    def _is_ready(self, version: str, purpose: str) -> bool:
        """Whether the version is verified on disk; if not, see to it. Raises what went wrong with it, once.

        A preparation that was begun for another purpose is dropped: it may be failing for a reason that is gone.
        """
        if self._preparation is not None and (self._preparation.version, self._purpose) != (version, purpose):
            self._preparation.cancel()
            self._preparation = None
        if self._preparation is not None:
            outcome = self._preparation.outcome()
            if outcome is None:
                return False
            self._preparation = None
            if outcome.error is not None:
                raise outcome.error
        if self._cache.has(version):
            return True
        self._preparation, self._purpose = self._prepare(version), purpose
        return False

    def _answer(self, candidate: Candidate) -> None:
        """Get the candidate ready, and say so once it is, or why not."""
        error: PretError | None = None
        try:
            if not self._is_ready(candidate.version, candidate.reload_id):
                return
            if self._loads:
                self._cache.load(candidate.version)
        except (ModelError, Unavailable) as failure:
            error = failure
        except Exception as failure:
            logger.exception("The candidate could not be made ready")
            error = SourceUnavailable(f"The process could not make the model ready ({type(failure).__name__}).")
        report = Prepared(
            error=str(error) if error else None,
            error_kind=type(error).__name__ if error else None,
            seconds=round(time.time() - candidate.at, 3),
        )
        self._fleet.report_prepared(candidate, self._as_report().name, report)
        self._answered = candidate.reload_id

    def _take(self, version: str) -> None:
        self._model = self._cache.load(version) if self._loads else None
        logger.info("Model version %s is %s", version, "served" if self._loads else "ready")
        self._version, self._since, self.error = version, time.time(), None
        self._cache.remember(version)

    def _failed(self, version: str, error: PretError) -> None:
        """Note the failure for a while; a process that serves nothing yet falls back to what this machine served last."""
        if self.error is None:
            logger.error("Model version %s cannot be served: %s", version, error)
        if self._version is None and (last := self._cache.last_served()):
            self._take(last)
        self.error = str(error)
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _as_report(self) -> ProcessReport:
        host, pid = socket.gethostname(), os.getpid()
        return ProcessReport(self._kind, host, pid, self._version, self._since, self.error, self.slots, self.queues)

    def _report(self) -> None:
        """Report at once what has changed, else every few seconds."""
        version, error, at = self._reported
        if (version, error) == (self._version, self.error) and time.monotonic() < at + REPORT_INTERVAL:
            return
        self._fleet.report(self._as_report())
        self._reported = (self._version, self.error, time.monotonic())

"""One process of the fleet: gets versions ready, serves the active one, and says so."""

import logging
import os
import socket
import time
from contextlib import suppress

from shared.errors import (
    ModelError,
    NoModel,
    PretError,
    RedisUnavailable,
    SourceUnavailable,
    Unavailable,
    VersionUnavailable,
)
from shared.fleet.preparation import Preparation, Prepare, blame_of
from shared.fleet.records import REPORT_INTERVAL, Candidate, Deployment, Fleet, Kind, Prepared, ProcessReport
from shared.models.artifact import Model
from shared.models.cache import ModelCache
from shared.models.version import VersionRef
from shared.reasons import Reason

logger = logging.getLogger(__name__)

FOLLOWING = "following the active version"
STARTING = "starting with what the source offers"
"""What a preparation is for, where it is not for a candidate."""

RETRY_SECONDS = 5.0
"""Pause before a version that could not be made ready is tried again; short enough to converge within 10 s."""


class Member:
    """Follows the fleet's records: `look` is called every half second, from one thread at a time, and does not block.

    An API process loads what it serves. A worker's parent process, which forks, only has it verified on disk.
    """

    def __init__(self, kind: Kind, models: ModelCache, fleet: Fleet, prepare: Prepare, *, loads: bool) -> None:
        self._kind: Kind = kind
        self._models = models
        self._fleet = fleet
        self._prepare = prepare
        self._loads = loads
        self._model: Model | None = None
        self._version: str | None = None
        self._since = 0.0
        self._preparation: Preparation | None = None
        self._wanted: VersionRef | None = None
        self._purpose = FOLLOWING
        self._lost: str | None = None
        """The version that is deployed, where the source does not have it."""
        self._answered: str | None = None
        self._absence: Reason | None = None
        """Why Redis could not be asked, at the last look."""
        self._retry_at = 0.0
        self._reported: tuple[str | None, Reason | None, float] = (None, None, 0.0)
        self.slots = 0
        self.queues: tuple[str, ...] = ()
        """How many tasks the process does at the same time, and the queues that it takes them from."""
        self.error: Reason | None = None
        """Why the version that should be served is not; None while all is well."""

    @property
    def model(self) -> Model:
        """The loaded model; raises NoModel while there is none."""
        if self._model is None:
            raise NoModel("model-not-loaded", reason=self.error) if self.error else NoModel
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
            deployed, candidate = self._fleet.look()
        except RedisUnavailable as error:
            self._note_absence("The active model version is not known", error)
            if self._version is None:
                self._start()
            return
        try:
            if candidate is not None and candidate.reload_id != self._answered and self.has_settled:
                self._answer(candidate)
            elif deployed is None or self._is_abandoned(deployed):
                self._deploy(deployed)
            else:
                self._follow(deployed)
            self._report()
            self._absence = None
        except RedisUnavailable as error:
            self._note_absence("This process could not report itself", error)

    def _note_absence(self, consequence: str, error: RedisUnavailable) -> None:
        """Say why there is no Redis, or one that takes nothing, and what follows; once."""
        if error.reason != self._absence:
            logger.warning("%s: %s", consequence, error)
        self._absence = error.reason

    def _is_abandoned(self, deployed: Deployment) -> bool:
        """Whether what is deployed is nobody's any more, so that a process may start the fleet with what its source offers.

        It is when it came from another source, of which no live process takes its models; or when this source does not have
        it, and no live process serves it.
        """
        if deployed.source == self._models.source_name and deployed.active.id != self._lost:
            return False
        others = [report for report in self._fleet.processes() if report.name != self._as_report().name]
        if deployed.source != self._models.source_name:
            return not any(report.source == deployed.source for report in others)
        return not any(report.version == deployed.active.id for report in others)

    def _deploy(self, deployed: Deployment | None) -> None:
        """Bring what the source offers one step nearer, and record it once this process serves it."""
        version = self._start()
        if version is None:
            return
        previous = deployed.active if deployed else None
        own = Deployment(version, previous, self._models.source_name, "start", time.time())
        if deployed is None:
            self._fleet.deploy_first(own)
        elif self._fleet.replace(deployed, own):
            logger.warning("Version %s is replaced by %s, which the source offers now", deployed.active.id, version.id)

    def retire(self) -> None:
        """End what is under way, and say that this process ends, so that no reload waits for it."""
        if self._preparation is not None:
            self._preparation.cancel()
            self._preparation = None
        with suppress(RedisUnavailable):
            self._fleet.retire(self._as_report())

    def _follow(self, deployed: Deployment) -> None:
        """Bring the active version one step nearer."""
        version = deployed.active
        if version.id == self._version:
            self.error = None
            return
        if time.monotonic() < self._retry_at:
            return
        try:
            if self._ready(version, FOLLOWING):
                self._take(version.id)
        except (ModelError, Unavailable) as error:
            self._lost = version.id if isinstance(error, VersionUnavailable) else None
            # Else the next look starts with what the source offers.
            if not self._is_abandoned(deployed):
                self._failed(version.id, error)

    def _start(self) -> VersionRef | None:
        """Bring what the source offers one step nearer, or else what this machine served last; give it once it is served."""
        if time.monotonic() < self._retry_at:
            return None
        try:
            wanted = self._wanted if self._is_preparing(STARTING) else self._offered()
            version = self._ready(wanted, STARTING)
        except (ModelError, Unavailable) as error:
            self._failed("of the source", error)
            return None
        if version is not None and version.id != self._version:
            self._take(version.id)
        return version

    def _offered(self) -> VersionRef | None:
        """Ask the source, unless that takes so long that it is left to the preparation."""
        return None if self._models.source_is_slow else self._models.resolve()

    def _is_preparing(self, purpose: str) -> bool:
        return self._preparation is not None and self._purpose == purpose

    def _ready(self, wanted: VersionRef | None, purpose: str) -> VersionRef | None:
        """Give the version (None: what the source offers) if it is verified on disk; if not, see to it. Raises what went wrong.

        A preparation that was begun for another purpose is dropped: it may be failing for a reason that is gone.
        """
        if self._preparation is not None and (self._wanted, self._purpose) != (wanted, purpose):
            self._preparation.cancel()
            self._preparation = None
        version = wanted
        if self._preparation is not None:
            outcome = self._preparation.outcome()
            if outcome is None:
                return None
            self._preparation = None
            if outcome.error is not None:
                raise outcome.error
            version = outcome.version
        if version is not None and self._models.is_ready(version.id):
            return version
        self._preparation, self._wanted, self._purpose = self._prepare(wanted), wanted, purpose
        return None

    def _answer(self, candidate: Candidate) -> None:
        """Get the candidate ready, and say so once it is, or why not."""
        error: ModelError | Unavailable | None = None
        try:
            if not self._ready(candidate.version, candidate.reload_id):
                return
            if self._loads:
                self._models.load(candidate.version.id)
        except (ModelError, Unavailable) as failure:
            error = failure
        except Exception as failure:
            logger.exception("The candidate could not be made ready")
            error = SourceUnavailable("preparation-failed", fault=type(failure).__name__)
        report = Prepared(
            error=error.reason if error else None,
            blame=blame_of(error) if error else None,
            seconds=round(time.time() - candidate.at, 3),
        )
        self._fleet.report_prepared(candidate, self._as_report().name, report)
        self._answered = candidate.reload_id

    def _take(self, version: str) -> None:
        self._model = self._models.load(version) if self._loads else None
        logger.info("Model version %s is %s", version, "served" if self._loads else "ready")
        if self._model is not None and self._model.integrity != "checksums":
            logger.warning("Model version %s is verified by: %s", version, self._model.integrity)
        self._version, self._since, self.error, self._lost = version, time.time(), None, None
        self._models.copies.remember(version)

    def _failed(self, version: str, error: PretError) -> None:
        """Note the failure for a while; a process that serves nothing yet falls back to what this machine served last."""
        if self.error is None:
            logger.error("Model version %s cannot be served: %s", version, error)
        if self._version is None and (last := self._models.copies.last_served()):
            self._take(last)
        self.error = error.reason
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _as_report(self) -> ProcessReport:
        return ProcessReport(
            self._kind,
            socket.gethostname(),
            os.getpid(),
            self._version,
            self._since,
            self.error,
            self.slots,
            self.queues,
            self._models.source_name,
        )

    def _report(self) -> None:
        """Report at once what has changed, else every few seconds."""
        version, error, at = self._reported
        if (version, error) == (self._version, self.error) and time.monotonic() < at + REPORT_INTERVAL:
            return
        self._fleet.report(self._as_report())
        self._reported = (self._version, self.error, time.monotonic())

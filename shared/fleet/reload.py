"""Changing the active version of the whole fleet, all or nothing.

Resolve the revision; make the version the candidate; wait until every live process has it ready; activate in one step; wait
until every process serves it. If one process cannot, nothing changes anywhere.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar
from uuid import uuid4

from shared import tracing
from shared.errors import (
    NoPreviousVersion,
    PretError,
    RedisUnavailable,
    ReloadFailed,
    ReloadInProgress,
    ReloadInterrupted,
    ReloadSourceFailed,
    ReloadTimedOut,
)
from shared.fleet.records import Candidate, Deployment, Fleet, HistoryEntry, Prepared, ProcessReport
from shared.metrics import Metrics
from shared.models.cache import ModelCache
from shared.models.version import VersionRef
from shared.reasons import Reason
from shared.settings import Settings

PREVIOUS = "previous"
"""The revision that stands for the version that was active before."""

T = TypeVar("T")

PAUSE = 0.05
REDIS_PATIENCE = 10.0
CONVERGENCE_SECONDS = 10.0
"""How long the coordinator watches the processes switch; they do so within one look, and late ones by themselves."""


class Resolver(Protocol):
    """What finds versions: a `ModelCache`."""

    @property
    def source_name(self) -> str:
        """The name of the source."""

    def resolve(self, revision: str | None = None) -> VersionRef:
        """Find the version that a revision stands for."""


@dataclass(frozen=True)
class ProcessOutcome:
    """One row of the answer; `seconds` is the time that getting ready took."""

    kind: str
    host: str
    pid: int
    version_before: str | None
    version: str | None
    seconds: float | None
    error: Reason | None


@dataclass(frozen=True)
class ReloadOutcome:
    """What a reload did."""

    status: Literal["reloaded", "unchanged"]
    version_before: str | None
    version: str
    processes: list[ProcessOutcome]


class Coordinator:
    """Runs reloads; any process of the service, or a script, may."""

    def __init__(
        self,
        fleet: Fleet,
        models: Resolver,
        timeout: float,
        metrics: Metrics,
        ends: Callable[[], object] = lambda: False,
    ) -> None:
        """Take the fleet's records and what finds versions; `ends` tells whether this process is to end, and so its reload."""
        self._fleet = fleet
        self._models = models
        self._timeout = timeout
        self._metrics = metrics
        self._ends = ends

    @classmethod
    def from_settings(cls, settings: Settings, fleet: Fleet) -> "Coordinator":
        """Make the coordinator of a program that only reloads and has no models of its own."""
        return cls(fleet, ModelCache.from_settings(settings), settings.reload_timeout, Metrics())

    def reload(self, revision: str | None, by: str) -> ReloadOutcome:
        """Make the version that `revision` stands for (None: the configured one) the active one everywhere.

        Raises ModelError or Unavailable if the source does not have it, ReloadInProgress, ReloadFailed or ReloadTimedOut
        with what each process said, ReloadInterrupted, or RedisUnavailable; the fleet then serves what it served before.
        """
        outcome, began = "interrupted", time.monotonic()
        with tracing.span("reload") as span:
            try:
                done = self._reload(revision, by)
                outcome = done.status
                return done
            except PretError as error:
                outcome = error.reason.type
                raise
            finally:
                self._metrics.reloads.labels(outcome).observe(time.monotonic() - began)
                span.note(pret_outcome=outcome)

    def _reload(self, revision: str | None, by: str) -> ReloadOutcome:
        deployed, _ = self._fleet.look()
        with tracing.span("resolve"):
            version, source = self._version_of(revision, deployed)
        before = self._fleet.processes()
        old = deployed.active.id if deployed else None
        if version.id == old:
            return ReloadOutcome("unchanged", old, old, [_outcome(report, report, None) for report in before])
        candidate = Candidate(uuid4().hex, version, by, time.time())
        # It outlives the waiting, so that no second reload begins while this one still activates.
        if not _insist(lambda: self._fleet.propose(candidate, self._timeout + CONVERGENCE_SECONDS)):
            raise ReloadInProgress
        try:
            with tracing.span("prepare", pret_version=version.id) as span:
                prepared = self._wait_until_ready(candidate, before)
                slowest = max(answer.seconds for answer in prepared.values())
                span.note(pret_processes=len(prepared), pret_slowest__seconds=slowest)
            with tracing.span("activate"):
                change = Deployment(version, deployed.active if deployed else None, source, by, time.time())
                _insist(lambda: self._activate(candidate, change))
        except BaseException as error:
            self._withdraw(candidate, error.reason if isinstance(error, PretError) else ReloadInterrupted().reason)
            raise
        with tracing.span("converge"):
            after = self._wait_until_served(version.id, before)
        processes = [_outcome(report, after.get(report.name), prepared.get(report.name)) for report in before]
        return ReloadOutcome("reloaded", old, version.id, processes)

    def _version_of(self, revision: str | None, deployed: Deployment | None) -> tuple[VersionRef, str]:
        """Give the version that is asked for, and the name of its source."""
        if revision != PREVIOUS:
            return self._models.resolve(revision), self._models.source_name
        if deployed is None or deployed.previous is None:
            raise NoPreviousVersion
        return deployed.previous, deployed.source

    def _wait_until_ready(self, candidate: Candidate, before: list[ProcessReport]) -> dict[str, Prepared]:
        """Wait for the answer of every process that lives; one that dies meanwhile no longer counts, a new one does."""
        deadline = time.monotonic() + self._timeout
        while True:
            prepared, live = _insist(lambda: (self._fleet.prepared(candidate), self._fleet.processes()))
            if failed := [report for report in live if report.name in prepared and prepared[report.name].error]:
                raise self._failure(failed[0], prepared, before)
            waiting = [report for report in live if report.name not in prepared]
            # Nobody's word is no yes: right after Redis lost its records no process seems to live.
            if not waiting and prepared:
                return prepared
            if self._ends():
                raise ReloadInterrupted
            if time.monotonic() > deadline:
                raise _timed_out(waiting, _table(before, prepared))
            time.sleep(PAUSE)

    def _failure(self, failed: ProcessReport, prepared: dict[str, Prepared], before: list[ProcessReport]) -> PretError:
        answer, table = prepared[failed.name], _table(before, prepared)
        # A source that is away is told from a model that is bad.
        if answer.blame == "source":
            return ReloadSourceFailed("reload-source-failed", process=failed.name, reason=answer.error, processes=table)
        return ReloadFailed("reload-failed", process=failed.name, reason=answer.error, processes=table)

    def _activate(self, candidate: Candidate, change: Deployment) -> None:
        if not self._fleet.activate(candidate, change):
            raise ReloadFailed("reload-superseded")

    def _withdraw(self, candidate: Candidate, reason: Reason) -> None:
        entry = HistoryEntry(candidate.version.id, candidate.at, candidate.by, "rejected", reason)
        # Without Redis the candidate lapses by itself.
        with suppress(RedisUnavailable):
            self._fleet.withdraw(candidate, entry)

    def _wait_until_served(self, version: str, before: list[ProcessReport]) -> dict[str, ProcessReport]:
        deadline = time.monotonic() + CONVERGENCE_SECONDS
        expected = {report.name for report in before}
        while True:
            reports = {report.name: report for report in _insist(self._fleet.processes)}
            late = [name for name, report in reports.items() if name in expected and report.version != version]
            if not late or self._ends() or time.monotonic() > deadline:
                return reports
            time.sleep(PAUSE)


def _insist(call: Callable[[], T]) -> T:
    """Call again while Redis is away, for as long as a restart of it may take."""
    deadline = time.monotonic() + REDIS_PATIENCE
    while True:
        try:
            return call()
        except RedisUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)


def _timed_out(waiting: Sequence[ProcessReport], table: list[ProcessOutcome]) -> ReloadTimedOut:
    if not waiting:
        return ReloadTimedOut("reload-unanswered", processes=table)
    return ReloadTimedOut("reload-timed-out", names=[report.name for report in waiting], processes=table)


def _table(before: list[ProcessReport], prepared: dict[str, Prepared]) -> list[ProcessOutcome]:
    return [_outcome(report, report, prepared.get(report.name)) for report in before]


def _outcome(before: ProcessReport, after: ProcessReport | None, prepared: Prepared | None) -> ProcessOutcome:
    return ProcessOutcome(
        kind=before.kind,
        host=before.host,
        pid=before.pid,
        version_before=before.version,
        version=after.version if after else None,
        seconds=prepared.seconds if prepared else None,
        error=prepared.error if prepared else None,
    )

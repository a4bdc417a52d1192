"""The coordinator, over fakeredis: nobody's word is no yes."""

import time

import fakeredis
import pytest

from shared.errors import (
    NoPreviousVersion,
    ReloadFailed,
    ReloadInProgress,
    ReloadInterrupted,
    ReloadSourceFailed,
    ReloadTimedOut,
)
from shared.fleet.records import Blame, Candidate, Deployment, Fleet, Prepared, ProcessReport
from shared.fleet.reload import PREVIOUS, Coordinator
from shared.metrics import Metrics
from shared.models.version import VersionRef
from shared.reasons import Reason

OLD, NEW = "local-000000000000", "local-111111111111"
SOURCE = "folder:1"
API = ProcessReport("api", "host", 1, OLD, 0.0)


class Offering:
    """A source of one version, and of whatever is asked for by name."""

    source_name = SOURCE

    def resolve(self, revision: str | None = None) -> VersionRef:
        return VersionRef(revision or NEW, f"models:/name/{revision or NEW}")


class Answering(Fleet):
    """A fleet of one process that answers every candidate at once."""

    answer: Prepared | None = Prepared(None, None, 0.1)

    def __init__(self, client: fakeredis.FakeRedis) -> None:
        super().__init__(client)
        self.proposed: list[VersionRef] = []

    def propose(self, candidate: Candidate, seconds: float) -> bool:
        self.proposed.append(candidate.version)
        proposed = super().propose(candidate, seconds)
        if proposed and self.answer is not None:
            self.report_prepared(candidate, API.name, self.answer)
            if self.answer.error is None:
                self.report(ProcessReport("api", "host", 1, candidate.version.id, 1.0))
        return proposed


@pytest.fixture
def fleet() -> Answering:
    made = Answering(fakeredis.FakeRedis(decode_responses=True))
    made.deploy_first(Deployment(VersionRef(OLD), None, SOURCE, "start", time.time()))
    return made


def coordinator(fleet: Fleet, patience: float = 30) -> Coordinator:
    """Nobody waits so long for what answers at once; a test in which nobody answers has less patience."""
    return Coordinator(fleet, Offering(), timeout=patience, metrics=Metrics())


def active(fleet: Fleet) -> str:
    found = fleet.look()[0]
    assert found is not None
    return found.active.id


def test_a_version_that_all_have_becomes_active(fleet: Answering) -> None:
    fleet.report(API)
    outcome = coordinator(fleet).reload(None, "test")
    assert (outcome.status, outcome.version_before, outcome.version, active(fleet)) == ("reloaded", OLD, NEW, NEW)
    assert coordinator(fleet).reload(None, "test").status == "unchanged"
    assert coordinator(fleet).reload(PREVIOUS, "test").version == OLD


def test_what_is_resolved_is_what_every_process_is_asked_to_fetch(fleet: Answering) -> None:
    fleet.report(API)
    coordinator(fleet).reload("other", "test")
    deployed, _ = fleet.look()
    assert fleet.proposed == [VersionRef("other", "models:/name/other")]
    assert deployed is not None and deployed.active == fleet.proposed[0]
    assert fleet.origin_of("other") == "models:/name/other"
    assert fleet.origin_of(OLD) is None


def test_without_any_process_nothing_becomes_active(fleet: Answering) -> None:
    fleet.answer = None
    with pytest.raises(ReloadTimedOut, match="No process answered"):
        coordinator(fleet, patience=0.2).reload(None, "test")
    assert (active(fleet), fleet.look()[1], fleet.history()[0].outcome) == (OLD, None, "rejected")
    assert fleet.history()[0].reason == Reason("reload-unanswered")


def test_a_process_that_ends_gives_the_reload_up(fleet: Answering) -> None:
    fleet.answer = None
    fleet.report(API)
    asked = iter([False, True])
    with pytest.raises(ReloadInterrupted, match="Nothing was changed"):
        Coordinator(fleet, Offering(), timeout=30, metrics=Metrics(), ends=lambda: next(asked)).reload(None, "test")
    assert (active(fleet), fleet.look()[1]) == (OLD, None)
    assert fleet.history()[0].reason == Reason("reload-interrupted")


def test_a_silent_process_is_named(fleet: Answering) -> None:
    fleet.answer = None
    fleet.report(API)
    with pytest.raises(ReloadTimedOut, match="api:host:1") as caught:
        coordinator(fleet, patience=0.2).reload(None, "test")
    assert caught.value.reason == Reason("reload-timed-out", {"names": ["api:host:1"]})
    assert active(fleet) == OLD


@pytest.mark.parametrize(
    ("blame", "kind", "expected"),
    [
        ("model", "reload-failed", ReloadFailed),
        ("version", "reload-failed", ReloadFailed),
        ("source", "reload-source-failed", ReloadSourceFailed),
    ],
)
def test_one_failure_changes_nothing(fleet: Answering, blame: Blame, kind: str, expected: type[ReloadFailed]) -> None:
    bad = Reason("model-file-unreadable", {"file": "model.cb"})
    fleet.report(API)
    fleet.answer = Prepared(bad, blame, 0.1)
    with pytest.raises(expected) as caught:
        coordinator(fleet).reload(None, "test")
    assert type(caught.value) is expected
    assert caught.value.reason == Reason(kind, {"process": "api:host:1", "reason": bad.as_dict()})
    assert caught.value.processes[0].error == bad
    assert (active(fleet), fleet.look()[1]) == (OLD, None)
    assert (fleet.history()[0].outcome, fleet.history()[0].reason) == ("rejected", caught.value.reason)


def test_of_two_reloads_the_second_is_told(fleet: Answering) -> None:
    fleet.report(API)
    fleet.propose(Candidate("other", VersionRef("local-222222222222"), "somebody", time.time()), 60)
    with pytest.raises(ReloadInProgress):
        coordinator(fleet).reload(None, "test")
    assert fleet.history()[0].version == OLD


def test_there_is_no_previous_version_at_first(fleet: Answering) -> None:
    with pytest.raises(NoPreviousVersion):
        coordinator(fleet).reload(PREVIOUS, "test")


def test_an_interrupted_reload_holds_up_nobody(fleet: Answering) -> None:
    def interrupt(candidate: Candidate) -> dict[str, Prepared]:
        raise KeyboardInterrupt

    fleet.report(API)
    fleet.prepared = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        coordinator(fleet).reload(None, "test")
    assert fleet.look()[1] is None

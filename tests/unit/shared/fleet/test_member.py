"""The record of the active version is the truth, and every process follows it, whatever happens to Redis or the model."""

import shutil
from dataclasses import replace
from pathlib import Path

import fakeredis
import pytest

from shared.errors import NoModel, RedisUnavailable
from shared.fleet.member import Member
from shared.fleet.records import DEPLOYMENT_KEY, PROCESS_KEY, REPORT_TTL, Deployment, Fleet, ProcessReport
from shared.models import artifact, files, trial_load
from shared.models.cache import ModelCache
from shared.models.proof import prove
from shared.models.sources import FolderSource
from shared.models.version import VersionRef
from shared.reasons import Reason
from tests.factories import Kit, write_checksums
from tests.unit.workbench import member_of

HERE, THERE = 0.4, 0.7
"""Thresholds of two versions."""


@pytest.fixture(autouse=True)
def _trial_load_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the process of its own, and the pause before another try."""
    monkeypatch.setattr(trial_load, "check", artifact.load)
    monkeypatch.setattr(trial_load, "check_and_prove", lambda *given: prove(artifact.load(*given)))
    monkeypatch.setattr("shared.fleet.member.RETRY_SECONDS", 0)


@pytest.fixture
def source(numbers: Kit, tmp_path: Path) -> Path:
    return numbers.write(tmp_path / "source")


@pytest.fixture
def fleet(redis_client: fakeredis.FakeRedis) -> Fleet:
    return Fleet(redis_client)


def process_on(source: Path, fleet: Fleet) -> Member:
    return member_of("api", ModelCache(FolderSource(source), source.parent / "cache"), fleet)


def look(process: Member, times: int = 4) -> None:
    for _ in range(times):
        process.look()


@pytest.fixture
def process(source: Path, fleet: Fleet) -> Member:
    return process_on(source, fleet)


def renew(source: Path) -> str:
    description = source / "MLmodel"
    description.write_text(description.read_text().replace(f"best_threshold: {HERE}", f"best_threshold: {THERE}"))
    write_checksums(source)
    return files.folder_version(source)


def spoil(source: Path) -> str:
    (source / "model.cb").write_bytes(b"no model")
    write_checksums(source)
    return files.folder_version(source)


def activate(fleet: Fleet, redis_client: fakeredis.FakeRedis, version: str) -> None:
    deployed, _ = fleet.look()
    assert deployed is not None
    redis_client.delete(DEPLOYMENT_KEY)
    fleet.deploy_first(replace(deployed, active=VersionRef(version)))


def active(fleet: Fleet) -> Deployment:
    deployed, _ = fleet.look()
    assert deployed is not None
    return deployed


def test_before_the_first_look_there_is_no_model(process: Member) -> None:
    with pytest.raises(NoModel, match="No model is loaded"):
        _ = process.model


def test_the_first_process_makes_the_sources_model_active(process: Member, fleet: Fleet, source: Path) -> None:
    look(process)
    assert process.model.version == active(fleet).active.id == files.folder_version(source)


def test_a_live_process_reports_what_it_serves(
    process: Member, fleet: Fleet, redis_client: fakeredis.FakeRedis
) -> None:
    look(process)
    [report] = fleet.processes()
    assert (report.kind, report.version, report.error) == ("api", process.model.version, None)
    [key] = redis_client.scan_iter(f"{PROCESS_KEY}*")
    assert 0 < redis_client.ttl(key) <= REPORT_TTL
    process.retire()
    assert fleet.processes() == []


def test_a_process_that_starts_later_takes_the_active_version_not_the_sources(
    process: Member, fleet: Fleet, source: Path
) -> None:
    look(process)
    renew(source)
    late = process_on(source, fleet)
    look(late)
    assert late.model.threshold == HERE


def test_a_process_takes_the_version_that_became_active(
    process: Member, fleet: Fleet, redis_client: fakeredis.FakeRedis, source: Path
) -> None:
    look(process)
    activate(fleet, redis_client, renew(source))
    look(process)
    assert process.model.threshold == THERE


def test_a_bad_version_is_not_taken_and_the_old_one_serves_on(
    process: Member, fleet: Fleet, redis_client: fakeredis.FakeRedis, source: Path
) -> None:
    look(process)
    model = process.model
    activate(fleet, redis_client, spoil(source))
    look(process)
    assert process.model is model
    assert process.error == Reason("model-file-unreadable", {"file": "model.cb"})
    [report] = fleet.processes()
    assert (report.version, report.error) == (model.version, process.error)
    activate(fleet, redis_client, model.version)
    look(process)
    assert process.error is None


def test_the_reason_why_there_is_no_model_is_told_until_there_is_one(
    process: Member, source: Path, numbers: Kit
) -> None:
    spoil(source)
    look(process)
    with pytest.raises(NoModel, match=r"CatBoost cannot read 'model\.cb'"):
        _ = process.model
    numbers.write(source)
    look(process)
    assert process.model.threshold == HERE


def test_without_redis_a_new_process_serves_the_sources_model(
    process: Member, redis_server: fakeredis.FakeServer, source: Path
) -> None:
    redis_server.connected = False
    look(process)
    assert process.model.version == files.folder_version(source)


def test_that_redis_is_away_is_said_once_and_again_the_next_time(
    process: Member, redis_server: fakeredis.FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    for connected in (False, True, False):
        redis_server.connected = connected
        look(process)
    assert caplog.text.count("Redis does not answer") == 2


def test_a_redis_that_takes_no_reports_is_told_once_and_again_after_it_did(
    process: Member, fleet: Fleet, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: ProcessReport) -> None:
        raise RedisUnavailable

    monkeypatch.setattr("shared.fleet.member.REPORT_INTERVAL", 0)
    look(process)
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(fleet, "report", refuse)
            look(process)
        look(process)
    assert caplog.text.count("This process could not report itself") == 2


def test_without_redis_a_running_process_serves_on_and_catches_up_when_it_is_back(
    process: Member,
    fleet: Fleet,
    redis_server: fakeredis.FakeServer,
    redis_client: fakeredis.FakeRedis,
    source: Path,
) -> None:
    look(process)
    redis_server.connected = False
    new = renew(source)
    look(process)
    assert process.model.threshold == HERE
    redis_server.connected = True
    activate(fleet, redis_client, new)
    look(process)
    assert process.model.threshold == THERE


def test_looking_never_raises_even_when_the_disk_refuses(source: Path, fleet: Fleet) -> None:
    (source.parent / "cache").write_text("a file where the cache should be")
    process = process_on(source, fleet)
    look(process)
    assert process.error


@pytest.fixture
def elsewhere(numbers: Kit, tmp_path: Path) -> Path:
    """Another folder with another version."""
    folder = numbers.write(tmp_path / "elsewhere")
    renew(folder)
    return folder


def test_a_fleet_that_starts_with_another_source_takes_what_that_offers(
    process: Member, fleet: Fleet, elsewhere: Path
) -> None:
    look(process)
    old = active(fleet)
    process.retire()
    late = process_on(elsewhere, fleet)
    look(late)
    assert late.model.threshold == THERE
    new = active(fleet)
    assert (new.active.id, new.previous, new.by) == (late.model.version, old.active, "start")
    assert [entry.version for entry in fleet.history()] == [new.active.id, old.active.id]


def test_a_process_with_another_source_follows_the_fleet_as_long_as_that_lives(
    process: Member, fleet: Fleet, elsewhere: Path
) -> None:
    look(process)
    late = process_on(elsewhere, fleet)
    report = fleet.processes()[0]
    fleet.report(replace(report, pid=report.pid + 1))
    look(late)
    assert late.model.threshold == HERE
    fleet.retire(replace(report, pid=report.pid + 1))
    look(late)
    assert late.model.threshold == THERE


def test_a_process_with_a_new_cache_takes_what_the_source_offers_if_the_active_version_is_gone(
    process: Member, fleet: Fleet, source: Path
) -> None:
    look(process)
    gone = process.model.version
    process.retire()
    new = renew(source)
    shutil.rmtree(source.parent / "cache")
    late = process_on(source, fleet)
    look(late, 6)
    assert (late.model.version, late.error) == (new, None)
    assert active(fleet).active.id == new != gone


def test_a_version_that_others_serve_is_not_replaced_by_one_process_that_cannot_get_it(
    process: Member, fleet: Fleet, source: Path
) -> None:
    look(process)
    served = process.model.version
    fleet.report(ProcessReport("api", "other", 1, served, 0.0, source=active(fleet).source))
    renew(source)
    shutil.rmtree(source.parent / "cache")
    late = process_on(source, fleet)
    look(late, 6)
    assert active(fleet).active.id == served
    with pytest.raises(NoModel, match="no longer has version"):
        _ = late.model


def test_a_restart_does_not_undo_a_rollback(
    process: Member, fleet: Fleet, redis_client: fakeredis.FakeRedis, source: Path
) -> None:
    look(process)
    first = process.model.version
    activate(fleet, redis_client, renew(source))
    look(process)
    activate(fleet, redis_client, first)
    look(process)
    process.retire()
    late = process_on(source, fleet)
    look(late)
    assert late.model.version == first


class SlowCache(ModelCache):
    """A cache whose source is one that is not asked by a process that serves."""

    source_is_slow = True


def test_a_slow_source_is_asked_by_the_preparation(fleet: Fleet, source: Path) -> None:
    process = member_of("api", SlowCache(FolderSource(source), source.parent / "cache"), fleet)
    look(process)
    assert process.model.version == active(fleet).active.id == files.folder_version(source)


def test_a_model_without_checksums_is_told_of_when_it_is_served(
    process: Member, source: Path, fleet: Fleet, redis_client: fakeredis.FakeRedis, caplog: pytest.LogCaptureFixture
) -> None:
    look(process)
    assert "is verified by" not in caplog.text
    (source / "SHA256SUMS").unlink()
    redis_client.flushall()
    look(process_on(source, fleet))
    assert caplog.text.count("is verified by: golden rows") == 1

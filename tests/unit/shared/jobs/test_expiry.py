"""What is past its time goes, with all that belongs to it, and nothing else."""

import os
import time
from pathlib import Path

import pytest

from shared.errors import RedisUnavailable
from shared.jobs import expiry
from shared.jobs.expiry import ORPHAN_AGE, remove_expired
from shared.jobs.job import JobState
from shared.jobs.store import JobStore
from tests.factories import Kit, is_known
from tests.store_contract import WHY, store_over
from tests.unit.workbench import Workbench, as_file


@pytest.fixture
def short_lived(bench: Workbench) -> JobStore:
    """A store whose jobs expire as soon as they end."""
    return store_over(bench.client, job_ttl=-1)


def folders(bench: Workbench) -> set[str]:
    jobs = bench.folder / "storage" / "jobs"
    return {path.name for path in jobs.iterdir()} if jobs.exists() else set()


def test_an_expired_job_goes_with_its_blobs_and_no_other(bench: Workbench, short_lived: JobStore, numbers: Kit) -> None:
    done, running, lasting = (bench.submit(numbers.rows[:3]) for _ in range(3))
    waiting = bench.submit_file(as_file(numbers.rows[:3]))
    bench.score_all(lasting)
    short_lived.cancel(done.id)
    remove_expired(short_lived, bench.parts.storage)
    assert not is_known(bench.parts.store, done.id)
    assert bench.parts.store.get(running.id).state is JobState.QUEUED
    assert bench.parts.store.get(lasting.id).state is JobState.SUCCEEDED
    assert folders(bench) == {running.id, lasting.id, waiting.id}
    assert bench.client.keys(f"*{done.id}*") == []


def test_what_does_not_go_in_time_goes_in_the_next_round(
    bench: Workbench, short_lived: JobStore, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [bench.submit(numbers.rows[:1]) for _ in range(5)]
    for job in jobs:
        short_lived.cancel(job.id)
    with monkeypatch.context() as hurried:
        hurried.setattr(expiry, "REMOVAL_SECONDS", -1.0)
        remove_expired(bench.parts.store, bench.parts.storage)
    assert folders(bench) == {job.id for job in jobs}
    remove_expired(bench.parts.store, bench.parts.storage)
    assert folders(bench) == set()


def test_a_job_that_is_tried_again_does_not_go(bench: Workbench, short_lived: JobStore, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:3])
    short_lived.fail(job.id, WHY)
    short_lived.retry(job.id, 10)
    remove_expired(short_lived, bench.parts.storage)
    assert bench.score_all(job).state is JobState.SUCCEEDED


def aged(folder: Path, seconds: float) -> None:
    long_ago = time.time() - seconds
    os.utime(folder, (long_ago, long_ago))


def test_an_old_folder_without_a_record_goes_and_a_new_one_does_not(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:1])
    for name in ("half-made", "just-begun"):
        with bench.parts.storage.write(f"jobs/{name}/upload") as file:
            file.write(b"")
    for name in (job.id, "half-made"):
        folder = bench.folder / "storage" / "jobs" / name
        for path in (*folder.iterdir(), folder):
            aged(path, ORPHAN_AGE + 60)
    aged(bench.folder / "storage" / "jobs" / "just-begun", ORPHAN_AGE - 60)
    remove_expired(bench.parts.store, bench.parts.storage)
    assert folders(bench) == {job.id, "just-begun"}


def test_a_file_that_still_comes_in_does_not_go_however_long_it_takes(bench: Workbench) -> None:
    with bench.parts.storage.write("jobs/under-way/upload") as file:
        file.write(b"a part of it")
        # Only adding a file to a folder changes the folder's time; what comes in changes that of the file.
        aged(bench.folder / "storage" / "jobs" / "under-way", ORPHAN_AGE + 60)
        remove_expired(bench.parts.store, bench.parts.storage)
        assert folders(bench) == {"under-way"}


def test_nothing_goes_while_redis_is_away(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:1])
    aged(bench.folder / "storage" / "jobs" / job.id, 2 * ORPHAN_AGE)
    bench.server.connected = False
    with pytest.raises(RedisUnavailable):
        remove_expired(bench.parts.store, bench.parts.storage)
    assert folders(bench) == {job.id}


def test_where_there_was_never_a_job_there_is_nothing_to_remove(bench: Workbench) -> None:
    remove_expired(bench.parts.store, bench.parts.storage)
    assert folders(bench) == set()

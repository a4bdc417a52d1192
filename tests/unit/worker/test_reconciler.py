"""Lost work is published again, what has expired is removed, and nothing else happens."""

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import replace

import fakeredis
import pytest

from shared.jobs.job import Job, JobState
from shared.jobs.store import JobStore
from tests.factories import Kit
from tests.store_contract import store_over
from tests.unit.workbench import Workbench
from worker.parts import Parts
from worker.reconciler import ORPHAN_AGE, reconcile, remove_expired_jobs, republish_lost_chunks


@pytest.fixture
def hasty(redis_client: fakeredis.FakeRedis) -> JobStore:
    """A store whose leases are over at once, and with it the time that a message may take."""
    return store_over(redis_client, lease=-1)


@pytest.fixture
def job(bench: Workbench, hasty: JobStore, numbers: Kit) -> Iterator[Job]:
    """A job of three chunks whose messages were published long ago and are lost."""
    made = bench.submit(numbers.rows[:10])
    bench.take_messages()
    hasty.postpone(made.id, [0, 1, 2])
    yield made
    bench.take_messages()


def test_overdue_chunks_are_published_again_once(bench: Workbench, job: Job) -> None:
    republish_lost_chunks(bench.parts)
    assert bench.take_chunks() == [(job.id, 0), (job.id, 1), (job.id, 2)]
    republish_lost_chunks(bench.parts)
    assert bench.take_chunks() == []


def test_a_chunk_is_not_overdue_while_its_worker_has_a_lease_or_once_it_is_done(bench: Workbench, job: Job) -> None:
    bench.parts.store.claim(job.id, 0)
    bench.score(job.id, 1)
    republish_lost_chunks(bench.parts)
    assert bench.take_chunks() == [(job.id, 2)]


def test_a_chunk_whose_message_still_waits_is_left_alone(bench: Workbench, job: Job) -> None:
    bench.parts.queue.publish([(job.id, 1)])
    bench.let_messages_wait()
    republish_lost_chunks(bench.parts)
    assert bench.take_chunks() == [(job.id, 0), (job.id, 2)]
    assert bench.parts.store.overdue_chunks(job.id) == []


def test_a_job_that_has_ended_is_not_published(bench: Workbench, job: Job) -> None:
    bench.parts.store.cancel(job.id)
    republish_lost_chunks(bench.parts)
    assert bench.take_chunks() == []


@pytest.fixture
def short_lived(bench: Workbench) -> Parts:
    """Parts whose jobs expire as soon as they end."""
    return replace(bench.parts, store=store_over(bench.client, job_ttl=-1))


def test_an_expired_job_goes_with_its_blobs_and_no_other(bench: Workbench, short_lived: Parts, numbers: Kit) -> None:
    done, running, lasting = (bench.submit(numbers.rows[:3]) for _ in range(3))
    bench.score_all(lasting)
    short_lived.store.cancel(done.id)
    remove_expired_jobs(short_lived)
    assert not bench.parts.store.exists(done.id)
    assert bench.parts.store.get(running.id).state is JobState.QUEUED
    assert bench.parts.store.get(lasting.id).state is JobState.SUCCEEDED
    assert {name.split("/")[1] for name in bench.stored_files()} == {running.id, lasting.id}


def test_an_old_folder_without_a_record_is_removed_and_a_new_one_is_not(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:1])
    for name in ("jobs/half-made/input.arrow", "jobs/just-begun/input.arrow"):
        with bench.parts.storage.write(name) as file:
            file.write(b"")
    long_ago = time.time() - ORPHAN_AGE - 60
    for name in (job.id, "half-made"):
        os.utime(bench.folder / "storage" / "jobs" / name, (long_ago, long_ago))
    remove_expired_jobs(bench.parts)
    assert bench.stored_files() == sorted([job.input_blob, "jobs/just-begun/input.arrow"])


def test_without_redis_nothing_is_removed_and_nothing_raised(
    bench: Workbench, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    files = bench.stored_files()
    bench.server.connected = False
    with caplog.at_level(logging.WARNING, "worker.reconciler"):
        reconcile(bench.parts)
    assert "Redis is away" in caplog.text
    assert bench.stored_files() == files


def test_a_fault_in_one_pass_does_not_end_the_worker(
    bench: Workbench, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    bench.client.set("pret:jobs:ended", "of the wrong kind")
    with caplog.at_level(logging.ERROR, "worker.reconciler"):
        reconcile(bench.parts)
    assert "failed" in caplog.text
    assert len(bench.take_chunks()) == 3


def test_a_whole_pass_does_all_of_it(bench: Workbench, job: Job) -> None:
    reconcile(bench.parts)
    assert len(bench.take_chunks()) == 3

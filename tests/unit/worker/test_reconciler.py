"""Lost work is published again, the window is filled, what is due is asked for, and nothing ends the worker."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import fakeredis
import pytest

from shared.fleet.records import ProcessReport
from shared.jobs.job import READING, Job
from shared.jobs.queue import CHUNKS, QUICK
from shared.jobs.store import JobStore
from tests.factories import Kit, is_known, make_kit, removed
from tests.store_contract import new_attempt, store_over
from tests.unit.workbench import Workbench
from worker.reconciler import (
    discard_old_models,
    publish_due_webhooks,
    publish_removal,
    reconcile,
    republish_lost_units,
)


@pytest.fixture
def hasty(redis_client: fakeredis.FakeRedis) -> JobStore:
    """A store whose leases are over at once, and with it the time that a message may take."""
    return store_over(redis_client, lease=-1)


@pytest.fixture
def job(bench: Workbench, hasty: JobStore, numbers: Kit) -> Iterator[Job]:
    """A job of three chunks whose messages were published long ago and are lost."""
    made = bench.submit(numbers.rows[:10])
    bench.take_messages()
    hasty.postpone(made.id, ["0", "1", "2"])
    yield made
    bench.take_messages()


def more_workers(bench: Workbench, slots: int) -> None:
    """Let there be so many processes that score, and everybody know it."""
    bench.parts.fleet.report(ProcessReport("worker", "host", 1, None, time.time(), slots=slots, queues=(CHUNKS,)))
    bench.parts.window._looked_at = -1e9


def test_overdue_chunks_are_published_again_once(bench: Workbench, job: Job) -> None:
    republish_lost_units(bench.parts)
    assert bench.take_units() == [(job.id, "0"), (job.id, "1"), (job.id, "2")]
    republish_lost_units(bench.parts)
    assert bench.take_units() == []


def test_what_is_published_again_goes_to_its_lane(bench: Workbench, hasty: JobStore, job: Job) -> None:
    file = bench.submit_file(b"a file")
    bench.take_messages()
    hasty.postpone(file.id, [READING])
    republish_lost_units(bench.parts)
    queues = {(message["args"][1], message["queue"]) for message in bench.take_messages()}
    assert queues == {("0", CHUNKS), ("1", CHUNKS), ("2", CHUNKS), (READING, QUICK)}


def test_a_chunk_is_not_overdue_while_its_worker_has_a_lease_or_once_it_is_done(bench: Workbench, job: Job) -> None:
    bench.parts.store.claim(job.id, "0", new_attempt())
    bench.score(job.id, 1)
    republish_lost_units(bench.parts)
    assert bench.take_units() == [(job.id, "2")]


def test_a_chunk_whose_message_still_waits_is_left_alone(bench: Workbench, job: Job) -> None:
    bench.parts.queue.publish(job, ["1"])
    bench.let_messages_wait()
    republish_lost_units(bench.parts)
    assert bench.take_units() == [(job.id, "0"), (job.id, "2")]
    assert bench.parts.store.overdue(job.id) == []


def test_a_job_that_has_ended_is_not_published(bench: Workbench, job: Job) -> None:
    bench.parts.store.cancel(job.id)
    republish_lost_units(bench.parts)
    assert bench.take_units() == []


def test_a_window_that_has_grown_is_filled(bench: Workbench, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:20], chunk_rows=1)
    window = bench.parts.window()
    assert len(bench.take_units()) == window
    republish_lost_units(bench.parts)
    assert bench.take_units() == []
    more_workers(bench, 4)
    republish_lost_units(bench.parts)
    assert bench.take_units() == [(job.id, str(chunk)) for chunk in range(window, 8)]
    republish_lost_units(bench.parts)
    assert bench.take_units() == []


def test_lost_chunks_come_before_new_ones(bench: Workbench, hasty: JobStore, numbers: Kit) -> None:
    job = bench.submit(numbers.rows[:20], chunk_rows=1)
    window = bench.parts.window()
    bench.take_messages()
    hasty.postpone(job.id, ["0"])
    more_workers(bench, 4)
    republish_lost_units(bench.parts)
    assert bench.take_units() == [(job.id, "0")]
    republish_lost_units(bench.parts)
    assert bench.take_units() == [(job.id, str(chunk)) for chunk in range(window, 8)]


def test_one_job_in_need_does_not_keep_others_from_being_filled(
    bench: Workbench, hasty: JobStore, numbers: Kit
) -> None:
    lost, growing = (bench.submit(numbers.rows[:20], chunk_rows=1) for _ in range(2))
    bench.take_messages()
    hasty.postpone(lost.id, ["3"])
    more_workers(bench, 3)
    republish_lost_units(bench.parts)
    assert sorted(bench.take_units()) == sorted([(lost.id, "3"), (growing.id, "4"), (growing.id, "5")])


def tasks(bench: Workbench) -> list[tuple[str, list[str]]]:
    return [(message["headers"]["task"], message["args"]) for message in bench.take_messages()]


def test_callers_are_told_when_that_is_due(bench: Workbench, numbers: Kit) -> None:
    told, _running, silent = (
        bench.submit(numbers.rows[:3], callback_url=url) for url in ("https://a.example/", "https://b.example/", None)
    )
    for job in (told, silent):
        bench.score_all(job)
    bench.take_messages()
    publish_due_webhooks(bench.parts)
    assert tasks(bench) == [("send_webhook", [told.id])]
    bench.parts.store.begin_webhook(told.id, 1000)
    publish_due_webhooks(bench.parts)
    assert tasks(bench) == []


def test_a_callback_that_waits_in_the_queue_is_not_asked_for_again(bench: Workbench, numbers: Kit) -> None:
    bench.score_all(bench.submit(numbers.rows[:3], callback_url="https://a.example/"))
    bench.take_messages()
    publish_due_webhooks(bench.parts)
    bench.let_messages_wait()
    publish_due_webhooks(bench.parts)
    assert tasks(bench) == []


def test_what_is_expired_is_removed_at_once_and_folders_are_looked_at_now_and_then(
    bench: Workbench, numbers: Kit
) -> None:
    publish_removal(bench.parts)
    assert tasks(bench) == [("remove_expired", [])]
    publish_removal(bench.parts)
    assert tasks(bench) == []
    expired = bench.submit(numbers.rows[:3])
    bench.take_messages()
    store_over(bench.client, job_ttl=-1).cancel(expired.id)
    publish_removal(bench.parts)
    assert tasks(bench) == [("remove_expired", [])]


def test_the_reconciler_itself_touches_no_blob(bench: Workbench, numbers: Kit) -> None:
    expired = bench.submit(numbers.rows[:3])
    store_over(bench.client, job_ttl=-1).cancel(expired.id)
    files = bench.stored_files()
    reconcile(bench.parts)
    assert bench.stored_files() == files
    assert is_known(bench.parts.store, expired.id)


def test_old_models_go_but_not_those_that_an_open_job_needs(
    bench: Workbench, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.reconciler.MODEL_AGE", -60.0)
    job = bench.submit(numbers.rows[:3])
    unused = bench.offer(make_kit(purpose=False, seed=4))
    active = bench.offer(make_kit(purpose=False, seed=5))
    bench.activate(active)
    discard_old_models(bench.parts)
    kept = {path.name for path in (bench.folder / "cache").iterdir() if path.is_dir()}
    assert {job.model_version, active} <= kept
    assert unused not in kept
    bench.score_all(job)
    discard_old_models(bench.parts)
    assert not (bench.folder / "cache" / job.model_version).exists()


def test_without_redis_nothing_is_removed_and_nothing_raised(
    bench: Workbench, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    files = bench.stored_files()
    bench.server.connected = False
    with caplog.at_level(logging.WARNING, "worker.reconciler"):
        reconcile(bench.parts)
    assert "Redis is unavailable" in caplog.text
    assert bench.stored_files() == files


@pytest.mark.parametrize("key", ["pret:jobs:open", "pret:jobs:webhooks", "pret:jobs:ended"])
def test_a_fault_in_one_pass_does_not_end_the_worker(
    bench: Workbench, job: Job, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    bench.client.set(key, "of the wrong kind")
    with caplog.at_level(logging.ERROR, "worker.reconciler"):
        reconcile(bench.parts)
    assert "failed" in caplog.text


def meddled(bench: Workbench, meddle: Callable[[], object]) -> JobStore:
    class Meddled(JobStore):
        def overdue(self, job_id: str) -> list[str]:
            units = super().overdue(job_id)
            meddle()
            return units

    return Meddled(bench.client, job_ttl=3600, lease=1000, attempts=3)


def test_a_job_that_goes_in_the_middle_of_a_pass_is_passed_over(
    bench: Workbench, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    store = meddled(bench, lambda: removed(bench.parts.store, job.id))
    with caplog.at_level(logging.ERROR, "worker.reconciler"):
        reconcile(replace(bench.parts, store=store))
    assert caplog.records == []
    assert tasks(bench) == [("remove_expired", [])]
    assert bench.client.keys(f"*{job.id}*") == []


def test_a_whole_pass_does_all_of_it(bench: Workbench, job: Job, numbers: Kit) -> None:
    told = bench.submit(numbers.rows[:3], callback_url="https://a.example/")
    bench.score_all(told)
    bench.take_messages()
    reconcile(bench.parts)
    assert sorted(tasks(bench)) == [
        ("remove_expired", []),
        *(("score_chunk", [job.id, str(chunk)]) for chunk in range(3)),
        ("send_webhook", [told.id]),
    ]

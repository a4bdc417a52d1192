"""Each task hands its ids to the function that does the work; a worker that died gives its unit back."""

import logging
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import signals

from shared.errors import StorageUnavailable
from shared.jobs.job import READING, WRITING, Job, JobState
from tests.factories import Kit, is_known
from tests.store_contract import new_attempt, store_over
from tests.unit.workbench import Workbench, as_file
from worker import tasks

TASKS = ("score_chunk", "read_file", "write_output", "send_webhook", "remove_expired")


@pytest.fixture(scope="session")
def lasting_bench(numbers: Kit, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """One for all tests: Celery gives a task that was registered once to every app of the process."""
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server, decode_responses=True)
    made = Workbench.set_up(tmp_path_factory.mktemp("worker"), server, client)
    made.offer(numbers)
    return made


@pytest.fixture(scope="session")
def registered(lasting_bench: Workbench) -> dict[str, Any]:
    """The tasks, registered with the app of the bench, over its Redis."""
    tasks.register(lasting_bench.app, lambda: lasting_bench.parts, lambda: lasting_bench.parts)
    return {name: lasting_bench.app.tasks[name] for name in TASKS}


@pytest.fixture
def bench(lasting_bench: Workbench) -> Iterator[Workbench]:
    yield lasting_bench
    lasting_bench.remove_jobs()


@pytest.fixture
def job(bench: Workbench, numbers: Kit) -> Job:
    return bench.submit(numbers.rows[:10])


def work_off(bench: Workbench, registered: dict[str, Any]) -> list[str]:
    """Do what the messages say, and what follows from it, until none is left; give the names of the tasks."""
    done = []
    while messages := bench.take_messages():
        for message in messages:
            registered[message["headers"]["task"]](*message["args"])
            done.append(message["headers"]["task"])
    return done


def test_the_messages_of_a_job_lead_to_its_end(bench: Workbench, job: Job, registered: dict[str, Any]) -> None:
    assert work_off(bench, registered) == ["score_chunk"] * 3
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED


def test_the_chunks_beyond_the_window_follow(bench: Workbench, numbers: Kit, registered: dict[str, Any]) -> None:
    job = bench.submit(numbers.rows[:20], chunk_rows=1)
    assert work_off(bench, registered) == ["score_chunk"] * 20
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED


def test_a_file_is_read_scored_and_its_output_written(
    bench: Workbench, numbers: Kit, registered: dict[str, Any]
) -> None:
    target = bench.folder / "scores.csv"
    job = bench.submit_file(as_file(numbers.rows[:10]), output_uri=f"file://{target}")
    assert work_off(bench, registered) == ["read_file", *["score_chunk"] * 3, "write_output"]
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED
    assert len(target.read_text(encoding="utf-8").splitlines()) == 11


def test_a_callback_that_may_no_longer_be_made_is_dropped(
    bench: Workbench, numbers: Kit, registered: dict[str, Any]
) -> None:
    job = bench.submit(numbers.rows[:1], callback_url="https://hooks.example.com/")
    bench.score_all(job)
    assert bench.parts.store.due_webhooks() == [job.id]
    registered["send_webhook"](job.id)
    assert bench.parts.store.due_webhooks() == []
    assert bench.parts.store.get(job.id).webhook_attempts == 1


def test_what_has_expired_is_removed(bench: Workbench, job: Job, registered: dict[str, Any]) -> None:
    store_over(bench.client, job_ttl=-1).cancel(job.id)
    registered["remove_expired"]()
    assert not is_known(bench.parts.store, job.id)
    assert bench.stored_files() == []


@pytest.mark.parametrize("name", ["score_chunk", "read_file", "write_output"])
def test_a_unit_of_a_job_that_is_gone_is_passed_over(bench: Workbench, registered: dict[str, Any], name: str) -> None:
    registered[name]("0" * 32, "0")
    assert bench.take_units() == []


def test_a_task_that_cannot_do_its_work_says_so(bench: Workbench, job: Job, registered: dict[str, Any]) -> None:
    bench.take_messages()
    (bench.folder / "storage" / job.rows_blob).unlink()
    with pytest.raises(StorageUnavailable):
        registered["score_chunk"](job.id, "1")
    assert bench.parts.store.overdue(job.id) == ["1"]


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("read_file", True),
        ("write_output", True),
        ("score_chunk", False),
        ("send_webhook", False),
        ("remove_expired", True),
    ],
)
def test_only_tasks_about_whole_files_may_take_as_long_as_these_are_large(
    bench: Workbench, registered: dict[str, Any], name: str, patient: bool
) -> None:
    limit = registered[name].time_limit or bench.app.conf.task_time_limit
    assert limit == (tasks.FILE_TIME_LIMIT if patient else bench.settings.chunk_lease)


LOST = [WorkerLostError("signal 9"), TimeLimitExceeded(30)]


@pytest.mark.parametrize("error", LOST)
def test_a_chunk_whose_worker_died_is_given_back_and_published_at_once(
    bench: Workbench, job: Job, registered: dict[str, Any], error: Exception
) -> None:
    bench.take_messages()
    bench.parts.store.claim(job.id, "1", new_attempt())
    signals.task_failure.send(
        sender=registered["score_chunk"], task_id="x", exception=error, args=(job.id, "1"), kwargs={}
    )
    assert bench.take_units() == [(job.id, "1")]
    bench.score(job.id, 1)
    assert bench.parts.store.get(job.id).rows_done == 4


def test_a_file_whose_reader_died_is_given_back_and_published_at_once(
    bench: Workbench, numbers: Kit, registered: dict[str, Any]
) -> None:
    job = bench.submit_file(as_file(numbers.rows[:10]))
    bench.take_messages()
    bench.parts.store.claim(job.id, READING, new_attempt())
    signals.task_failure.send(
        sender=registered["read_file"], task_id="x", exception=LOST[0], args=(job.id, READING), kwargs={}
    )
    [message] = bench.take_messages()
    assert (message["headers"]["task"], message["args"]) == ("read_file", [job.id, READING])
    assert bench.read(job.id).rows == 10


@pytest.mark.parametrize("args", [(), ("0" * 32,), ("0" * 32, WRITING)])
def test_a_task_without_a_unit_or_a_job_is_not_given_back(
    bench: Workbench, registered: dict[str, Any], args: tuple[str, ...]
) -> None:
    signals.task_failure.send(sender=registered["send_webhook"], task_id="x", exception=LOST[0], args=args, kwargs={})
    assert bench.take_messages() == []


def test_a_chunk_that_failed_by_itself_waits_for_the_reconciler(
    bench: Workbench, job: Job, registered: dict[str, Any]
) -> None:
    bench.take_messages()
    signals.task_failure.send(
        sender=registered["score_chunk"], task_id="x", exception=ValueError(), args=(job.id, "1"), kwargs={}
    )
    assert bench.take_units() == []


def test_what_cannot_be_published_is_overdue_at_once(
    bench: Workbench, numbers: Kit, registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bench.submit(numbers.rows[:20], chunk_rows=1)
    bench.take_messages()
    before = bench.parts.store.get(job.id).next_chunk
    with monkeypatch.context() as patch:
        patch.setattr(bench.parts.queue, "publish", lambda *_: False)
        registered["score_chunk"](job.id, "0")
    assert bench.parts.store.overdue(job.id) == [str(before)]


def test_a_state_that_is_expected_is_a_line_in_the_log_without_a_traceback(
    bench: Workbench, job: Job, registered: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    bench.parts.storage.delete(job.rows_blob)
    with caplog.at_level(logging.INFO):
        registered["score_chunk"].apply((job.id, "1"))
    [record] = [record for record in caplog.records if "score_chunk" in record.getMessage()]
    assert "StorageUnavailable" in record.getMessage()
    assert record.exc_info is None
    assert "Traceback" not in caplog.text

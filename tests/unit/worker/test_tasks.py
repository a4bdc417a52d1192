"""The task hands its ids to the function that does the work; a worker that died gives its chunk back."""

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import signals

from shared.jobs.job import Job, JobState
from tests.factories import Kit
from tests.unit.workbench import Workbench
from worker import parts as worker_parts
from worker import tasks


@pytest.fixture(scope="session")
def lasting_bench(numbers: Kit, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """One for all tests: Celery gives a task that was registered once to every app of the process."""
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server, decode_responses=True)
    made = Workbench.set_up(tmp_path_factory.mktemp("worker"), server, client)
    made.offer(numbers)
    return made


@pytest.fixture(scope="session")
def task(lasting_bench: Workbench) -> Iterator[Any]:
    """The task, registered with the app of the bench, over its Redis."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker_parts, "connect", lambda _, patient: lasting_bench.client)
        tasks.register(lasting_bench.app, lasting_bench.settings)
        yield lasting_bench.app.tasks["score_chunk"]


@pytest.fixture
def bench(lasting_bench: Workbench) -> Iterator[Workbench]:
    yield lasting_bench
    lasting_bench.remove_jobs()


@pytest.fixture
def job(bench: Workbench, numbers: Kit) -> Job:
    return bench.submit(numbers.rows[:10])


def test_the_task_scores_its_chunk(bench: Workbench, job: Job, task: Any) -> None:
    for message in bench.take_messages():
        assert message["headers"]["task"] == task.name
        task(*message["args"])
    assert bench.parts.store.get(job.id).state is JobState.SUCCEEDED


@pytest.mark.parametrize("error", [WorkerLostError("signal 9"), TimeLimitExceeded(30)])
def test_a_chunk_whose_worker_died_is_given_back_and_published_at_once(
    bench: Workbench, job: Job, task: Any, error: Exception
) -> None:
    bench.take_messages()
    bench.parts.store.claim(job.id, 1)
    signals.task_failure.send(sender=task, task_id="x", exception=error, args=(job.id, 1), kwargs={})
    assert bench.take_chunks() == [(job.id, 1)]
    bench.score(job.id, 1)
    assert bench.parts.store.get(job.id).rows_done == 4


def test_a_chunk_that_failed_by_itself_waits_for_the_reconciler(bench: Workbench, job: Job, task: Any) -> None:
    bench.take_messages()
    signals.task_failure.send(sender=task, task_id="x", exception=ValueError(), args=(job.id, 1), kwargs={})
    assert bench.take_chunks() == []

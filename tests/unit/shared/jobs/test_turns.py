"""A worker prefers short tasks, and yet gives every queue a turn, whatever the tasks take."""

from collections import Counter
from collections.abc import Iterable

import pytest

from shared.jobs.queue import CHUNKS, FILES, QUEUES, QUICK, TRANSPORT
from shared.jobs.turns import PATIENCE, Turns


class Worker:
    """Takes messages as kombu does: it looks into the queues in order, and takes one from the first that is not empty."""

    def __init__(self, seconds: dict[str, float], queues: Iterable[str] = QUEUES) -> None:
        self.now = 100.0
        self.seconds = seconds
        self.turns = Turns(QUEUES, lambda: self.now)
        self.turns.update(queues)
        self.taken: list[str] = []

    def take(self, *waiting: str) -> str:
        order = self.turns.consume(len(QUEUES))
        queue = next(queue for queue in order if queue in waiting)
        self.turns.rotate(queue)
        self.taken.append(queue)
        self.now += self.seconds[queue]
        return queue

    def work(self, seconds: float, *waiting: str) -> Counter[str]:
        end = self.now + seconds
        self.taken.clear()
        while self.now < end:
            self.take(*waiting)
        return Counter(self.taken)


QUICK_SECONDS, CHUNK_SECONDS = 0.01, 0.4
USUAL = {QUICK: QUICK_SECONDS, CHUNKS: CHUNK_SECONDS, FILES: 60.0}


@pytest.mark.parametrize("queues", [QUEUES, QUEUES[::-1], (CHUNKS, QUICK)])
def test_short_tasks_go_first_in_whichever_order_a_worker_is_told_its_queues(queues: tuple[str, ...]) -> None:
    worker = Worker(USUAL, queues)
    assert worker.take(CHUNKS) == CHUNKS
    assert [worker.take(QUICK, CHUNKS) for _ in range(10)] == [QUICK] * 10


def test_chunks_get_one_turn_in_a_while_beside_short_tasks_without_end() -> None:
    taken = Worker(USUAL).work(140, QUICK, CHUNKS)
    # A chunk after each second of short tasks, less the time that it took itself.
    assert taken[CHUNKS] == pytest.approx(140 / PATIENCE, rel=0.05)
    assert taken[QUICK] * QUICK_SECONDS == pytest.approx(140 - taken[CHUNKS] * CHUNK_SECONDS, rel=0.02)


@pytest.mark.parametrize("chunk_seconds", [CHUNK_SECONDS, 1.5, 15.0])
def test_a_short_task_never_waits_for_two_chunks(chunk_seconds: float) -> None:
    worker = Worker(USUAL | {CHUNKS: chunk_seconds})
    worker.work(60, QUICK, CHUNKS)
    assert (CHUNKS, CHUNKS) not in set(zip(worker.taken, worker.taken[1:], strict=False))
    assert QUICK in worker.taken


@pytest.mark.parametrize("files_seconds", [0.1, 60.0])
def test_no_queue_starves_whether_there_are_short_tasks_or_not(files_seconds: float) -> None:
    worker = Worker(USUAL | {FILES: files_seconds})
    for waiting in (QUEUES, (CHUNKS, FILES), (QUICK, FILES)):
        assert set(worker.work(600, *waiting)) == set(waiting)


def test_chunks_follow_one_another_while_nothing_else_waits() -> None:
    worker = Worker(USUAL)
    assert worker.work(10, CHUNKS) == {CHUNKS: 25}
    assert worker.take(QUICK, CHUNKS) == QUICK


def test_a_worker_without_the_short_tasks_takes_what_it_serves() -> None:
    assert set(Worker(USUAL, (CHUNKS, FILES)).work(600, CHUNKS, FILES)) == {CHUNKS, FILES}
    assert Worker(USUAL, (FILES,)).turns.consume(1) == [FILES]


def test_queues_of_celery_itself_are_served_too() -> None:
    own = "worker@host.celery.pidbox"
    assert set(Worker(USUAL | {own: 0.1}, (own, *QUEUES)).work(600, own, *QUEUES)) == {own, *QUEUES}
    assert Worker(USUAL, (own,)).turns.consume(1) == [own]


def test_the_broker_is_told_to_take_turns_so() -> None:
    turns = TRANSPORT["queue_order_strategy"]()  # type: ignore[operator]
    turns.update(reversed(QUEUES))
    turns.rotate(CHUNKS)
    assert turns.consume(3)[0] == QUICK

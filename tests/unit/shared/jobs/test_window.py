"""The window follows the number of processes that score."""

import time

import fakeredis
import pytest

from shared.fleet.records import Fleet, ProcessReport
from shared.jobs import window
from shared.jobs.queue import CHUNKS
from shared.jobs.window import PER_SLOT, SMALLEST_WINDOW, Window


@pytest.fixture
def fleet(redis_client: fakeredis.FakeRedis) -> Fleet:
    return Fleet(redis_client)


def report(fleet: Fleet, pid: int, slots: int) -> None:
    fleet.report(ProcessReport("worker", "host", pid, None, time.time(), slots=slots, queues=(CHUNKS,)))


@pytest.fixture
def watchful(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Window:
    """A window that looks every time."""
    monkeypatch.setattr(window, "LOOK_INTERVAL", -1.0)
    return Window(fleet)


def test_without_any_worker_a_few_units_wait_for_the_first_one(watchful: Window) -> None:
    assert watchful() == SMALLEST_WINDOW


@pytest.mark.parametrize(("slots", "size"), [([1], 4), ([2], 4), ([3], 6), ([2, 3], 10), ([40, 0, 60], 200)])
def test_there_are_two_units_for_every_process_that_scores(
    fleet: Fleet, watchful: Window, slots: list[int], size: int
) -> None:
    for pid, each in enumerate(slots):
        report(fleet, pid, each)
    assert watchful() == size == max(SMALLEST_WINDOW, PER_SLOT * sum(slots))


def test_the_window_shrinks_and_grows_with_the_fleet(fleet: Fleet, watchful: Window) -> None:
    report(fleet, 1, 10)
    assert watchful() == 20
    report(fleet, 1, 3)
    assert watchful() == 6


def test_not_every_call_looks(fleet: Fleet) -> None:
    often = Window(fleet)
    assert often() == SMALLEST_WINDOW
    report(fleet, 1, 10)
    assert often() == SMALLEST_WINDOW


def test_while_redis_is_away_the_window_stays_as_it_was(
    fleet: Fleet, watchful: Window, redis_server: fakeredis.FakeServer
) -> None:
    report(fleet, 1, 10)
    assert watchful() == 20
    redis_server.connected = False
    assert watchful() == 20

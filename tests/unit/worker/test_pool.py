"""A child that dies never holds what its parent waits for."""

import os
import signal
from typing import Any

import pytest
from billiard import pool as billiard_pool
from celery.concurrency import get_implementation
from kombu.asynchronous import Hub
from kombu.asynchronous.hub import Stop

from shared.settings import Settings
from worker.app import create_celery
from worker.pool import Context, Counter, TaskPool


def test_the_worker_runs_its_tasks_in_this_pool() -> None:
    app = create_celery(Settings(_env_file=None))
    assert get_implementation(app.conf.worker_pool) is TaskPool


def test_a_child_sees_what_its_parent_counts() -> None:
    counter = Context().Value("i")
    read, write = os.pipe()

    def tell() -> None:
        os.read(read, 1)
        os._exit(counter.value)

    child = Context().Process(target=tell)
    child.start()
    with counter.get_lock():
        counter.value += 3
    os.write(write, b"x")
    child.join(30)
    assert child.exitcode == 3
    os.close(read)
    os.close(write)


def test_a_child_that_is_killed_while_it_looks_stops_nobody() -> None:
    counter = Context().Value("i")
    read, write = os.pipe()

    def look() -> None:
        with counter.get_lock():
            os.write(write, b"x")
            signal.pause()

    child = Context().Process(target=look)
    child.start()
    os.read(read, 1)
    os.kill(child.pid, signal.SIGKILL)
    child.join(30)
    with counter.get_lock():
        counter.value += 1
    assert counter.value == 1
    os.close(read)
    os.close(write)


def test_billiard_takes_its_counters_from_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Counter] = []

    class Watched(Context):
        def Value(self, *args: Any, **kwargs: Any) -> Counter:  # noqa: N802 - the name is billiard's
            counter = super().Value(*args, **kwargs)
            made.append(counter)
            return counter

    monkeypatch.setattr("worker.pool.Context", Watched)
    pool = TaskPool.Pool(processes=1, threads=False, synack=False)
    try:
        assert list(pool._on_ready_counters.values()) == made
        assert len(made) == 1
        assert isinstance(pool, billiard_pool.Pool)
    finally:
        pool.terminate()
        pool.join()


def test_a_child_that_died_while_nobody_watched_is_replaced_and_ends_nobody() -> None:
    pool = TaskPool.Pool(processes=2, threads=False, synack=False)
    hub: Any = Hub()  # type: ignore[no-untyped-call]
    try:
        pool.register_with_event_loop(hub)
        dead = pool._pool[0]
        os.kill(dead.pid, signal.SIGKILL)
        dead.join(30)
        # Its end has been noted, but the connection was lost before another could take its place.
        pool._untrack_child_process(dead, hub)
        pool.register_with_event_loop(hub)
        hub.call_soon(hub.stop)
        with pytest.raises(Stop):
            hub.run_once()
            hub.run_once()
        assert dead not in pool._pool
        assert len(pool._pool) == 2
        assert all(child._is_alive() for child in pool._pool)
    finally:
        hub.close()
        pool.terminate()
        pool.join()


def test_a_child_does_not_wait_long_for_a_parent_that_ends() -> None:
    limit = billiard_pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT
    assert limit * billiard_pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_INTERVAL <= 1

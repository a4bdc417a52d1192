"""The parent process of a worker takes part in the fleet and looks for lost work, each in a step of its own."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery

from tests.unit.workbench import Workbench
from worker.steps import add_steps


class Timer:
    """Celery's timer, as far as steps use it: what is to be repeated is called by the test."""

    def __init__(self) -> None:
        self.repeated: dict[float, Callable[[], None]] = {}
        self.cancelled: list[float] = []

    def call_repeatedly(self, seconds: float, function: Callable[[], None]) -> Any:
        self.repeated[seconds] = function
        return SimpleNamespace(cancel=lambda: self.cancelled.append(seconds))


@pytest.fixture
def consumer() -> Any:
    queues = [SimpleNamespace(name="quick"), SimpleNamespace(name="chunks")]
    return SimpleNamespace(
        timer=Timer(), controller=SimpleNamespace(concurrency=3), task_consumer=SimpleNamespace(queues=queues)
    )


def steps_of(bench: Workbench, consumer: Any) -> dict[str, Any]:
    celery = Celery("steps", set_as_current=False)
    add_steps(celery, lambda: bench.parts)
    return {step.__name__: step(consumer) for step in celery.steps["consumer"]}


def test_the_worker_reports_itself_with_its_slots_and_queues_until_it_ends(bench: Workbench, consumer: Any) -> None:
    member = steps_of(bench, consumer)["FleetMember"]
    member.start(consumer)
    [report] = bench.parts.fleet.processes()
    assert (report.kind, report.slots, report.queues) == ("worker", 3, ("quick", "chunks"))
    member.shutdown(consumer)
    assert bench.parts.fleet.processes() == []
    assert len(consumer.timer.cancelled) == 1


def test_lost_work_is_looked_for_at_once_and_again(
    bench: Workbench, consumer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr("worker.steps.reconcile", seen.append)
    reconciler = steps_of(bench, consumer)["Reconciler"]
    reconciler.start(consumer)
    consumer.timer.repeated[bench.settings.reconcile_interval]()
    assert seen == [bench.parts] * 2


def test_a_step_that_starts_anew_after_the_broker_was_away_works_with_the_same_parts(
    bench: Workbench, consumer: Any
) -> None:
    member = steps_of(bench, consumer)["FleetMember"]
    for _ in range(2):
        member.start(consumer)
        member.stop(consumer)
    member.stop(consumer)
    assert len(consumer.timer.cancelled) == 2
    assert len(bench.parts.fleet.processes()) == 1

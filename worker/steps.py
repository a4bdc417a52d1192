"""Periodic work of a worker's parent process: steps of Celery's consumer, on its timer.

A step pauses while the broker is unavailable and restarts once it is back; the objects it uses are created once.
"""

from collections.abc import Callable
from typing import Any

from celery import Celery, bootsteps

from shared.fleet.records import LOOK_INTERVAL
from worker.reconciler import reconcile
from worker.services import Services

AFTER_TASKS = ("celery.worker.consumer.tasks:Tasks",)
"""The queues of the worker are known only after this step."""


class _TimedStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Calls a function at once and then periodically."""

    requires = AFTER_TASKS

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        super().__init__(consumer, **kwargs)

    def repeat(self, consumer: Any, seconds: float, function: Callable[[], None]) -> None:
        function()
        self._timer = consumer.timer.call_repeatedly(seconds, function)

    def stop(self, consumer: Any) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def add_steps(celery: Celery, services: Callable[[], Services]) -> None:
    """Add the steps to the consumer; `services` returns those of the parent, created on the first call."""

    class FleetMember(_TimedStep):
        """Makes the worker a member of the fleet: it prepares versions and reports which it has."""

        def start(self, consumer: Any) -> None:
            """Begin."""
            member = services().member
            member.slots = consumer.controller.concurrency
            member.queues = tuple(queue.name for queue in consumer.task_consumer.queues)
            self.repeat(consumer, LOOK_INTERVAL, member.look)

        def shutdown(self, consumer: Any) -> None:
            """Stop permanently."""
            self.stop(consumer)
            services().member.retire()

    class Reconciler(_TimedStep):
        """Looks for lost work and expired jobs."""

        def start(self, consumer: Any) -> None:
            """Begin."""
            self.repeat(consumer, services().settings.reconcile_interval, lambda: reconcile(services()))

    celery.steps["consumer"].update((FleetMember, Reconciler))

"""Which queue a worker takes its next message from: the first one goes first, and the others never starve."""

import time
from collections.abc import Callable, Iterable, Sequence

PATIENCE = 1.0
"""Seconds without a turn after which another queue goes before the first one, once."""


class Turns:
    """The queues of one worker in the order in which it looks into them; kombu makes one for each connection and calls it.

    A queue that had no turn for PATIENCE seconds goes first. The next turn is then the first queue's again, so that it has at
    least every second one, however long a task of the others takes.
    """

    def __init__(self, order: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._first, *_ = order
        self._order = order
        self._clock = clock
        self._queues: list[str] = []
        self._turn_at: dict[str, float] = {}
        self._last = self._first

    def update(self, queues: Iterable[str]) -> None:
        """Note the queues of the connection; beside ours there may be some of Celery's own."""
        served = set(queues)
        self._queues = [*(queue for queue in self._order if queue in served), *sorted(served.difference(self._order))]

    def consume(self, count: int) -> list[str]:
        """Return the queues in the order in which to look for a message."""
        others = [queue for queue in self._queues if queue != self._first]
        late = sorted(filter(self._is_late, others), key=lambda queue: self._turn_at.get(queue, 0.0))
        in_time = [queue for queue in others if queue not in late]
        first = [self._first] if self._first in self._queues else []
        return [*late, *first, *in_time] if self._last == self._first else [*first, *late, *in_time]

    def rotate(self, queue: str) -> None:
        """Note that a message of this queue was taken."""
        self._last = queue
        self._turn_at[queue] = self._clock()

    def _is_late(self, queue: str) -> bool:
        return self._clock() - self._turn_at.get(queue, 0.0) > PATIENCE

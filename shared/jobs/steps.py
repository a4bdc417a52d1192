"""Where the time of an attempt goes: into its steps, such as reading, scoring and writing, which may take turns."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass
class StepTime:
    """The time of one step."""

    began: int
    ended: int
    """Nanoseconds since the epoch; between the two, other steps may have had their turns."""
    seconds: float = 0.0
    """Its own time."""


class Steps:
    """Measures the steps of one attempt, in one thread. A step that is begun within another one interrupts it."""

    def __init__(self) -> None:
        self.times: dict[str, StepTime] = {}
        self._under_way: list[str] = []
        self._since = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the time of the block for a step."""
        self._turn()
        self._under_way.append(name)
        now = time.time_ns()
        self.times.setdefault(name, StepTime(now, now))
        try:
            yield
        finally:
            self._turn()
            self._under_way.pop()
            self.times[name].ended = time.time_ns()

    def each(self, name: str, items: Iterable[T]) -> Iterator[T]:
        """Count the time that the items take to come."""
        iterator = iter(items)
        while True:
            with self.step(name):
                item = next(iterator, None)
            if item is None:
                return
            yield item

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._under_way:
            self.times[self._under_way[-1]].seconds += now - self._since
        self._since = now

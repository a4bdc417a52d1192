"""Times that are promised, measured on a machine that may be busy with something else."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

TRIES = 5


def within(seconds: float, act: Callable[[], T]) -> T:
    """Do it, again if it took longer; it must take less than so many seconds once. What it gives must be the same each time."""
    took = []
    for _ in range(TRIES):
        begun = time.monotonic()
        result = act()
        took.append(time.monotonic() - begun)
        if took[-1] < seconds:
            return result
    raise AssertionError(f"it took {', '.join(f'{one:.2f}' for one in took)} s, never less than {seconds} s")

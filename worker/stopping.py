"""Tells the children of a worker that it ends, so that they hand back what would take too long."""

import mmap


class Stopping:
    """False until the worker is told to stop. Created before the children are forked, which share it without any lock."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def __bool__(self) -> bool:
        return self._shared[0] != 0

    def ask(self) -> None:
        """Make it true, for this process and its children."""
        self._shared[0] = 1

"""Work on several pieces of a file at a time, in order and with bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

THREADS = 2
"""Reading and checking leave the GIL most of the time, so two threads keep two cores busy."""

AHEAD = 2
"""Pieces that are got ready before they are asked for."""

END: Any = object()


def ordered_map(function: Callable[[In], Out], pieces: Iterable[In], threads: int = THREADS) -> Iterator[Out]:
    """Apply `function` to the pieces in threads, and give the results in the order of the pieces.

    At most `threads + 1` pieces are under way. The first error, in the order of the pieces, ends it.
    """
    waiting: deque[Future[Out]] = deque()
    with _threads(threads) as pool:
        for piece in pieces:
            waiting.append(pool.submit(function, piece))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def ahead(items: Iterable[Out]) -> Iterator[Out]:
    """Get the next items ready in a thread of their own while the caller is busy with the one before."""
    iterator = iter(items)
    with _threads(1) as pool:
        waiting: deque[Future[Out]] = deque(pool.submit(next, iterator, END) for _ in range(AHEAD))
        while (item := waiting.popleft().result()) is not END:
            waiting.append(pool.submit(next, iterator, END))
            yield item


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give some threads, and at the end have them stop without waiting for it.

    An iterator that nobody uses any more may be ended by the garbage collector, in any thread and at any point, also while
    another thread is being started: who waited for a thread to end there would wait for ever.
    """
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

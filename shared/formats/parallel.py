"""Process several pieces of a file in parallel, in order and with bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Generic, Self, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

THREADS = 2
"""Parsing and validating release the GIL most of the time, so two threads keep two cores busy."""

AHEAD = 2
"""Pieces that are prefetched."""

END: Any = object()


def ordered_map(function: Callable[[In], Out], pieces: Iterable[In], threads: int = THREADS) -> Iterator[Out]:
    """Apply `function` to the pieces in threads, and yield the results in the order of the pieces.

    At most `threads + 1` pieces are in progress. The first error, in the order of the pieces, ends the iteration.
    """
    with _Threads[Out](threads) as pool:
        for piece in pieces:
            pool.begin(function, piece)
            if pool.under_way > threads:
                yield pool.next_result()
        while pool.under_way:
            yield pool.next_result()


def ahead(items: Iterable[Out]) -> Iterator[Out]:
    """Prefetch the next items in a separate thread while the caller processes the current one."""
    iterator = iter(items)
    with _Threads[Out](1) as pool:
        for _ in range(AHEAD):
            pool.begin(next, iterator, END)
        while (item := pool.next_result()) is not END:
            pool.begin(next, iterator, END)
            yield item


class _Threads(Generic[Out]):
    """A few threads, and their tasks in order.

    On exit, pending tasks are dropped and running ones awaited, so that files may be removed afterwards. The threads are not
    joined: an abandoned iterator may be finalised by the garbage collector in any thread and at any point, even while another
    thread is being started, where joining a thread would deadlock.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count)
        self._waiting: deque[Future[Out]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait([future for future in self._waiting if not future.cancel()])

    @property
    def under_way(self) -> int:
        return len(self._waiting)

    def begin(self, function: Callable[..., Out], *arguments: Any) -> None:
        self._waiting.append(self._pool.submit(function, *arguments))

    def next_result(self) -> Out:
        return self._waiting.popleft().result()

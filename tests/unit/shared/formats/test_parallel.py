"""Pieces of work in threads: in order, bounded, and never waited for by who has left."""

import threading
from collections.abc import Callable, Iterator

import pytest

from shared.formats.parallel import AHEAD, THREADS, ahead, ordered_map

Parallel = Callable[[Iterator[int]], Iterator[int]]


def same(number: int) -> int:
    return number


WAYS = pytest.mark.parametrize(
    ("way", "under_way"), [(lambda items: ordered_map(same, items), THREADS + 1), (ahead, AHEAD + 1)]
)


@WAYS
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_all_come_in_order(way: Parallel, under_way: int, count: int) -> None:
    assert list(way(iter(range(count)))) == list(range(count))


@WAYS
def test_few_are_under_way(way: Parallel, under_way: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    for number in way(items()):
        assert taken <= number + 1 + under_way


@WAYS
def test_an_error_comes_when_it_is_its_turn(way: Parallel, under_way: int) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ZeroDivisionError

    came: list[int] = []
    with pytest.raises(ZeroDivisionError):
        came.extend(way(items()))
    results = way(items())
    assert [next(results) for _ in range(2)] == [0, 1]


def test_who_leaves_waits_for_what_has_begun_and_nothing_else_begins() -> None:
    begun, done = [], []
    leaving = threading.Event()

    def slow(number: int) -> int:
        begun.append(number)
        if number > 2:
            assert leaving.wait(60)
        done.append(number)
        return number

    results = ordered_map(slow, range(10))
    assert next(results) == 0
    leaving.set()
    results.close()  # type: ignore[attr-defined]
    assert sorted(begun) == sorted(done)
    assert len(begun) <= THREADS + 2

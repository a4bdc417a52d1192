"""A remote file of which some ranges are in memory gives the same bytes, and asks for each range once."""

import io
import random

from hypothesis import given
from hypothesis import strategies as st

from shared.formats.held import GAP, Held, joined

CONTENT = random.Random(1).randbytes(5000)


class Remote:
    """Stands for Arrow's file on a server; notes which ranges are asked for."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, int]] = []

    def size(self) -> int:
        return len(CONTENT)

    def read_at(self, size: int, offset: int) -> bytes:
        self.requests.append((offset, size))
        return CONTENT[offset : offset + size]


PLACES = st.integers(0, len(CONTENT) + 10)
SPANS = st.lists(st.tuples(PLACES, PLACES).map(lambda ends: (min(ends), max(ends))), max_size=4)


@given(spans=SPANS, parts=st.lists(st.tuples(PLACES, st.integers(-1, 2000)), max_size=6))
def test_any_part_is_given_in_any_order(spans: list[tuple[int, int]], parts: list[tuple[int, int]]) -> None:
    expected, file = io.BytesIO(CONTENT), Held(Remote(), spans)
    for place, size in parts:
        assert file.seek(place) == expected.seek(place)
        assert file.read(size) == expected.read(size)
    assert file.seek(-7, io.SEEK_END) == len(CONTENT) - 7
    assert file.read() == CONTENT[-7:]


def test_what_is_held_is_asked_for_once() -> None:
    remote = Remote()
    file = Held(remote, [(4000, 5000), (10, 20)])
    assert remote.requests == [(10, 4990)]
    for place in (10, 4500):
        file.seek(place)
        file.read(5)
    assert len(remote.requests) == 1


def test_ranges_that_lie_close_to_each_other_are_one() -> None:
    assert joined([(5, 9), (0, 2), (GAP + 9, GAP + 10)]) == [(0, GAP + 10)]
    assert joined([(0, 1), (GAP + 2, GAP + 3)]) == [(0, 1), (GAP + 2, GAP + 3)]

"""A remote file of which some ranges are in memory gives the same bytes, and asks for each range once."""

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StorageUnavailable
from shared.formats import parquet
from shared.formats.held import GAP, Held, joined
from shared.formats.source import ReadOptions
from shared.storage.readahead import ReadAhead
from tests.factories import make_contract
from tests.unit.shared.formats.whole import FileInPlace

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


class BreakingFile(FileInPlace):
    """A Parquet file at the other end of a network, which breaks after so many requests."""

    def __init__(self, path: Path, requests: int) -> None:
        super().__init__(path, is_local=False)
        self._left = requests

    @contextmanager
    def in_place(self) -> Iterator[pa.NativeFile]:
        with super().in_place() as file, pa.PythonFile(ReadAhead(_Breaking(file, self._left)), "r") as distant:
            yield distant


class _Breaking:
    """Arrow's file, until the network breaks."""

    def __init__(self, file: pa.NativeFile, requests: int) -> None:
        self._file = file
        self._left = requests
        self.size, self.seek = file.size, file.seek

    def read_buffer(self, size: int) -> pa.Buffer:
        self._left -= 1
        if self._left < 0:
            raise OSError("When reading: AWS Error NETWORK_CONNECTION during GetObject operation")
        return self._file.read_buffer(size)


def test_a_network_that_breaks_is_no_damage_of_the_file(tmp_path: Path) -> None:
    contract = make_contract([{"name": "a", "type": "double"}])
    path = tmp_path / "input"
    # Several times as large as a request.
    pq.write_table(pa.table({"a": np.random.default_rng(1).random(1_000_000)}), path, row_group_size=250_000)
    layout = parquet.layout(BreakingFile(path, 9), ReadOptions(), contract)
    assert layout is not None
    for requests in range(10):
        source, rows = BreakingFile(path, requests), range(300_000, 700_000)
        slices = parquet.read_rows(source, ReadOptions(), contract, rows, layout.checksum)
        try:
            assert sum(piece.batch.num_rows for piece in slices) == 400_000
        except StorageUnavailable:
            continue
        assert requests > 2
        return
    pytest.fail("It never had enough requests.")

"""Reading ahead gives the same bytes in fewer requests."""

import io
import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import StorageUnavailable
from shared.storage.readahead import FIRST, LARGEST, ReadAhead

MIB = 1 << 20
CONTENT = random.Random(1).randbytes(3 * FIRST + 5)


class Remote:
    """Stands for Arrow's file on a server; notes which ranges are asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0
        self.requests: list[tuple[int, int]] = []

    def size(self) -> int:
        return len(self.content)

    def seek(self, position: int) -> None:
        self.position = position

    def read_buffer(self, size: int) -> pa.Buffer:
        self.requests.append((self.position, size))
        return pa.py_buffer(self.content[self.position : self.position + size])


PLACES = st.integers(0, len(CONTENT) + 10)


@given(st.lists(st.tuples(PLACES, st.integers(-1, 2 * FIRST)), max_size=8))
def test_any_part_is_given_in_any_order(parts: list[tuple[int, int]]) -> None:
    expected, file = io.BytesIO(CONTENT), ReadAhead(Remote(CONTENT))
    for place, size in parts:
        assert file.seek(place) == expected.seek(place)
        assert file.read(size) == expected.read(size)
        assert file.tell() == min(expected.tell(), max(place, len(CONTENT)))
    assert file.seek(-7, io.SEEK_END) == len(CONTENT) - 7
    assert file.seek(2, io.SEEK_CUR) == len(CONTENT) - 5
    assert file.read() == CONTENT[-5:]


def test_pieces_grow_while_it_is_read_in_order_and_are_small_again_after_a_jump() -> None:
    remote = Remote(bytes(60 * MIB))
    file = ReadAhead(remote)
    while file.read(100_000):
        pass
    assert [size // MIB for _, size in remote.requests] == [1, 2, 4, 8, 16, 16, 13]
    assert sum(size for _, size in remote.requests) == 60 * MIB
    assert LARGEST == 16 * MIB
    remote.requests.clear()
    file.seek(MIB)
    file.read(10)
    file.seek(30 * MIB)
    file.read(3 * MIB)
    assert remote.requests == [(MIB, FIRST), (30 * MIB, 3 * MIB)]


def test_arrow_reads_by_way_of_it() -> None:
    sink = pa.BufferOutputStream()
    batches = [pa.record_batch({"n": list(range(i, i + 1000))}) for i in range(5)]
    with pa.ipc.new_file(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    remote = Remote(sink.getvalue().to_pybytes())
    with pa.PythonFile(ReadAhead(remote), "r") as file:
        reader = pa.ipc.open_file(file)
        assert [reader.get_batch(i) for i in range(5)] == batches
    assert len(remote.requests) == 1


def test_a_file_that_has_become_shorter_is_an_error() -> None:
    remote = Remote(CONTENT)
    file = ReadAhead(remote)
    remote.content = CONTENT[:10]
    with pytest.raises(StorageUnavailable):
        file.read()

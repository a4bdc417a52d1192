"""Byte ranges of a remote file that are fetched in one request each, before they are read in small steps."""

import io
from bisect import bisect_right
from collections.abc import Iterable

import pyarrow as pa

GAP = 1 << 20
"""Bytes between two ranges up to which they are fetched together: they take less time than another request."""

Span = tuple[int, int]
"""Begin and end of a byte range."""


class Held(io.RawIOBase):
    """A file of which some ranges are in memory; what lies elsewhere is read from the file itself."""

    def __init__(self, file: pa.NativeFile, spans: Iterable[Span]) -> None:
        super().__init__()
        self._file = file
        self._size: int = file.size()
        self._position = 0
        self._spans = joined(spans)
        self._held = [file.read_at(end - start, start) for start, end in self._spans]

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, which may be beyond the end, and return it."""
        self._position = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence] + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes; fewer only at the end of the file."""
        start = self._position
        end = self._size if size < 0 else min(start + size, self._size)
        found = bisect_right(self._spans, (start, self._size)) - 1
        if found >= 0 and end <= self._spans[found][1]:
            offset = start - self._spans[found][0]
            data: bytes = self._held[found][offset : offset + end - start]
        else:
            data = self._file.read_at(max(0, end - start), start)
        self._position += len(data)
        return data


def joined(spans: Iterable[Span]) -> list[Span]:
    """Join ranges that overlap or lie close to each other, in order."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + GAP:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found

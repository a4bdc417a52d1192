"""Read-ahead for remote files: every request has its latency, so they are read in large blocks."""

import io

import pyarrow as pa

from shared.storage.faults import translated

FIRST, LARGEST = 1 << 20, 16 << 20
"""Block size in bytes, initially and at most: it doubles with each sequential read."""


class ReadAhead(io.RawIOBase):
    """Random access to a file; buffers only the block that was fetched last."""

    def __init__(self, file: pa.NativeFile) -> None:
        super().__init__()
        self._file = file
        self._size: int = file.size()
        self._position = 0
        self._start = 0
        self._piece = pa.py_buffer(b"")

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, which may be beyond the end, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes; fewer only at the end of the file."""
        end = self._size if size < 0 else min(self._position + size, self._size)
        parts = []
        while self._position < end:
            offset = self._position - self._start
            if not 0 <= offset < self._piece.size:
                self._fetch(end - self._position)
                continue
            part = self._piece.slice(offset, min(end - self._position, self._piece.size - offset))
            parts.append(part)
            self._position += part.size
        return b"".join(parts)

    def _fetch(self, wanted: int) -> None:
        """Fetch a block that contains at least the next `wanted` bytes."""
        in_order = self._position == self._start + self._piece.size
        step = max(FIRST, min(2 * self._piece.size, LARGEST)) if in_order else FIRST
        # Readers of a footer usually continue a little before it.
        start = self._position if in_order else max(0, min(self._position, self._size - FIRST))
        end = min(self._size, max(self._position + wanted, start + step))
        # At once: what reads this file may take its errors for damaged data.
        with translated():
            self._file.seek(start)
            self._piece, self._start = self._file.read_buffer(end - start), start
            if self._piece.size < end - start:
                raise OSError("A file ended before its size.")

"""The frames of zstd data (RFC 8878), followed from head to head, so that zero padding between and after them is skipped."""

from collections.abc import Callable
from sys import maxsize

from shared.formats.members import PACKED_BYTES, PADDING, Readable

MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE = b"\x2a\x4d\x18"
"""The end of the magic number of a frame of other data, which begins with a byte from 0x50 to 0x5f."""
LONGEST_HEAD = 18
DICTIONARY_BYTES = (0, 1, 2, 4)
SIZE_BYTES = (0, 2, 4, 8)
CHECKSUM_BYTES = 4
RUN = 1
"""Type of a block that is one byte, repeated."""


class Frames:
    """Passes compressed data on as it is, without padding. Data that are not zstd are passed on to the end."""

    def __init__(self, raw: Readable) -> None:
        self._raw = raw
        self._waiting = b""
        self._left = 0
        """Bytes until the next head."""
        self._next_part: Callable[[], int] = self._head
        self._has_checksum = False

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, up to the next head; empty only at the end."""
        if not self._left:
            self._left = self._next_part()
        self._peeked(1)
        data = self._waiting[: min(size, self._left)]
        self._waiting = self._waiting[len(data) :]
        self._left -= len(data)
        return data

    def _peeked(self, size: int) -> bytes:
        """Return the next bytes, fewer at the end, without passing them on."""
        while len(self._waiting) < size and (piece := self._raw.read(PACKED_BYTES)):
            self._waiting += piece
        return self._waiting[:size]

    def _padding(self) -> int:
        """Skip zeros, then return what `_head` does."""
        while self._peeked(1) == PADDING:
            self._waiting = self._waiting.lstrip(PADDING)
        return self._head()

    def _head(self) -> int:
        """Return the length of the head of a frame, or of a whole frame of other data."""
        head = self._peeked(LONGEST_HEAD)
        if len(head) >= 8 and head[0] >> 4 == 5 and head[1:4] == SKIPPABLE:
            self._next_part = self._padding
            return 8 + int.from_bytes(head[4:8], "little")
        if len(head) < 5 or not head.startswith(MAGIC):
            return maxsize
        descriptor = head[4]
        is_single, size = bool(descriptor & 32), SIZE_BYTES[descriptor >> 6]
        self._has_checksum = bool(descriptor & 4)
        self._next_part = self._block
        # Without a window the frame says its size, which may take one byte.
        return 5 + DICTIONARY_BYTES[descriptor & 3] + (max(size, 1) if is_single else size + 1)

    def _block(self) -> int:
        """Return the length of a block with its head, and of the checksum after the last one."""
        head = int.from_bytes(self._peeked(3).ljust(3, PADDING), "little")
        size = 3 + (1 if head >> 1 & 3 == RUN else head >> 3)
        if not head & 1:
            return size
        self._next_part = self._padding
        return size + CHECKSUM_BYTES * self._has_checksum

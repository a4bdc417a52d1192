"""Gzip, bzip2 and xz, decompressed in pieces by the standard library."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

from shared.errors import InputTooLarge, MalformedInput
from shared.formats.format import Encoding

PACKED_BYTES = 1 << 18
"""How much is given to a decompressor in one go."""

GZIP_WBITS = 16 + zlib.MAX_WBITS

XZ_BYTES = 80 << 20
"""Memory for the dictionary of xz; its highest preset takes 65 MB, but a file may ask for gigabytes."""

MEMORY_LIMIT = "Memory usage limit"
"""Is in the message of xz where that is not enough."""

DAMAGE = (zlib.error, lzma.LZMAError, OSError, ValueError)
"""What the decompressors raise on damaged data."""

PADDING = b"\0"


class Readable(Protocol):
    """What bytes are read from: a file of Python's or of Arrow's."""

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes; none only at the end."""


class Decompressor(Protocol):
    """What the standard library has for one member of compressed data."""

    @property
    def eof(self) -> bool:
        """Whether the end of the member was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing to give before more data come."""

    @property
    def unused_data(self) -> bytes:
        """What came after the end of the member."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take more data, and give at most so many bytes."""


class _Gunzip:
    """A decompressor of gzip as those for bzip2 and xz are."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(GZIP_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail or data, max_length)


MEMBERS: dict[Encoding, Callable[[], Decompressor]] = {
    "gzip": _Gunzip,
    "bz2": bz2.BZ2Decompressor,
    "xz": partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, XZ_BYTES),
}

MAGIC: dict[Encoding, bytes] = {"gzip": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\0"}


class Members:
    """The decompressed data of members one after the other; zeros may stand behind them, as tapes and `tar` leave them."""

    def __init__(self, raw: Readable, encoding: Encoding) -> None:
        self._raw = raw
        self._encoding = encoding
        self._member: Decompressor | None = None
        self._waiting = raw.read(PACKED_BYTES)

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes; raises MalformedInput, InputTooLarge, and what reading `raw` raises."""
        while self._member is not None or self._begins():
            data = self._more(size)
            if data:
                return data
        return b""

    def _begins(self) -> bool:
        """Begin another member, if there is one."""
        if not self._waiting:
            return False
        magic = MAGIC[self._encoding]
        # xz itself would wait for more of what it can see to be none.
        if not magic.startswith(self._waiting[: len(magic)]):
            raise MalformedInput("compressed-data-damaged", encoding=self._encoding)
        self._member = MEMBERS[self._encoding]()
        return True

    def _more(self, size: int) -> bytes:
        member = self._member
        assert member is not None  # noqa: S101 - for the type checker
        if member.needs_input and not self._waiting:
            self._waiting = self._raw.read(PACKED_BYTES)
        was_last = not self._waiting
        try:
            data = member.decompress(self._waiting, size)
        except DAMAGE as error:
            if MEMORY_LIMIT in str(error):
                raise InputTooLarge("compressed-memory", encoding=self._encoding, limit=XZ_BYTES) from None
            raise MalformedInput("compressed-data-damaged", encoding=self._encoding) from None
        self._waiting = b""
        if member.eof:
            self._end(member.unused_data)
        elif was_last and not data:
            raise MalformedInput("compressed-data-cut-off", encoding=self._encoding)
        return data

    def _end(self, rest: bytes) -> None:
        """Look for what follows a member, behind any zeros."""
        self._member = None
        self._waiting = rest.lstrip(PADDING)
        while not self._waiting and (piece := self._raw.read(PACKED_BYTES)):
            self._waiting = piece.lstrip(PADDING)

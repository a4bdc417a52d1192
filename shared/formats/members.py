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
"""Bytes passed to a decompressor at a time."""

GZIP_WBITS = 16 + zlib.MAX_WBITS

XZ_BYTES = 80 << 20
"""Memory limit of xz; its highest preset takes 65 MB, but a file may demand gigabytes."""

MEMORY_LIMIT = "Memory usage limit"
"""Part of the message of xz if the limit is exceeded."""

DAMAGE = (zlib.error, lzma.LZMAError, OSError, ValueError)
"""Errors that the decompressors raise for damaged data."""

PADDING = b"\0"


class Readable(Protocol):
    """A source of bytes: a Python or Arrow file."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty only at the end."""


class Decompressor(Protocol):
    """Interface of the decompressors of the standard library, each for one member."""

    @property
    def eof(self) -> bool:
        """Whether the end of the member was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether more input is needed before there is any output."""

    @property
    def unused_data(self) -> bytes:
        """The data after the end of the member."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take more input, and return at most `max_length` bytes."""


class _Gunzip:
    """A gzip decompressor with the interface of those for bzip2 and xz."""

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
    """The decompressed data of concatenated members; zero padding may follow, as written by tapes and `tar`."""

    def __init__(self, raw: Readable, encoding: Encoding) -> None:
        self._raw = raw
        self._encoding = encoding
        self._member: Decompressor | None = None
        self._waiting = raw.read(PACKED_BYTES)

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; raises MalformedInput, InputTooLarge, and the errors of reading `raw`."""
        while self._member is not None or self._begins():
            data = self._more(size)
            if data:
                return data
        return b""

    def _begins(self) -> bool:
        """Start the next member, if there is one."""
        if not self._waiting:
            return False
        magic = MAGIC[self._encoding]
        # The xz library would wait for more data even if the header is already invalid.
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
        """Find the data after a member, skipping any zeros."""
        self._member = None
        self._waiting = rest.lstrip(PADDING)
        while not self._waiting and (piece := self._raw.read(PACKED_BYTES)):
            self._waiting = piece.lstrip(PADDING)

"""Streaming decompression with a size limit."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
from typing_extensions import Buffer

from shared.errors import InputTooLarge, MalformedInput
from shared.formats.format import Encoding
from shared.formats.members import XZ_BYTES, Members, Readable
from shared.formats.source import HEAD_BYTES, Check
from shared.formats.zipped import unzipped
from shared.formats.zstd_frames import Frames

PIECE_BYTES = 1 << 20
"""Bytes read or copied at a time."""

TRUNCATED = "Truncated"
"""Beginning of Arrow's message for truncated compressed data."""


@contextmanager
def decoded(raw: Readable, encoding: Encoding | None, limit: int) -> Iterator[BinaryIO]:
    """Open the decompressed content of `raw` for one sequential reading; `raw` stays open.

    Concatenated members or frames are one file; a zip archive must contain a single file, and needs a seekable `raw`.
    Reading raises MalformedInput if the data is damaged or truncated, and InputTooLarge as soon as there are more than
    `limit` decompressed bytes.
    """
    with _plain(raw, encoding) as plain, io.BufferedReader(_Limited(plain, limit), PIECE_BYTES) as stream:
        yield stream


def _plain(raw: Readable, encoding: Encoding | None) -> AbstractContextManager[Readable]:
    if encoding == "zip":
        return unzipped(cast(BinaryIO, raw))
    if encoding == "zstd":
        return nullcontext(_Zstd(raw))
    return nullcontext(raw if encoding is None else Members(raw, encoding))


def decoding_bytes(encoding: Encoding | None) -> int:
    """Return the memory that decompression may take, beyond a few megabytes."""
    return XZ_BYTES if encoding == "xz" else 0


@contextmanager
def spooled(stream: Readable, folder: Path, check: Check) -> Iterator[Path]:
    """Copy a stream to a temporary file in `folder`, for formats that need random access; it is removed afterwards.

    `check` sees its first bytes, and may raise, before the rest is copied.
    """
    head = stream.read(HEAD_BYTES)
    check(head)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        path = Path(own) / "input"
        with path.open("wb") as file:
            file.write(head)
            while piece := stream.read(PIECE_BYTES):
                file.write(piece)
        yield path


class _Watched:
    """Forwards reads and remembers their errors, which a library may not distinguish from damaged data."""

    closed = False

    def __init__(self, raw: Readable) -> None:
        self._raw = raw
        self.error: Exception | None = None

    def read(self, size: int, /) -> bytes:
        try:
            return self._raw.read(size)
        except Exception as error:
            self.error = error
            raise

    def close(self) -> None:
        """Do nothing: Arrow insists on closing its input, but `raw` belongs to the caller."""


class _Zstd:
    """The decompressed data of concatenated frames; zero padding may follow them, as it may other compressions."""

    def __init__(self, raw: Readable) -> None:
        self._watched = _Watched(Frames(raw))
        self._stream = pa.CompressedInputStream(pa.PythonFile(self._watched, "r"), "zstd")

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except OSError as error:
            if self._watched.error is not None:
                raise self._watched.error from None
            if str(error).startswith(TRUNCATED):
                raise MalformedInput("compressed-data-cut-off", encoding="zstd") from None
            raise MalformedInput("compressed-data-damaged", encoding="zstd") from None
        return data


class _Limited(io.RawIOBase):
    """Limits the bytes that are read, as protection against decompression bombs."""

    def __init__(self, plain: Readable, limit: int) -> None:
        self._plain = plain
        self._limit = limit
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        data = self._plain.read(min(len(view), PIECE_BYTES))
        self._count += len(data)
        if self._count > self._limit:
            raise InputTooLarge("decompressed-too-large", limit=self._limit)
        view[: len(data)] = data
        return len(data)

"""From bytes as they are stored to bytes as they were written: decompression in pieces, with an end to it."""

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
from shared.formats.zipped import unzipped

PIECE_BYTES = 1 << 20
"""How much is read, or copied, in one go."""

TRUNCATED = "Truncated"
"""How Arrow's message begins when compressed data stops before its end."""


@contextmanager
def decoded(raw: Readable, encoding: Encoding | None, limit: int) -> Iterator[BinaryIO]:
    """Open what `raw` holds, decompressed, for one reading from beginning to end; `raw` stays open.

    Several members or frames one after the other are one file; a zip archive has one file in it, and `raw` must be seekable
    then. Reading raises MalformedInput where the data is damaged or cut off, and InputTooLarge as soon as there are more than
    `limit` bytes of it, decompressed.
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
    """Give the memory that decompression may take, beyond a few megabytes."""
    return XZ_BYTES if encoding == "xz" else 0


@contextmanager
def spooled(stream: Readable, folder: Path) -> Iterator[Path]:
    """Copy a stream to a file of its own in `folder`, for formats that are not read in order; it is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        path = Path(own) / "input"
        with path.open("wb") as file:
            while piece := stream.read(PIECE_BYTES):
                file.write(piece)
        yield path


class _Watched:
    """Passes reads on and remembers an error of theirs, which a library may not tell from damaged data."""

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
        """Arrow closes what it is given, and complains if it cannot; `raw` is another's to close."""


class _Zstd:
    """The decompressed data of frames one after the other."""

    def __init__(self, raw: Readable) -> None:
        self._watched = _Watched(raw)
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
    """Counts what is read, so that a few compressed bytes cannot become more than may be."""

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

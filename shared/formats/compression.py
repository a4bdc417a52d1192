"""From bytes as they are stored to bytes as they were written: decompression in pieces, with an end to it."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa
from typing_extensions import Buffer

from shared.errors import InputTooLarge, MalformedInput
from shared.formats.format import Encoding

PIECE_BYTES = 1 << 20
"""How much is read, or copied, in one go."""

TRUNCATED = "Truncated"
"""How Arrow's message begins when compressed data stops before its end."""


class Readable(Protocol):
    """What bytes are read from: a file of Python's or of Arrow's."""

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes; none only at the end."""


@contextmanager
def decoded(raw: Readable, encoding: Encoding | None, limit: int) -> Iterator[BinaryIO]:
    """Open what `raw` holds, decompressed, for one reading from beginning to end; `raw` stays open.

    Several gzip members or zstd frames one after the other are one file. Reading raises MalformedInput where the data
    is damaged or cut off, and InputTooLarge as soon as there are more than `limit` bytes of it, decompressed.
    """
    watched = _Watched(raw)
    plain = watched if encoding is None else _Decompressed(watched, encoding)
    with io.BufferedReader(_Limited(plain, limit), PIECE_BYTES) as stream:
        yield stream


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
    """Passes reads on and remembers an error of theirs, which Arrow would not tell from damaged data."""

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


class _Decompressed:
    """The decompressed data of a file."""

    def __init__(self, watched: _Watched, encoding: Encoding) -> None:
        self._watched = watched
        self._encoding = encoding
        self._stream = pa.CompressedInputStream(pa.PythonFile(watched, "r"), encoding)

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except OSError as error:
            if self._watched.error is not None:
                raise self._watched.error from None
            cut_off = str(error).startswith(TRUNCATED)
            raise MalformedInput(
                "compressed-data-cut-off" if cut_off else "compressed-data-damaged", encoding=self._encoding
            ) from None
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

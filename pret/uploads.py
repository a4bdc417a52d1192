"""Request bodies from a file, bytes, a stream or an iterator, in pieces: memory does not depend on their size."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

PIECE_BYTES = 1 << 18
"""Read and sent at a time."""
GZIP_WBITS = 16 + zlib.MAX_WBITS
GZIP_LEVEL = 1
"""The fastest level: the network is the bottleneck."""

Source = str | os.PathLike[str] | bytes | BinaryIO | Iterable[bytes]
"""What can be submitted; a string is a path."""


@dataclass
class Upload:
    """A request body, reread for each attempt if its source allows."""

    make: Callable[[], Iterator[bytes]]
    size: int | None = None
    """Bytes; None if unknown."""
    once: bool = False
    """Whether the source can be read only once."""
    started: bool = field(default=False, init=False)

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        # An empty piece would end the body.
        return filter(None, self.make())

    @property
    def can_be_sent(self) -> bool:
        """Whether the whole body can still be sent."""
        return not (self.once and self.started)

    def compressed(self) -> "Upload":
        """Return the same body compressed with gzip."""
        return replace(self, make=lambda: _gzip(self.make()), size=None)


def upload_of(source: Source) -> Upload:
    """Make a body; raises OSError if the file cannot be read."""
    if isinstance(source, bytes):
        return Upload(lambda: iter((source,)), len(source))
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        # Opened now, so that a file that cannot be read is an error before a connection is made.
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
        # A pipe has no size and can be read only once.
        return (
            Upload(lambda: _file_pieces(path), size)
            if path.is_file()
            else Upload(lambda: _file_pieces(path), once=True)
        )
    if hasattr(source, "read"):
        return _stream_upload(cast(BinaryIO, source))
    return Upload(lambda: iter(source), once=True)


def name_of(source: Source) -> str | None:
    """Return the name of a file without its folder; None if the source has no name."""
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    return Path(name).name if isinstance(name, str | os.PathLike) else None


def _stream_upload(stream: BinaryIO) -> Upload:
    if not (hasattr(stream, "seekable") and stream.seekable()):
        return Upload(lambda: _stream_pieces(stream), once=True)
    start = stream.tell()
    size = stream.seek(0, os.SEEK_END) - start

    def from_start() -> Iterator[bytes]:
        stream.seek(start)
        return _stream_pieces(stream)

    stream.seek(start)
    return Upload(from_start, size)


def _file_pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _stream_pieces(file)


def _stream_pieces(stream: BinaryIO) -> Iterator[bytes]:
    return iter(partial(stream.read, PIECE_BYTES), b"")


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WBITS)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()

"""What is sent: a file, bytes, a stream or an iterator, in pieces, so that memory does not depend on its size."""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

PIECE = 1 << 18
"""Bytes that are read and sent at a time."""
GZIP = 16 + zlib.MAX_WBITS
QUICK = 1
"""Compression level: the line is to be kept busy, not the processor."""

Source = str | os.PathLike[str] | bytes | BinaryIO | Iterable[bytes]
"""What can be submitted; a string is the path of a file."""

FORMATS = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrows",
}
ENCODINGS = {".gz": "gzip", ".zst": "zstd"}


@dataclass
class Upload:
    """A body that is made anew for each attempt, where its source allows."""

    make: Callable[[], Iterator[bytes]]
    size: int | None = None
    """Bytes, where that is known."""
    once: bool = False
    """Whether the source is gone once it has been read."""
    begun: bool = field(default=False, init=False)

    def __iter__(self) -> Iterator[bytes]:
        self.begun = True
        # An empty piece would look like the end.
        return filter(None, self.make())

    @property
    def can_be_sent(self) -> bool:
        """Whether the whole of it is still there."""
        return not (self.once and self.begun)

    def compressed(self) -> "Upload":
        """Make the same with gzip."""
        return replace(self, make=lambda: _gzip(self.make()), size=None)


def upload_of(source: Source) -> Upload:
    """Make a body; raises OSError if the file cannot be read, ValueError if the source gives no bytes."""
    if isinstance(source, bytes):
        return Upload(lambda: iter((source,)), len(source))
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        # Opened now, so that what cannot be read is told before a connection is made.
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
        # A pipe has no size and is gone once read.
        return (
            Upload(lambda: _file_pieces(path), size)
            if path.is_file()
            else Upload(lambda: _file_pieces(path), once=True)
        )
    if hasattr(source, "read"):
        return _stream_upload(cast(BinaryIO, source))
    return Upload(lambda: iter(source), once=True)


def guess_format(name: str | os.PathLike[str] | None) -> tuple[str | None, str | None]:
    """Tell format and content encoding from a file name: `rows.csv.gz` is ("csv", "gzip"); None what is not known."""
    suffixes = [suffix.lower() for suffix in Path(name or "").suffixes]
    encoding = ENCODINGS.get(suffixes[-1]) if suffixes else None
    if encoding:
        suffixes.pop()
    return (FORMATS.get(suffixes[-1]) if suffixes else None), encoding


def name_of(source: Source) -> str | None:
    """Name a file without its folder; None for what has no name."""
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
    return iter(partial(stream.read, PIECE), b"")


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(QUICK, wbits=GZIP)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()

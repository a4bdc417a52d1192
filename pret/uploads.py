"""Request bodies from a file, bytes, a stream or an iterator, in pieces: memory does not depend on their size."""

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

PIECE_BYTES = 1 << 18
"""Read and sent at a time."""
GZIP_WBITS = 16 + zlib.MAX_WBITS
GZIP_LEVEL = 1
"""The fastest level: the network is the bottleneck."""

LONGEST_NAME, LONGEST_PATH = 255, 4096
"""Bytes that a file system takes for a name and for a path."""

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Iterable[bytes]
"""What can be submitted; a string is a path."""
Buffer = bytes | bytearray | memoryview


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


_ONE_COLUMN = ("to_frame", "__array_interface__", "__arrow_c_stream__")
"""What the types of a Series or an array have; tables are told apart before."""


def check_source(source: object) -> None:
    """Raise TypeError or ValueError, in a sentence that repeats nothing of it, for what cannot be submitted."""
    if isinstance(source, str) and _is_text(source) and not os.path.exists(source):  # noqa: PTH110 - any text will do
        raise ValueError("This is the text of a file, not its path: submit text.encode(), and give the format.")
    if isinstance(source, io.TextIOBase):
        raise TypeError("This stream gives text: open the file in binary mode, open(path, 'rb').")
    if any(hasattr(type(source), name) for name in _ONE_COLUMN):
        raise TypeError(f"A {type(source).__name__} has no named columns: submit a table, such as a DataFrame.")
    if isinstance(source, Mapping) or not (isinstance(source, str | os.PathLike | Buffer) or _gives_pieces(source)):
        kind = type(source).__name__
        raise TypeError(f"A {kind} cannot be submitted: give a path, bytes, a binary stream or a table.")


def upload_of(source: Source) -> Upload:
    """Make a body; raises OSError if the file cannot be read."""
    if isinstance(source, Buffer):
        content = bytes(source)
        return Upload(lambda: iter((content,)), len(content))
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
    return Upload(lambda: map(_checked, source), once=True)


def name_of(source: Source) -> str | None:
    """Return the name of a file without its folder; None if the source has no name."""
    name = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    return Path(name).name if isinstance(name, str | os.PathLike) else None


def name_in_zip(source: Source) -> str | None:
    """Give the name of the one file in a zip archive at a path or in a seekable stream; None if it has none, or several."""
    if not isinstance(source, str | os.PathLike) and not _is_seekable(source):
        return None
    try:
        with zipfile.ZipFile(cast(BinaryIO, source)) as archive:
            names = [name for name in archive.namelist() if _is_file(name)]
    except (zipfile.BadZipFile, OSError, ValueError):
        return None
    return names[0] if len(names) == 1 else None


def _is_file(name: str) -> bool:
    """Whether an entry of an archive is a file that somebody put there: neither a folder nor an addition of macOS."""
    return not (name.endswith("/") or name.startswith("__MACOSX/") or name.split("/")[-1] == ".DS_Store")


def _is_text(text: str) -> bool:
    """Whether a string is rather the content of a file than its path."""
    names = os.fsencode(text.replace("\\", "/")).split(b"/") if len(text) <= LONGEST_PATH else [text.encode()]
    is_long = max(map(len, names)) > LONGEST_NAME
    return is_long or "\n" in text or "\r" in text or text.lstrip()[:1] in ("{", "[")


def _gives_pieces(source: object) -> bool:
    return hasattr(type(source), "read") or hasattr(source, "read") or hasattr(type(source), "__iter__")


def _checked(piece: object) -> bytes:
    if isinstance(piece, Buffer):
        return bytes(piece)
    raise TypeError(f"The source gives {type(piece).__name__}, not bytes. Rows as mappings go to score_many().")


def _stream_upload(stream: BinaryIO) -> Upload:
    if not _is_seekable(stream):
        return Upload(lambda: _stream_pieces(stream), once=True)
    start = stream.tell()
    size = stream.seek(0, os.SEEK_END) - start

    def from_start() -> Iterator[bytes]:
        stream.seek(start)
        return _stream_pieces(stream)

    stream.seek(start)
    return Upload(from_start, size)


def _is_seekable(source: object) -> bool:
    return hasattr(source, "read") and hasattr(source, "seekable") and bool(source.seekable())


def _file_pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _stream_pieces(file)


def _stream_pieces(stream: BinaryIO) -> Iterator[bytes]:
    return map(_checked, iter(partial(stream.read, PIECE_BYTES), b""))


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_WBITS)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()

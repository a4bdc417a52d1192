"""Where downloads are written: to a file that appears once it is complete, or to a stream."""

import os
from pathlib import Path
from typing import BinaryIO, Protocol

from pret.errors import NotReachable

Target = str | os.PathLike[str] | BinaryIO
"""A string is a path."""


class Sink(Protocol):
    """Takes the pieces of a download."""

    def write(self, piece: bytes) -> None:
        """Write a piece."""

    def restart(self) -> None:
        """Discard what was written and start over; raises NotReachable if that is impossible."""

    def finish(self) -> None:
        """Complete the download."""

    def discard(self) -> None:
        """Abandon the download."""


class FileSink:
    """Writes `X.part`, which becomes `X` once it is complete, or is removed."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")
        self._file = self._part.open("wb")

    def write(self, piece: bytes) -> None:
        """Write a piece."""
        self._file.write(piece)

    def restart(self) -> None:
        """Empty the file."""
        self._file.seek(0)
        self._file.truncate()

    def finish(self) -> None:
        """Rename the file to its final name."""
        self._file.close()
        self._part.replace(self._path)

    def discard(self) -> None:
        """Remove the file."""
        self._file.close()
        self._part.unlink(missing_ok=True)


class StreamSink:
    """Writes to the stream of a caller, from its current position."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = stream.tell() if hasattr(stream, "seekable") and stream.seekable() else None

    def write(self, piece: bytes) -> None:
        """Write a piece."""
        self._stream.write(piece)

    def restart(self) -> None:
        """Go back to where the download began, if the stream can."""
        if self._start is None:
            raise NotReachable("The connection broke, and the stream cannot be rewound to start over.", sent=True)
        self._stream.seek(self._start)
        self._stream.truncate()

    def finish(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def discard(self) -> None:
        """Leave the stream as it is."""


def open_sink(target: Target) -> Sink:
    """Open the sink for a target; raises OSError if the file cannot be written."""
    return FileSink(Path(target)) if isinstance(target, str | os.PathLike) else StreamSink(target)

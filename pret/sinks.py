"""Where a download goes: a file that appears when it is whole, or a stream."""

import os
from pathlib import Path
from typing import BinaryIO, Protocol

from pret.errors import NotReachable

Target = str | os.PathLike[str] | BinaryIO
"""A string is the path of a file."""


class Sink(Protocol):
    """What takes the pieces of a download."""

    def write(self, piece: bytes) -> None:
        """Take a piece."""

    def restart(self) -> None:
        """Forget what was written; raises NotReachable if that cannot be."""

    def finish(self) -> None:
        """Take it that the download is whole."""

    def discard(self) -> None:
        """Take it that no more will come."""


class FileSink:
    """Writes `X.part`, which becomes `X` at the end or is removed."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")
        self._file = self._part.open("wb")

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        self._file.write(piece)

    def restart(self) -> None:
        """Empty the file."""
        self._file.seek(0)
        self._file.truncate()

    def finish(self) -> None:
        """Give the file its name."""
        self._file.close()
        self._part.replace(self._path)

    def discard(self) -> None:
        """Remove what there is."""
        self._file.close()
        self._part.unlink(missing_ok=True)


class StreamSink:
    """Writes to a stream of someone else, from where it stands."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = stream.tell() if hasattr(stream, "seekable") and stream.seekable() else None

    def write(self, piece: bytes) -> None:
        """Take a piece."""
        self._stream.write(piece)

    def restart(self) -> None:
        """Go back to the start, where the stream can."""
        if self._start is None:
            raise NotReachable(
                "The connection broke, and what was written to the stream cannot be taken back.", sent=True
            )
        self._stream.seek(self._start)
        self._stream.truncate()

    def finish(self) -> None:
        """Hand over what is buffered."""
        self._stream.flush()

    def discard(self) -> None:
        """Leave it as it is."""


def sink_of(target: Target) -> Sink:
    """Make the sink; raises OSError if the file cannot be written."""
    return FileSink(Path(target)) if isinstance(target, str | os.PathLike) else StreamSink(target)

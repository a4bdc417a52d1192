"""A file on its way to the service: read from memory in pieces, with its progress."""

import codecs
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from pret import Client, Job
from ui.batch.content import SUFFIXES, Unreadable
from ui.batch.preview import Preview

OnProgress = Callable[[float], object]
"""Called with the share of the file that is sent, from 0 to 1."""


@dataclass(frozen=True)
class Order:
    """What to do with a file. Sent again with the same `key`, it is still one job."""

    keep: tuple[str, ...] = ()
    on_invalid: str = "flag"
    delimiter: str | None = None
    decimal: str | None = None
    key: str = field(default="", compare=False)
    explain: int | None = None
    """Reasons for each row of the results."""


def send(client: Client, name: str, data: BinaryIO, preview: Preview, order: Order, on_progress: OnProgress) -> Job:
    """Submit a file; text in another encoding is sent as UTF-8. Raises PretError, and Unreadable if it cannot be decoded."""
    source = (
        CountedStream(data, on_progress)
        if preview.encoding == "utf-8"
        else RecodedStream(data, on_progress, preview.encoding)
    )
    try:
        return client.submit(
            source,
            format=preview.content.format,
            keep=order.keep,
            on_invalid=order.on_invalid,
            delimiter=order.delimiter,
            decimal=order.decimal,
            explain=order.explain,
            name=name_to_send(name, preview),
            idempotency_key=order.key or None,
        )
    except UnicodeDecodeError as error:
        raise Unreadable("encoding") from error


def name_to_send(name: str, preview: Preview) -> str:
    """Return a name with the extension of the compression, from which the client detects it."""
    bare = name
    for suffix in SUFFIXES.values():
        bare = bare[: -len(suffix)] if bare.lower().endswith(suffix) else bare
    return bare + SUFFIXES.get(preview.content.packing or "", "")


class CountedStream(io.RawIOBase):
    """A stream that reads from another one and reports its progress."""

    def __init__(self, data: BinaryIO, on_progress: OnProgress) -> None:
        super().__init__()
        self._data, self._on_progress = data, on_progress
        self._size = data.seek(0, io.SEEK_END) or 1
        data.seek(0)

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read again: yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._data.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read a piece."""
        piece = self._data.read(size)
        self._on_progress(min(self._data.tell() / self._size, 1.0))
        return piece


class RecodedStream(CountedStream):
    """The same in UTF-8; its length, and whether it can be decoded at all, is known only at its end."""

    def __init__(self, data: BinaryIO, on_progress: OnProgress, encoding: str) -> None:
        super().__init__(data, on_progress)
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def seekable(self) -> bool:
        """Whether it can be read again: no."""
        return False

    def read(self, size: int = -1) -> bytes:
        """Read a piece, empty at the end; raises UnicodeDecodeError."""
        while piece := super().read(size):
            if text := self._decoder.decode(piece):
                return text.encode()
        return self._decoder.decode(b"", final=True).encode()

"""A file on its way to the service: read from memory piece by piece, with news of how far it is."""

import codecs
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from pret import Client, Job
from ui.batch.content import SUFFIXES, Unreadable
from ui.batch.preview import Preview

Told = Callable[[float], object]
"""Is told which share of the file is sent, from 0 to 1."""


@dataclass(frozen=True)
class Order:
    """What is to be done with a file; the same `key` makes one job, however often it is sent."""

    keep: tuple[str, ...] = ()
    on_invalid: str = "flag"
    delimiter: str | None = None
    decimal: str | None = None
    key: str = field(default="", compare=False)


def send(client: Client, name: str, data: BinaryIO, preview: Preview, order: Order, told: Told) -> Job:
    """Submit a file; text in another encoding goes as UTF-8. Raises PretError, and Unreadable if that cannot be."""
    source = CountedStream(data, told) if preview.encoding == "utf-8" else RecodedStream(data, told, preview.encoding)
    try:
        return client.submit(
            source,
            format=preview.content.format,
            keep=order.keep,
            on_invalid=order.on_invalid,
            delimiter=order.delimiter,
            decimal=order.decimal,
            name=name_to_send(name, preview),
            idempotency_key=order.key or None,
        )
    except UnicodeDecodeError as error:
        raise Unreadable("encoding") from error


def name_to_send(name: str, preview: Preview) -> str:
    """Give the name its file should have, for the client reads from it how the file is packed."""
    bare = name
    for suffix in SUFFIXES.values():
        bare = bare[: -len(suffix)] if bare.lower().endswith(suffix) else bare
    return bare + SUFFIXES.get(preview.content.packing or "", "")


class CountedStream(io.RawIOBase):
    """Reads from another stream and tells how far it is."""

    def __init__(self, data: BinaryIO, told: Told) -> None:
        super().__init__()
        self._data, self._told = data, told
        self._size = data.seek(0, io.SEEK_END) or 1
        data.seek(0)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read again."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._data.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read a piece."""
        piece = self._data.read(size)
        self._told(min(self._data.tell() / self._size, 1.0))
        return piece


class RecodedStream(CountedStream):
    """The same in UTF-8; how long that is, and whether all of it can be decoded, is not known before its end."""

    def __init__(self, data: BinaryIO, told: Told, encoding: str) -> None:
        super().__init__(data, told)
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def seekable(self) -> bool:
        """Say that it is read once."""
        return False

    def read(self, size: int = -1) -> bytes:
        """Read a piece; an empty one is the end. Raises UnicodeDecodeError."""
        while piece := super().read(size):
            if text := self._decoder.decode(piece):
                return text.encode()
        return self._decoder.decode(b"", final=True).encode()

"""Where rows come from, and how to read them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

DELIMITER = ","
"""Default delimiter of CSV."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read a file, according to the caller."""

    keep: tuple[str, ...] = ()
    """Columns to repeat in the results, in this order; they need not be features."""
    delimiter: str | None = None
    """CSV delimiter; None for that of a first line `sep=;`, else DELIMITER."""
    decimal: str = "."
    missing: tuple[str, ...] = ()
    """CSV: further spellings of a missing value, exactly so, in every feature."""
    kept_types: tuple[str, ...] | None = None
    """JSON: Arrow's names of the types of the kept columns, in their order, where some rows alone would suggest others."""


Check = Callable[[bytes], object]
"""Sees the first HEAD_BYTES of a file, or all of a shorter one; raises MalformedInput if it is not what it is said to be."""

HEAD_BYTES = 8


class Text(Protocol):
    """A decompressed file that is read from its beginning."""

    def stream(self) -> AbstractContextManager[BinaryIO]:
        """Open the file for sequential reading."""


class Source(Text, Protocol):
    """A decompressed file. It is never held in memory as a whole."""

    def local_file(self, check: Check) -> AbstractContextManager[Path]:
        """Provide the file at a local path, for formats that need random access, unless `check` raises."""


class TextInMemory:
    """A few rows of text."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> AbstractContextManager[BinaryIO]:
        """Open the text for sequential reading."""
        return BytesIO(self._content)


class LocalFile:
    """A file on this machine that is not compressed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """Open the file for sequential reading."""
        with self._path.open("rb") as file:
            yield file

    @contextmanager
    def local_file(self, check: Check) -> Iterator[Path]:
        """Return its own path."""
        with self._path.open("rb") as file:
            check(file.read(HEAD_BYTES))
        yield self._path

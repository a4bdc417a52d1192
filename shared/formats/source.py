"""Where rows come from, and how to read them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

DELIMITER = ","
"""Between the fields of CSV, unless something else is said."""


@dataclass(frozen=True)
class ReadOptions:
    """What the caller says of a file."""

    keep: tuple[str, ...] = ()
    """Columns to repeat in the results, in this order; they need not be features."""
    delimiter: str | None = None
    """Of CSV; None where the caller does not say: then that of a first line `sep=;`, or DELIMITER."""
    decimal: str = "."
    kept_as_text: bool = False
    """Read kept columns as text, for the values of one of them are of several types."""


class Source(Protocol):
    """A file, decoded from whatever compression it came in. Nothing here holds all of it in memory."""

    def stream(self) -> AbstractContextManager[BinaryIO]:
        """Open it for reading from its beginning to its end."""

    def local_file(self) -> AbstractContextManager[Path]:
        """Give it as a file on this machine, for formats that are not read in order."""

"""Where rows come from, and how to read them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, get_args

Encoding = Literal["gzip", "zstd"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)


class Format(StrEnum):
    """What a body or a file may be written in; the value is the usual end of a file's name."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"  # Arrow IPC file (also called Feather)
    ARROW_STREAM = "arrows"  # Arrow IPC stream


@dataclass(frozen=True)
class ReadOptions:
    """What the caller says of a file."""

    keep: tuple[str, ...] = ()
    """Columns to repeat in the results, in this order; they need not be features."""
    delimiter: str = ","
    decimal: str = "."
    kept_as_text: bool = False
    """Read kept columns as text, for the values of one of them are of several types."""


class Source(Protocol):
    """A file, decoded from whatever compression it came in. Nothing here holds all of it in memory."""

    def stream(self) -> AbstractContextManager[BinaryIO]:
        """Open it for reading from its beginning to its end."""

    def local_file(self) -> AbstractContextManager[Path]:
        """Give it as a file on this machine, for formats that are not read in order."""


ENDINGS: dict[str, Format] = {
    "json": Format.JSON,
    "ndjson": Format.NDJSON,
    "jsonl": Format.NDJSON,
    "csv": Format.CSV,
    "tsv": Format.CSV,
    "txt": Format.CSV,
    "parquet": Format.PARQUET,
    "pq": Format.PARQUET,
    "arrow": Format.ARROW,
    "feather": Format.ARROW,
    "arrows": Format.ARROW_STREAM,
}
ENCODING_ENDINGS: dict[str, Encoding] = {"gz": "gzip", "zst": "zstd"}


def format_of_name(name: str) -> tuple[Format | None, Encoding | None]:
    """Tell from the name of a file what it is written in and how it is compressed."""
    *front, last = name.lower().rsplit("/", 1)[-1].split(".")
    encoding = ENCODING_ENDINGS.get(last)
    if encoding and front:
        last = front.pop()
    return (ENDINGS.get(last) if front else None), encoding

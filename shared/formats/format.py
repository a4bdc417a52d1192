"""What rows are written in, and how that is called: the one table of formats and compressions, for all who read or write."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

Encoding = Literal["gzip", "zstd", "bz2", "xz", "zip"]
"""How a file is compressed; the name in `Content-Encoding`."""
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
ENCODING_ENDINGS: dict[str, Encoding] = {"gz": "gzip", "zst": "zstd", "bz2": "bz2", "xz": "xz", "zip": "zip"}
ENCODING_ALIASES: dict[str, Encoding] = {"x-gzip": "gzip", "bzip2": "bz2", "x-bzip2": "bz2", "x-xz": "xz"}
"""Other names that `Content-Encoding` may have."""
STREAMED = tuple(encoding for encoding in ENCODINGS if encoding != "zip")
"""Those that are read in order; the table of contents of a zip archive stands at its end."""


class Format(StrEnum):
    """What a body or a file may be written in; the value is the usual ending of a file's name."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"  # Arrow IPC file (also called Feather)
    ARROW_STREAM = "arrows"  # Arrow IPC stream


@dataclass(frozen=True)
class Facts:
    """What there is to know of a format."""

    media_types: tuple[str, ...]
    """As HTTP names it; the first one is what results are sent as."""
    endings: tuple[str, ...]
    """Of files' names; the first one is what results are named with."""
    is_file: bool = True
    """Whether it comes and goes as a file. A JSON document is read in the API, as a whole, and results come as pages of it."""
    charset: str | None = None

    @property
    def content_type(self) -> str:
        """The header `Content-Type` of results."""
        return self.media_types[0] + (f"; charset={self.charset}" if self.charset else "")


FORMATS: dict[Format, Facts] = {
    Format.JSON: Facts(("application/json",), ("json",), is_file=False),
    Format.NDJSON: Facts(("application/x-ndjson", "application/ndjson", "application/jsonl"), ("ndjson", "jsonl")),
    Format.CSV: Facts(("text/csv", "application/csv"), ("csv", "tsv", "txt"), charset="utf-8"),
    Format.PARQUET: Facts(("application/vnd.apache.parquet", "application/x-parquet"), ("parquet", "pq")),
    Format.ARROW: Facts(("application/vnd.apache.arrow.file",), ("arrow", "feather", "ipc")),
    Format.ARROW_STREAM: Facts(("application/vnd.apache.arrow.stream",), ("arrows",)),
}

TEXT = frozenset({Format.JSON, Format.NDJSON, Format.CSV})
"""Formats that a caller may write in another charset than UTF-8."""

BY_MEDIA_TYPE = {media: format for format, facts in FORMATS.items() for media in facts.media_types}
BY_ENDING = {ending: format for format, facts in FORMATS.items() for ending in facts.endings}
FILE_ENDINGS = [f".{ending}" for ending, format in BY_ENDING.items() if FORMATS[format].is_file]
"""Endings of names of files that a worker reads."""
PACKED_ENDINGS = [f".{ending}" for ending in ENCODING_ENDINGS]
"""Endings that may follow these, of compressed files."""


def format_of_name(name: str) -> tuple[Format | None, Encoding | None]:
    """Tell from the name of a file what it is written in and how it is compressed."""
    ending, encoding = _endings(name)
    return BY_ENDING.get(ending), encoding


def is_tab_separated(name: str) -> bool:
    """Tell from the name of a file, compressed or not, whether tabs stand between its fields."""
    return _endings(name)[0] == "tsv"


def _endings(name: str) -> tuple[str, Encoding | None]:
    """Split off the ending of a name, in lower case and without that of its compression; "" where there is none."""
    *front, last = name.lower().rsplit("/", 1)[-1].split(".")
    encoding = ENCODING_ENDINGS.get(last)
    if encoding and front:
        last = front.pop()
    return (last if front else ""), encoding

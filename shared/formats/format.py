"""The table of formats and compressions, shared by all readers and writers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

Encoding = Literal["gzip", "zstd", "bz2", "xz", "zip"]
"""The compression of a file; the value is its name in `Content-Encoding`."""
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
ENCODING_ENDINGS: dict[str, Encoding] = {"gz": "gzip", "zst": "zstd", "bz2": "bz2", "xz": "xz", "zip": "zip"}
ENCODING_ALIASES: dict[str, Encoding] = {"x-gzip": "gzip", "bzip2": "bz2", "x-bzip2": "bz2", "x-xz": "xz"}
"""Aliases in `Content-Encoding`."""
ZIP_MEDIA_TYPES = ("application/zip", "application/x-zip-compressed")
"""Media types of an archive, in which the name of the file tells the format."""
STREAMED = tuple(encoding for encoding in ENCODINGS if encoding != "zip")
"""Compressions that can be streamed; the directory of a zip archive is at its end."""


class Format(StrEnum):
    """The format of a body or file; the value is the usual file extension."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"  # Arrow IPC file (also called Feather)
    ARROW_STREAM = "arrows"  # Arrow IPC stream


@dataclass(frozen=True)
class Facts:
    """The properties of a format."""

    media_types: tuple[str, ...]
    """Media types; results are sent as the first one."""
    endings: tuple[str, ...]
    """File extensions; results are named with the first one."""
    is_file: bool = True
    """Whether it is exchanged as a file. A JSON document is read as a whole by the API, and JSON results come in pages."""
    charset: str | None = None

    @property
    def content_type(self) -> str:
        """The `Content-Type` header of results."""
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
"""Extensions of files that a worker reads."""
PACKED_ENDINGS = [f".{ending}" for ending in ENCODING_ENDINGS]
"""Additional extensions of compressed files."""


def format_of_name(name: str) -> tuple[Format | None, Encoding | None]:
    """Return the format and compression of a file, from its name."""
    ending, encoding = _endings(name)
    return BY_ENDING.get(ending), encoding


def is_tab_separated(name: str) -> bool:
    """Return whether a file, compressed or not, is tab-separated according to its name."""
    return _endings(name)[0] == "tsv"


def _endings(name: str) -> tuple[str, Encoding | None]:
    """Return the extension of a name, in lower case and without that of its compression ("" if none), and the compression."""
    *front, last = name.lower().rsplit("/", 1)[-1].split(".")
    encoding = ENCODING_ENDINGS.get(last)
    if encoding and front:
        last = front.pop()
    return (last if front else ""), encoding

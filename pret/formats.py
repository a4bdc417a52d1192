"""The formats that the service reads and writes, in one table. A test compares it with the service's own."""

import os
from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True)
class Format:
    """A format of rows or results."""

    name: str
    media_types: tuple[str, ...]
    """Media types; requests use the first one."""
    endings: tuple[str, ...]
    """File extensions, without the dot; the first is the usual one."""
    readable: bool = True
    """Whether rows may be submitted in it."""
    writable: bool = True
    """Whether results can be downloaded in it."""


@dataclass(frozen=True)
class Encoding:
    """A compression of files."""

    name: str
    endings: tuple[str, ...]


FORMATS = (
    Format("json", ("application/json",), ("json",), writable=False),
    Format("ndjson", ("application/x-ndjson", "application/ndjson", "application/jsonl"), ("ndjson", "jsonl")),
    Format("csv", ("text/csv", "application/csv"), ("csv", "tsv", "txt")),
    Format("parquet", ("application/vnd.apache.parquet", "application/x-parquet"), ("parquet", "pq")),
    Format("arrow", ("application/vnd.apache.arrow.file",), ("arrow", "feather", "ipc")),
    Format("arrows", ("application/vnd.apache.arrow.stream",), ("arrows",)),
)
ENCODINGS = (
    Encoding("gzip", ("gz",)),
    Encoding("zstd", ("zst",)),
    Encoding("bz2", ("bz2",)),
    Encoding("xz", ("xz",)),
    Encoding("zip", ("zip",)),
)

READABLE = tuple(format.name for format in FORMATS if format.readable)
"""Names of the formats of rows."""
WRITABLE = tuple(format.name for format in FORMATS if format.writable)
"""Names of the formats of result files."""

_BY_NAME = {format.name: format for format in FORMATS}
_BY_ENDING = {ending: format.name for format in FORMATS for ending in format.endings}
_ENCODING_BY_ENDING = {ending: encoding.name for encoding in ENCODINGS for ending in encoding.endings}

FileName = str | os.PathLike[str]


def guess_format(name: FileName | None) -> tuple[str | None, str | None]:
    """Return format and content encoding from a file name: ("csv", "gzip") for `rows.csv.gz`. None for what is unknown."""
    ending, compression = _endings(name)
    return _BY_ENDING.get(ending), _ENCODING_BY_ENDING.get(compression)


def is_tab_separated(name: FileName | None) -> bool:
    """Return whether a file is tab-separated according to its name."""
    return _endings(name)[0] == "tsv"


def media_type(format: str) -> str:
    """Return the media type for sending a format."""
    return _BY_NAME[format].media_types[0]


def result_format(format: str | None) -> str:
    """Return the format of results that suits rows of this format."""
    if format in WRITABLE:
        return str(format)
    return "ndjson" if format == "json" else "csv"


def usual_ending(format: str) -> str:
    """Return the usual file extension, with the dot."""
    return f".{_BY_NAME[format].endings[0]}"


def _endings(name: FileName | None) -> tuple[str, str]:
    """Split off the extension of a file name and that of its compression, in lower case; "" if there is none."""
    *front, ending = PurePath(name or "").name.lower().split(".")
    compression = ending if front and ending in _ENCODING_BY_ENDING else ""
    if compression:
        ending = front.pop()
    return (ending if front else ""), compression

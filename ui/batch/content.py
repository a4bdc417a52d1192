"""The format of a file, from its name and first bytes, and its beginning as text."""

import codecs
from dataclasses import dataclass
from typing import BinaryIO

from pret.formats import ENCODINGS, guess_format
from ui.batch.packed import DAMAGE, head_of, name_inside

HEAD_BYTES = 1 << 20
"""Decompressed bytes of a file that a preview looks at."""
MAGIC_BYTES = 8

FORMATS = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrows"}
PACKED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"PK\x03\x04": "zip",
}
FOREIGN = {
    b"\x89PNG": "image",
    b"\xff\xd8\xff": "image",
    b"GIF8": "image",
    b"%PDF": "document",
    b"\xd0\xcf\x11\xe0": "workbook",
}
SUFFIXES = {encoding.name: f".{encoding.endings[0]}" for encoding in ENCODINGS}
LINE_FORMATS = ("csv", "ndjson")
TEXT_FORMATS = (*LINE_FORMATS, "json")
CODECS = {"utf-8": "utf-8-sig", "cp1252": "cp1252"}
"""Codecs by encoding: the second is what spreadsheets write if they do not write UTF-8."""


class Unreadable(Exception):
    """The file cannot be scored as it is; `reason` names the sentences for it, `portfolio.file_…` and `portfolio.way_…`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Content:
    """Format and compression, if any, as the service names them."""

    format: str
    packing: str | None = None


@dataclass(frozen=True)
class Beginning:
    """The first characters of a text file, and the encoding in which they were read."""

    text: str
    encoding: str
    whole: bool
    """Whether it is all of the file."""

    @property
    def lines(self) -> str:
        """The text without a last line that is cut; raises Unreadable if there is no line end."""
        if self.whole:
            return self.text
        lines, end, _ = self.text.rpartition("\n")
        if not end:
            raise Unreadable("long_line")
        return lines


def content_of(name: str, data: BinaryIO) -> Content:
    """Detect the format of a file; its first bytes take precedence over its name. Raises Unreadable."""
    magic = _first(data)
    if not magic:
        raise Unreadable("empty")
    if foreign := _starting(FOREIGN, magic):
        raise Unreadable(foreign)
    packing = _starting(PACKED, magic)
    format, _ = guess_format(_name_in(data, name) if packing == "zip" else name)
    if packing and format not in (None, *LINE_FORMATS):
        raise Unreadable("not_packed")
    binary = _starting(FORMATS, magic)
    if binary:
        return Content(binary)
    if format not in (None, *TEXT_FORMATS):
        raise Unreadable("other_content")
    return Content(format or "csv", packing)


def beginning_of(data: BinaryIO, packing: str | None) -> Beginning:
    """Read the first characters of a text file; raises Unreadable if it holds something else."""
    data.seek(0)
    head = data.read(HEAD_BYTES + 1) if packing is None else _unpacked(data, packing)
    whole, head = len(head) <= HEAD_BYTES, head[:HEAD_BYTES]
    if not head.strip():
        raise Unreadable("empty")
    text, encoding = _text(head, whole=whole)
    if not text.strip():
        raise Unreadable("empty")
    return Beginning(text, encoding, whole)


def _text(head: bytes, *, whole: bool) -> tuple[str, str]:
    """Decode with the first encoding that fits, and name it."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = {"utf-16": "utf-16"}
    elif b"\0" in head:
        raise Unreadable("binary")
    else:
        encodings = CODECS
    for name, codec in encodings.items():
        try:
            return _decoded(head, codec, whole=whole), name
        except UnicodeDecodeError:
            continue
    raise Unreadable("encoding")


def _decoded(head: bytes, encoding: str, *, whole: bool) -> str:
    # The last character may be cut.
    return codecs.getincrementaldecoder(encoding)().decode(head, final=whole)


def _name_in(data: BinaryIO, name: str) -> str:
    """Return the name of the file in an archive, or that of the archive if it tells the format; raises Unreadable."""
    inner = name_inside(data)
    if inner is None:
        raise Unreadable("workbook")
    return name if guess_format(name)[0] else inner


def _unpacked(data: BinaryIO, packing: str) -> bytes:
    try:
        return head_of(data, packing, HEAD_BYTES + 1)
    except DAMAGE as error:
        raise Unreadable("packing") from error


def _first(data: BinaryIO) -> bytes:
    data.seek(0)
    return data.read(MAGIC_BYTES)


def _starting(known: dict[bytes, str], magic: bytes) -> str | None:
    return next((name for start, name in known.items() if magic.startswith(start)), None)

"""The beginning of a compressed file, in bounded memory, and the name of the file in a zip archive."""

import bz2
import lzma
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa

from pret.uploads import name_in_zip

PIECE_BYTES = 1 << 16
XZ_BYTES = 80 << 20
"""Memory limit of xz, which is the service's too."""
DIRECTORY_BYTES = 1 << 20
"""Limit of the directory of an archive, which is read at once; in memory it takes ten times as much."""
DAMAGE = (OSError, EOFError, ValueError, RuntimeError, LookupError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What the decompressors raise for damaged data; Arrow's errors are among them."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""Compressions of the files in an archive that the service reads; another one may demand gigabytes of memory."""

MEMBERS: dict[str, Callable[[], Any]] = {
    "bz2": bz2.BZ2Decompressor,
    "xz": partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, XZ_BYTES),
}


def name_inside(data: BinaryIO) -> str | None:
    """Return the name of the one file in a zip archive; None if there is none, or several, as in a workbook."""
    return name_in_zip(_Bounded(data))  # type: ignore[arg-type]


def head_of(data: BinaryIO, packing: str, size: int) -> bytes:
    """Return the first `size` bytes of the content, fewer if it is smaller; raises an error of DAMAGE."""
    data.seek(0)
    if packing in MEMBERS:
        return _joined(MEMBERS[packing], data, size)
    if packing == "zip":
        return _unzipped(data, size)
    with pa.CompressedInputStream(pa.PythonFile(data, mode="r"), packing) as stream:
        return bytes(stream.read(size))


def _unzipped(data: BinaryIO, size: int) -> bytes:
    with zipfile.ZipFile(_Bounded(data)) as archive:
        entry = archive.getinfo(name_inside(data) or "")
        if entry.compress_type not in METHODS:
            raise ValueError("The service does not read this compression.")
        with archive.open(entry) as file:
            return file.read(size)


def _joined(new_member: Callable[[], Any], data: BinaryIO, size: int) -> bytes:
    """Read members that follow one another; zeros between and after them are padding."""
    head, member = b"", new_member()
    waiting = data.read(PIECE_BYTES)
    while len(head) < size:
        if member.needs_input and not waiting:
            waiting = data.read(PIECE_BYTES)
            if not waiting:
                raise EOFError
        head += member.decompress(waiting, size - len(head))
        waiting = b""
        if member.eof:
            waiting = member.unused_data.lstrip(b"\0")
            while not waiting and (piece := data.read(PIECE_BYTES)):
                waiting = piece.lstrip(b"\0")
            if not waiting:
                break
            member = new_member()
    return head


class _Bounded:
    """A file of which no large piece is read at once: `zipfile` reads a directory so, whatever its size."""

    def __init__(self, data: BinaryIO) -> None:
        self._data = data
        self.seek, self.tell, self.seekable = data.seek, data.tell, data.seekable

    def read(self, size: int = -1) -> bytes:
        if size > DIRECTORY_BYTES:
            raise ValueError("The directory of the archive is too large.")
        return self._data.read(size)

"""Streaming reader of the single file in a zip archive."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from shared.errors import MalformedInput
from shared.formats.members import Readable

MAGIC = b"PK\3\4"
ENTRY_BYTES = 30
"""Bytes of the header of an entry, before its name."""
HEAD_BYTES = 4096
"""Bytes of an archive that should contain the name of its first file."""
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})
"""Supported compression methods; LZMA may demand gigabytes of memory."""
IS_ENCRYPTED = 1
"""Flag bit of an entry."""
NO_FILES = ("__MACOSX/", ".DS_Store")
"""Prefix of the entries that macOS adds."""

DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError, LookupError, ArithmeticError)
"""Errors that reading a damaged archive may raise."""


@contextmanager
def unzipped(raw: BinaryIO) -> Iterator[Readable]:
    """Open the single file in an archive; raises MalformedInput if it is not an archive, or contains no or several files."""
    watched = _Watched(raw)
    with ExitStack() as opened:
        # The caller may raise the same errors for other reasons.
        with _told(watched):
            archive = opened.enter_context(zipfile.ZipFile(watched))
            file = opened.enter_context(archive.open(_only_entry(archive)))
        yield _Entry(file, watched)


def first_name(head: bytes) -> str:
    """Read the name of the first file, skipping folders, from the beginning of an archive; "" if it is not found.

    Raises MalformedInput if it is not an archive.
    """
    if not head:
        raise MalformedInput("file-empty")
    if not head.startswith(MAGIC):
        raise MalformedInput("compressed-data-damaged", encoding="zip")
    while head.startswith(MAGIC):
        name_end = ENTRY_BYTES + int.from_bytes(head[26:28], "little")
        name = head[ENTRY_BYTES:name_end].decode("utf-8", "replace")
        if not name.endswith("/"):
            return name if name_end <= len(head) else ""
        head = head[name_end + int.from_bytes(head[28:30], "little") + int.from_bytes(head[18:22], "little") :]
    return ""


class _Watched:
    """A file that remembers its read errors, which `zipfile` treats as a damaged archive."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.error: Exception | None = None
        self.tell = raw.tell
        self.seek = raw.seek
        self.seekable = raw.seekable
        self.is_cut_off = raw.read(len(MAGIC)) == MAGIC
        """Whether an invalid archive is a truncated one."""

    def read(self, size: int = -1) -> bytes:
        try:
            return self._raw.read(size) if size >= 0 else self._raw.read()
        except Exception as error:
            self.error = error
            raise


class _Entry:
    """Reads a file in an archive, and translates errors for damaged data."""

    def __init__(self, file: Readable, watched: _Watched) -> None:
        self._file = file
        self._watched = watched

    def read(self, size: int, /) -> bytes:
        with _told(self._watched):
            return self._file.read(size)


@contextmanager
def _told(watched: _Watched) -> Iterator[None]:
    try:
        yield
    except MalformedInput:
        raise
    except DAMAGE as error:
        if watched.error is not None:
            raise watched.error from None
        if isinstance(error, EOFError) or (watched.is_cut_off and "not a zip file" in str(error)):
            raise MalformedInput("compressed-data-cut-off", encoding="zip") from None
        raise MalformedInput("compressed-data-damaged", encoding="zip") from None


def _only_entry(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    entries = [entry for entry in archive.infolist() if not (entry.is_dir() or _is_no_file(entry.filename))]
    if len(entries) != 1:
        raise MalformedInput("zip-not-one-file", count=len(entries))
    [entry] = entries
    if entry.flag_bits & IS_ENCRYPTED:
        raise MalformedInput("zip-encrypted")
    if entry.compress_type not in METHODS:
        raise MalformedInput("zip-method")
    return entry


def _is_no_file(name: str) -> bool:
    return name.startswith(NO_FILES) or name.endswith(f"/{NO_FILES[1]}")

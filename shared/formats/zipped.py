"""Streaming reader of the single file in a zip archive."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from shared.errors import MalformedInput
from shared.formats.members import Readable

MAGIC = b"PK\3\4"
DIRECTORY_BYTES = 1 << 20
"""Size limit of the directory of an archive, enough for thousands of entries; in memory it takes ten times as much."""
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


def name_inside(raw: BinaryIO) -> str:
    """Return the name of the single file in an archive; raises MalformedInput, like `unzipped`."""
    watched = _Watched(raw)
    with _told(watched), zipfile.ZipFile(watched) as archive:
        return _only_entry(archive).filename


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
        if size > DIRECTORY_BYTES:
            # Nothing else is read in one piece of that size.
            raise MalformedInput("zip-too-many-entries")
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

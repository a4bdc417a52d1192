"""The decompressed file of a job as a source of rows: its upload, or the file at its `input_uri`."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, BinaryIO, cast

import pyarrow as pa

from shared.errors import InputTooLarge
from shared.formats.charset import UTF8, recoded
from shared.formats.compression import PIECE_BYTES, decoded, spooled
from shared.formats.source import HEAD_BYTES, Check
from shared.jobs.job import Job
from shared.storage import Storage, open_uri
from shared.storage.faults import translated

TEMPORARY = "pret-reading-"
"""Prefix of temporary folders for files that are not read sequentially."""

LEFT_BEHIND = 48 * 3600.0
"""Seconds after which such a folder counts as abandoned: no reading takes that long."""

SignOfLife = Callable[[int], object]
"""Is told how many bytes of the decompressed file were read; may raise to end the reading."""


class _Living:
    """A file that gives a sign of life with each read, since there may be none else for long: no row, or nothing decompressed."""

    def __init__(self, file: Any, give_sign: SignOfLife, *, counts: bool) -> None:
        self._file = file
        self._give_sign = give_sign
        self._counts = counts

    def read(self, *size: int) -> bytes:
        data: bytes = self._file.read(*size)
        self._give_sign(len(data) if self._counts else 0)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class StoredFile:
    """The file of a job, decompressed to at most `limit` bytes; copies, if needed, go to `folder`."""

    def __init__(self, job: Job, storage: Storage, limit: int, folder: Path, give_sign: SignOfLife) -> None:
        self._job = job
        self._storage = storage
        self._limit = limit
        self._folder = folder
        self._give_sign = give_sign

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        """Open the file for sequential reading, text as UTF-8."""
        with self._opened() as raw:
            living = _Living(raw, self._give_sign, counts=False)
            with decoded(living, self._job.encoding, self._limit) as stream:
                yield recoded(cast(BinaryIO, _Living(stream, self._give_sign, counts=True)), self._job.charset)

    def part(self, start: int, size: int) -> bytes:
        """Read at most so many bytes from an offset of what `stream` reads; what comes before may have to be decoded again."""
        if self._job.encoding is None and self._job.charset == UTF8:
            with self._opened() as file:
                file.seek(min(start, file.size()))
                found: bytes = file.read(size)
                return found
        with self.stream() as stream:
            while start and (skipped := len(stream.read(min(start, PIECE_BYTES)))):
                start -= skipped
            return _read_all(stream, size)

    @contextmanager
    def in_place(self) -> Iterator[pa.NativeFile]:
        """Open the file, which is not compressed, where it lies; raises InputTooLarge as `stream` does."""
        with self._opened() as file:
            if file.size() > self._limit:
                raise InputTooLarge("decompressed-too-large", limit=self._limit)
            yield file

    @property
    def is_local(self) -> bool:
        """Whether it is an upload on this machine; a file that belongs to the caller may change."""
        return not self._job.input_uri and self._storage.local_path(self._job.upload_blob) is not None

    def _opened(self) -> AbstractContextManager[pa.NativeFile]:
        uri = self._job.input_uri
        return open_uri(uri) if uri else self._storage.read(self._job.upload_blob)

    @contextmanager
    def local_file(self, check: Check) -> Iterator[Path]:
        """Yield the path of a local file, which is a copy if the file is remote or compressed.

        `check` sees the first bytes, before the rest is copied. Raises StorageUnavailable if the file is gone, since its job was
        done or removed meanwhile, or if there is no room for a copy.
        """
        own = None if self._job.input_uri else self._storage.local_path(self._job.upload_blob)
        with translated((OSError,)):
            if own is not None and self._job.encoding is None:
                with own.open("rb") as file:
                    check(file.read(HEAD_BYTES))
                yield own
                return
            with self.stream() as stream, spooled(stream, self._folder, check) as path:
                yield path


def _read_all(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes, unless the stream ends."""
    pieces: list[bytes] = []
    while size and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


@contextmanager
def stored_file(job: Job, storage: Storage, limit: int, give_sign: SignOfLife) -> Iterator[StoredFile]:
    """Yield the file of a job, with a temporary folder that exists for the duration of the block."""
    _sweep(Path(gettempdir()))
    with TemporaryDirectory(prefix=TEMPORARY) as folder:
        yield StoredFile(job, storage, limit, Path(folder), give_sign)


def _sweep(folder: Path) -> None:
    """Remove the folders of readings whose process was killed."""
    for left in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - LEFT_BEHIND:
                shutil.rmtree(left, ignore_errors=True)

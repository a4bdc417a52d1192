"""An S3-compatible object store: a blob is an object, uploaded at once or in parts, and visible only once it is complete.

Arrow's stream completes its upload however it is closed, even by an error that ends a `with` block, and cannot be aborted.
So a blob is first written to a temporary file (in TMPDIR, which must have room for it) and sent once it is complete.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import BinaryIO
from uuid import uuid4

import pyarrow as pa
from pyarrow.fs import AwsStandardS3RetryStrategy, FileSelector, FileType, S3FileSystem

from shared.errors import StorageUnavailable
from shared.storage.faults import FINAL, MISSING, translated, type_of
from shared.storage.interface import checked_name
from shared.storage.readahead import ReadAhead

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 2.0
"""Connection timeout in seconds."""

SILENCE_TIMEOUT = 3.0
"""Seconds without a byte after which a request fails; while sending a body, curl takes 5 s longer to notice."""

ATTEMPTS = 2
"""Attempts per request, so that an unresponsive server is detected after 6 s."""

PUT_PAUSES = (0.1, 0.5)
"""Seconds to wait before the second and third attempt to put a whole blob ..."""

PUT_DEADLINE = 2.0
"""... and the seconds after which no further attempt starts, since an unresponsive server takes 8 s to fail even once."""

SINGLE_PUT = 4 * 2**20
"""Maximum size in bytes of a blob that is sent in one request."""

PART = 10 * 2**20
"""Bytes handed to the upload at a time: the size of Arrow's first hundred parts."""

PARTS_UNDER_WAY = 4
"""Maximum number of parts in memory; without this limit, it could be all of them if the network is slower than the disk."""


@dataclass(frozen=True)
class FileSystems:
    """Arrow's file systems for one server."""

    steady: S3FileSystem
    """Retries failed requests; uploads in parts."""
    putting: S3FileSystem
    """Sends a blob in one request, once."""


class Connection:
    """The file systems of one server, created on first use in each process: those created before a fork hang in the child.

    Arrow creates one only when no request of the process is in progress, and blocks all later requests until then. So they are
    created once, together, and shared by all storages with the same options.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)
        # By process. The parent's are kept: destroying them would wait for threads that the child does not have.
        self._made: dict[int, FileSystems] = {}
        self._locks: dict[int, Lock] = {}

    def get(self) -> FileSystems:
        """Return the file systems of this process."""
        process = os.getpid()
        with self._locks.setdefault(process, Lock()):
            if process not in self._made:
                self._made[process] = FileSystems(
                    steady=self._make(ATTEMPTS),
                    # Sent in the caller's thread, so that an unresponsive server does not block Arrow's few I/O threads.
                    putting=self._make(1, allow_delayed_open=True, background_writes=False),
                )
            return self._made[process]

    def _make(self, attempts: int, **options: bool) -> S3FileSystem:
        return S3FileSystem(
            **self._options,
            **options,
            connect_timeout=CONNECT_TIMEOUT,
            request_timeout=SILENCE_TIMEOUT,
            retry_strategy=AwsStandardS3RetryStrategy(max_attempts=attempts),
        )


@cache
def _connection(options: tuple[tuple[str, str], ...]) -> Connection:
    return Connection(dict(options))


class ObjectStorage:
    """Blobs below a prefix of a bucket. `options` are Arrow's: `endpoint_override`, `scheme`, `region`."""

    def __init__(self, root: str, options: Mapping[str, str]) -> None:
        self._root = root
        self._connection = _connection(tuple(sorted(options.items())))

    def local_path(self, name: str) -> None:
        """Return None: objects are not local files."""
        checked_name(name)

    @contextmanager
    def write(self, name: str) -> Iterator[pa.NativeFile]:
        """Open a temporary file that is uploaded once the block ends, and discarded if the block raises."""
        path = self._path(name)
        # Other Arrow errors in the block are about the data, not the storage.
        with translated((OSError,)), _temporary_file() as (file, content):
            with file:
                yield file
            with translated():
                self._upload(content, path)

    @contextmanager
    def read(self, name: str) -> Iterator[pa.NativeFile]:
        """Open an object, which is fetched in byte ranges."""
        path = self._path(name)
        with translated((OSError,)):
            with translated():
                file = self._connection.get().steady.open_input_file(path)
            with file, pa.PythonFile(ReadAhead(file), "r") as reader:
                yield reader

    def size(self, name: str) -> int:
        """Return the size of an object in bytes."""
        path = self._path(name)
        with translated():
            info = self._connection.get().steady.get_file_info(path)
        if info.type is not FileType.File:
            raise StorageUnavailable(MISSING)
        size: int = info.size
        return size

    def delete(self, name: str) -> None:
        """Remove an object."""
        path = self._path(name)
        with translated(), suppress(FileNotFoundError):
            self._connection.get().steady.delete_file(path)

    def delete_folder(self, name: str) -> None:
        """Remove the objects whose names begin with `name` and a slash; failures are logged."""
        path = self._path(name)
        try:
            with translated(), suppress(FileNotFoundError):
                self._connection.get().steady.delete_dir(path)
        except StorageUnavailable as error:
            logger.warning("A folder could not be removed from the storage: %s", error)

    def blobs(self, folder: str) -> list[str]:
        """List the objects directly below a prefix; an upload that was interrupted is not one."""
        selector = FileSelector(self._path(folder), allow_not_found=True)
        with translated():
            found = self._connection.get().steady.get_file_info(selector)
        return [info.base_name for info in found if info.type is FileType.File]

    def folders_older_than(self, name: str, seconds: float) -> list[str]:
        """List the folders below `name` whose newest object is older than `seconds`; this lists every object below `name`."""
        path = self._path(name)
        with translated():
            below = self._connection.get().steady.get_file_info(
                FileSelector(path, recursive=True, allow_not_found=True)
            )
        # Arrow leaves a marker, an object without a date, in an emptied folder: it does not count as an addition.
        newest: dict[str, float] = {}
        for info in below:
            folder, _, rest = info.path.removeprefix(f"{path}/").partition("/")
            if rest or info.type is FileType.Directory:
                changed = info.mtime.timestamp() if info.mtime else 0.0
                newest[folder] = max(changed, newest.get(folder, 0.0))
        return [folder for folder, changed in newest.items() if changed < time.time() - seconds]

    def check(self) -> None:
        """Put an object and remove it."""
        name = f"health-{uuid4().hex}"
        with self.write(name) as file:
            file.write(b"ok")
        self.delete(name)

    def free_bytes(self) -> None:
        """Return None: the free space of an object store is unknown."""

    def _path(self, name: str) -> str:
        return f"{self._root}/{checked_name(name)}"

    def _upload(self, content: BinaryIO, path: str) -> None:
        if os.fstat(content.fileno()).st_size <= SINGLE_PUT:
            self._put(content.read(), path)
            return
        # Once a part has failed, every later call fails too: the upload is not completed, and no object appears.
        with self._connection.get().steady.open_output_stream(path) as stream:
            for number, part in enumerate(iter(lambda: content.read(PART), b""), start=1):
                stream.write(part)
                if number % PARTS_UNDER_WAY == 0:
                    stream.flush()

    def _put(self, content: bytes, path: str) -> None:
        deadline = time.monotonic() + PUT_DEADLINE
        for pause in (*PUT_PAUSES, None):
            try:
                with self._connection.get().putting.open_output_stream(path) as stream:
                    stream.write(content)
                return
            except OSError as error:
                if pause is None or time.monotonic() > deadline or type_of(error) in FINAL:
                    raise
                time.sleep(pause)


@contextmanager
def _temporary_file() -> Iterator[tuple[pa.NativeFile, BinaryIO]]:
    """Open an unnamed temporary file, which never outlives the process, once for writing and once for reading."""
    handle, name = tempfile.mkstemp()
    with os.fdopen(handle, "rb") as content:
        try:
            file = pa.OSFile(name, "wb")
        finally:
            Path(name).unlink()
        yield file, content

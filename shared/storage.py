"""Blobs: a small interface over a local folder.

A blob appears whole or not at all: it is written under another name and renamed, so a reader never sees half of one.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from shared.errors import StorageUnavailable

LOCAL_PREFIX = "file://"
PARTIAL_SUFFIX = ".partial"


class Storage:
    """Blobs below one folder; names are relative paths such as `jobs/<id>/input.arrow`."""

    def __init__(self, url: str) -> None:
        self._root = Path(url.removeprefix(LOCAL_PREFIX))

    @contextmanager
    def write(self, name: str) -> Iterator[pa.NativeFile]:
        """Open a new blob for writing; it is there once the block ends, and not at all if the block raises."""
        path = self._root / name
        partial = path.with_name(f"{path.name}.{uuid4().hex}{PARTIAL_SUFFIX}")
        with _translated_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with pa.OSFile(str(partial), "wb") as file:
                    yield file
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    @contextmanager
    def read(self, name: str) -> Iterator[pa.NativeFile]:
        """Open a blob for reading at any place; raises StorageUnavailable if it is not there."""
        # Not mapped: a file that shrinks under a mapping would kill the process.
        with _translated_errors(), pa.OSFile(str(self._root / name), "rb") as file:
            yield file

    def delete_folder(self, name: str) -> None:
        """Remove all blobs below `name`; it is no error if there are none."""
        shutil.rmtree(self._root / name, ignore_errors=True)

    def folders_older_than(self, name: str, seconds: float) -> list[str]:
        """List the folders directly below `name` that nothing was added to for so long."""
        try:
            entries = list(os.scandir(self._root / name))
            return [entry.name for entry in entries if entry.stat().st_mtime < time.time() - seconds]
        except FileNotFoundError:
            return []

    def check(self) -> None:
        """Raise StorageUnavailable if nothing can be written now."""
        name = f"health-{uuid4().hex}"
        with self.write(name) as file:
            file.write(b"ok")
        (self._root / name).unlink(missing_ok=True)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable from error

"""A local folder as storage: a blob is a file, written under another name and renamed, so partial blobs are never visible."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from shared.storage.faults import translated
from shared.storage.interface import checked_name

PARTIAL_SUFFIX = ".partial"


class LocalStorage:
    """Blobs below one folder, which is created when the first is written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def local_path(self, name: str) -> Path:
        """Return the path of a blob."""
        return self._root / checked_name(name)

    @contextmanager
    def write(self, name: str) -> Iterator[pa.NativeFile]:
        """Open a file that receives its name once the block ends, and is removed if the block raises."""
        path = self.local_path(name)
        partial = path.with_name(f"{path.name}.{uuid4().hex}{PARTIAL_SUFFIX}")
        # Other Arrow errors in the block are about the data, not the disk.
        with translated((OSError,)):
            # Only its owner may look into it, whatever the files below allow.
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with pa.OSFile(str(partial), "wb") as file:
                    yield file
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    @contextmanager
    def read(self, name: str) -> Iterator[pa.NativeFile]:
        """Open a file."""
        # Not memory-mapped: a mapped file that shrinks would kill the process.
        with translated((OSError,)), pa.OSFile(str(self.local_path(name)), "rb") as file:
            yield file

    def size(self, name: str) -> int:
        """Return the size of a file in bytes."""
        with translated():
            return self.local_path(name).stat().st_size

    def delete(self, name: str) -> None:
        """Remove a file."""
        with translated():
            self.local_path(name).unlink(missing_ok=True)

    def delete_folder(self, name: str) -> None:
        """Remove a folder and its contents."""
        # Interrupted by a signal, it may raise in spite of its option.
        with suppress(OSError):
            shutil.rmtree(self.local_path(name), ignore_errors=True)

    def blobs(self, folder: str) -> list[str]:
        """List the files directly below a folder, whole or partial."""
        with translated():
            try:
                return [entry.name for entry in os.scandir(self.local_path(folder)) if entry.is_file()]
            except FileNotFoundError:
                return []

    def folders_older_than(self, name: str, seconds: float) -> list[str]:
        """List the folders in the folder `name` to which no file was added for `seconds`."""
        with translated():
            try:
                folders = [entry for entry in os.scandir(self.local_path(name)) if entry.is_dir()]
                return [entry.name for entry in folders if _changed_at(entry) < time.time() - seconds]
            except FileNotFoundError:
                return []

    def check(self) -> None:
        """Write a file and remove it."""
        name = f"health-{uuid4().hex}"
        with self.write(name) as file:
            file.write(b"ok")
        self.delete(name)

    def free_bytes(self) -> int:
        """Return the free space on the disk of the folder, or of the parent in which it will be created."""
        root = self._root.absolute()
        with translated():
            return shutil.disk_usage(next(path for path in (root, *root.parents) if path.exists())).free


def _changed_at(folder: "os.DirEntry[str]") -> float:
    """Return when a file was last added to the folder or written to: an upload may take hours. What vanished is not old."""
    try:
        return max([folder.stat().st_mtime, *(entry.stat().st_mtime for entry in os.scandir(folder))])
    except FileNotFoundError:
        return inf

"""What every storage promises, and what a blob may be called."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow as pa


class Storage(Protocol):
    """Blobs, whose names are relative paths such as `jobs/<id>/input.arrow`.

    Every method raises StorageUnavailable, in words that name no place, if the storage does not answer or denies access, and
    ValueError for a name that could lead out of it.
    """

    def write(self, name: str) -> AbstractContextManager[pa.NativeFile]:
        """Open a blob for writing.

        It appears whole once the block ends. If the block raises or the process dies, a new blob does not appear and one that
        was there stays as it was. Of two writers of one name, the one that ends last wins.
        """

    def read(self, name: str) -> AbstractContextManager[pa.NativeFile]:
        """Open a blob for reading at any place; raises StorageUnavailable if it is not there."""

    def size(self, name: str) -> int:
        """Give the size of a blob in bytes; raises StorageUnavailable if it is not there."""

    def delete(self, name: str) -> None:
        """Remove one blob; it is no error if it is not there."""

    def delete_folder(self, name: str) -> None:
        """Remove all blobs below `name` as well as that works now: what cannot be removed is left, and nothing is raised."""

    def folders_older_than(self, name: str, seconds: float) -> list[str]:
        """List the folders directly below `name` that nothing was added to for so long; none if there is no such folder."""

    def check(self) -> None:
        """Raise StorageUnavailable if nothing can be written now."""

    def free_bytes(self) -> int | None:
        """Give the space that is left, in bytes; None where there is no telling."""

    def local_path(self, name: str) -> Path | None:
        """Give the file that a blob is, whether it is there or not; None where blobs are not files of this machine."""


def checked_name(name: str) -> str:
    """Give the name back if it can only mean a place below the root; raises ValueError for any other."""
    if "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError("A blob's name is a relative path without empty, '.' or '..' parts")
    return name

"""The interface of every storage, and the rules for blob names."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pyarrow as pa


class Storage(Protocol):
    """Blobs, whose names are relative paths such as `jobs/<id>/input.arrow`.

    Every method raises StorageUnavailable, whose message contains no location, if the storage does not respond or denies access,
    and ValueError for a name that could escape from it.
    """

    def write(self, name: str) -> AbstractContextManager[pa.NativeFile]:
        """Open a blob for writing.

        It appears atomically once the block ends. If the block raises or the process dies, a new blob does not appear and an
        existing one stays unchanged. If two writers use the same name, the last to finish wins.
        """

    def read(self, name: str) -> AbstractContextManager[pa.NativeFile]:
        """Open a blob for random access; raises StorageUnavailable if it does not exist."""

    def size(self, name: str) -> int:
        """Return the size of a blob in bytes; raises StorageUnavailable if it does not exist."""

    def delete(self, name: str) -> None:
        """Remove one blob; a missing blob is not an error."""

    def delete_folder(self, name: str) -> None:
        """Remove all blobs below `name`, best effort: whatever cannot be removed is left, and nothing is raised."""

    def blobs(self, folder: str) -> list[str]:
        """List the names, within `folder`, of the blobs directly below it, and of what interrupted writes left there."""

    def folders_older_than(self, name: str, seconds: float) -> list[str]:
        """List the folders directly below `name` to which nothing was added for `seconds`; empty if there is no such folder."""

    def check(self) -> None:
        """Raise StorageUnavailable if nothing can be written now."""

    def free_bytes(self) -> int | None:
        """Return the free space in bytes; None if it is unknown."""

    def local_path(self, name: str) -> Path | None:
        """Return the path of a blob, which need not exist; None if blobs are not local files."""


def checked_name(name: str) -> str:
    """Return the name unchanged if it can only refer to a location below the root; raises ValueError otherwise."""
    if "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError("A blob name must be a relative path without empty, '.' or '..' parts")
    return name

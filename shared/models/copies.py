"""The verified copies of model versions on this machine, in a folder that its processes share; each has a folder of its own there.

A copy bears a mark that holds the digest of its files. What bears the mark and still has that digest may be loaded.
"""

import shutil
from contextlib import suppress
from pathlib import Path

from shared.errors import BadArtifact
from shared.models import files

MARK = ".verified"
ORIGINS = ".origins"
"""Notes in the folder of a version: the digest of its files, and where they were fetched from, a line each."""

LAST_SERVED = "last-served"


class Copies:
    """The folder, and what is noted there of its copies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, version: str) -> bool:
        """Whether a verified copy is here, undamaged."""
        folder = self._folder / version
        try:
            return (folder / MARK).read_text() == files.digest(folder)
        except (OSError, BadArtifact):
            return False

    def fetched_from(self, origin: str | None) -> str | None:
        """Find the copy that was fetched from there."""
        for note in self._folder.glob(f"*/{ORIGINS}") if origin else ():
            if origin in note.read_text(encoding="utf-8").splitlines() and self.has(note.parent.name):
                return note.parent.name
        return None

    def add(self, folder: Path, version: str, digest: str) -> None:
        """Make one of a folder that is verified, and whose files have the digest."""
        (folder / MARK).write_text(digest)
        folder.chmod(0o755)
        # What may lie there bears no mark that fits: it is damaged.
        shutil.rmtree(self._folder / version, ignore_errors=True)
        folder.rename(self._folder / version)

    def note_origin(self, version: str, origin: str) -> None:
        """Note where a copy was fetched from, perhaps one place more."""
        with (self._folder / version / ORIGINS).open("a", encoding="utf-8") as notes:
            notes.write(f"{origin}\n")

    def remember(self, version: str) -> None:
        """Note the version as the one to serve if this machine starts while neither Redis nor the source answers."""
        with suppress(OSError):
            files.write_in_one_step(self._folder / LAST_SERVED, version)

    def last_served(self) -> str | None:
        """Give the version noted last, if its copy is still whole."""
        try:
            version = (self._folder / LAST_SERVED).read_text()
        except OSError:
            return None
        return version if self.has(version) else None

    def discard(self, keep: set[str], older_than: float) -> None:
        """Remove the copies that nobody needs and that are older than a time (seconds since the epoch)."""
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            needed = folder.name in keep or folder.name == self.last_served()
            with suppress(OSError):
                if folder.is_dir() and not needed and folder.stat().st_mtime < older_than:
                    shutil.rmtree(folder)

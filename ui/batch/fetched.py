"""A cache of fetched results on the disk of the console, limited in age and size."""

import os
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from pret import Client
from ui.batch.folder import own_folder

MAX_BYTES = 4_000_000_000
"""Bytes of results on the disk, apart from those being fetched."""
MAX_AGE = 24 * 3600.0
"""Seconds after which results that nobody looked at are removed."""
MAX_DOWNLOADS = 2
"""Files fetched at a time; their size is not known in advance."""


@dataclass
class Shelf:
    """A folder with one file of results per job and format; thread-safe."""

    folder: Path
    max_bytes: int = MAX_BYTES
    max_age: float = MAX_AGE
    _locks: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _tidying: threading.Lock = field(default_factory=threading.Lock)
    _downloads: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_DOWNLOADS))

    def fetch(self, client: Client, job_id: str, format: str) -> Path:
        """Return the file, fetching it if needed; raises PretError, and OSError if the disk is full.

        `job_id` must come from the service, as it becomes part of a path.
        """
        path = self.folder / f"{job_id}.{format}"
        with self._locks[path.name]:
            if not self._is_there(path):
                with self._downloads:
                    self._tidy(path)
                    client.download(job_id, path, format)
                    self._tidy(path)
        return path

    def remove(self, job_id: str) -> None:
        """Remove what was fetched of a job."""
        for path in self.folder.glob(f"{job_id}.*"):
            path.unlink(missing_ok=True)

    def _is_there(self, path: Path) -> bool:
        """Whether there is such a file, which then counts as new."""
        with suppress(FileNotFoundError):
            os.utime(path)
            return True
        return False

    def _tidy(self, spared: Path) -> None:
        """Remove old files, then the oldest until the rest fits; files being written stay."""
        room, oldest = self.max_bytes, time.time() - self.max_age
        with self._tidying:
            files = [(path, facts, path == spared or path.suffix == ".part") for path, facts in self._files()]
            for path, facts, stays in sorted(files, key=lambda file: (not file[2], -file[1].st_mtime)):
                room -= facts.st_size
                if not stays and (room < 0 or facts.st_mtime < oldest):
                    # An open file can still be read.
                    path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        files = []
        for path in self.folder.iterdir():
            # A file being written may have been renamed.
            with suppress(FileNotFoundError):
                files.append((path, path.stat()))
        return files


@st.cache_resource(show_spinner=False)
def shelf() -> Shelf:
    """Return the shelf of this process; it is removed when the process ends."""
    return Shelf(own_folder(Path(tempfile.gettempdir())))

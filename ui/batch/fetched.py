"""Results that were fetched once, as files on the disk of the console; what is old or too much goes."""

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
"""Bytes of results that stay on the disk, beside those that are being fetched."""
MAX_AGE = 24 * 3600.0
"""Seconds that results stay which nobody looks at."""
MAX_DOWNLOADS = 2
"""Results that are fetched at a time; their size is not known before."""


@dataclass
class Shelf:
    """A folder with files of results, one a job and format; safe for threads."""

    folder: Path
    max_bytes: int = MAX_BYTES
    max_age: float = MAX_AGE
    _locks: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _tidying: threading.Lock = field(default_factory=threading.Lock)
    _downloads: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_DOWNLOADS))

    def fetch(self, client: Client, job_id: str, format: str) -> Path:
        """Give the file, fetched if it is not there; raises PretError, and OSError if the disk is full.

        `job_id` is one that the service has given, never what somebody typed.
        """
        path = self.folder / f"{job_id}.{format}"
        with self._locks[path.name]:
            if not self._is_there(path):
                with self._downloads:
                    self._tidy(path)
                    client.download(job_id, path, format)
                    self._tidy(path)
        return path

    def _is_there(self, path: Path) -> bool:
        """Renew the age of a file; whether there is one."""
        with suppress(FileNotFoundError):
            os.utime(path)
            return True
        return False

    def _tidy(self, spared: Path) -> None:
        """Remove what is old, and of the rest the oldest until it is little enough; what is being written stays."""
        room, oldest = self.max_bytes, time.time() - self.max_age
        with self._tidying:
            files = [(path, facts, path == spared or path.suffix == ".part") for path, facts in self._files()]
            for path, facts, stays in sorted(files, key=lambda file: (not file[2], -file[1].st_mtime)):
                room -= facts.st_size
                if not stays and (room < 0 or facts.st_mtime < oldest):
                    # Who has it open reads on.
                    path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        files = []
        for path in self.folder.iterdir():
            # What is being written gets another name meanwhile.
            with suppress(FileNotFoundError):
                files.append((path, path.stat()))
        return files


@st.cache_resource(show_spinner=False)
def shelf() -> Shelf:
    """Give the shelf of this process; it goes with the process."""
    return Shelf(own_folder(Path(tempfile.gettempdir())))

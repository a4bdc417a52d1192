"""Results that were fetched once, as files on the disk of the console; what is old or too much goes."""

import atexit
import os
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from pret import Client

MAX_BYTES = 4_000_000_000
"""Bytes of results that stay on the disk."""
MAX_AGE = 24 * 3600.0
"""Seconds that results stay which nobody looks at."""


@dataclass
class Shelf:
    """A folder with files of results, one a job and format; safe for threads."""

    folder: Path
    max_bytes: int = MAX_BYTES
    max_age: float = MAX_AGE
    _locks: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def fetch(self, client: Client, job_id: str, format: str) -> Path:
        """Give the file, fetched if it is not there; raises PretError, and OSError if the disk is full.

        `job_id` is one that the service has given, never what somebody typed.
        """
        path = self.folder / f"{job_id}.{format}"
        with self._locks[path.name]:
            if not path.exists():
                self._tidy()
                client.download(job_id, path, format)
            os.utime(path)
        return path

    def _tidy(self) -> None:
        """Remove what is old, and of the rest the oldest until it is little enough."""
        room = self.max_bytes
        for path, facts in sorted(self._files(), key=lambda file: -file[1].st_mtime):
            room -= facts.st_size
            if room < 0 or facts.st_mtime < time.time() - self.max_age:
                # Who has it open reads on.
                path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        return [(path, path.stat()) for path in self.folder.iterdir() if path.suffix != ".part"]


@st.cache_resource(show_spinner=False)
def shelf() -> Shelf:
    """Give the shelf of this process; it goes with the process."""
    folder = tempfile.mkdtemp(prefix="pret-console-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Shelf(Path(folder))

"""A temporary folder that goes with its process, or, if that was killed, when the next one begins."""

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "pret-console-"
NEW = "pret-new-"


def own_folder(parent: Path) -> Path:
    """Make a folder that is locked until this process ends, and remove those of processes that were killed."""
    _remove_left(parent)
    new = Path(tempfile.mkdtemp(prefix=NEW, dir=parent))
    # Never closed: the lock ends with the process, however that ends.
    _locked(new)
    # Only now may another process take it for one that was left.
    folder = new.rename(parent / new.name.replace(NEW, PREFIX, 1))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _remove_left(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        # It may be in use, somebody else's, or gone meanwhile.
        with suppress(OSError):
            lock = _locked(folder)
            try:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _locked(folder: Path) -> int:
    """Lock a folder and give its descriptor; raises OSError if it is none or another process has it."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened

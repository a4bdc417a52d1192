"""A temporary folder that is removed when its process ends, or, if that was killed, when the next one starts."""

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
    # Never closed: the lock is released when the process ends, even if it is killed.
    _locked(new)
    # Only a folder of this name can be taken for an abandoned one.
    folder = new.rename(parent / new.name.replace(NEW, PREFIX, 1))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _remove_left(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        # It may be in use, belong to another user, or be gone.
        with suppress(OSError):
            lock = _locked(folder)
            try:
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _locked(folder: Path) -> int:
    """Lock a folder and return its descriptor; raises OSError if it is not a folder, or locked by another process."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened

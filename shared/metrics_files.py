"""The files in which the processes of one service on one machine count together: prometheus-client's, in a folder that they share.

Each process writes files of its own. Whoever is asked for the metrics adds up all of them, and moves what processes that have
ended counted into one file for each type, so that no count is lost and no file is left behind.
"""

import logging
import os
import shutil
import struct
import tempfile
import time
from atexit import register
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus-client knows the folder."""

PREFIX = "pret-metrics-"
KINDS = ("counter", "histogram", "gauge_livesum")
GONE = "gone"
"""Takes the place of the process in the name of the file of those that have ended."""

RESERVED = 2**19
"""Bytes on disk for a new file: a process that writes into a mapped file for which there is no room is killed."""

PATIENCE = 0.5
PAUSE = 0.01
"""Seconds that one who reads waits for another one, which may be frozen, and between two looks."""

DAMAGE = (OSError, RuntimeError, ValueError, struct.error)


def share() -> None:
    """Have this process and those it starts count together, unless it was started to count with others. Before `begin`."""
    if os.environ.get(FOLDER):
        return
    _sweep()
    folder, own = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"), os.getpid()
    os.environ[FOLDER] = folder

    @register
    def remove() -> None:
        if os.getpid() == own:
            shutil.rmtree(folder, ignore_errors=True)


def begin() -> None:
    """Have this process count in files of its own, where processes share a folder. Before its first metric, and after a fork."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    try:
        for kind in KINDS:
            _reserve(Path(folder) / f"{kind}_{os.getpid()}.db")
    except OSError as error:
        logger.warning("There is no room for the files of metrics (%s); this process counts for itself", error.strerror)
        values.ValueClass = values.MutexValue
        return
    if values.ValueClass is values.MutexValue:
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]


def text_of(*collectors: Collector) -> bytes:
    """Write what collectors give, in the text format of Prometheus."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry)


class Together(Collector):
    """What all processes that share the folder have counted; without a folder, what this one has."""

    def __init__(self, own: CollectorRegistry) -> None:
        self._own = own

    def collect(self) -> Iterable[Metric]:
        """Give the metrics, added up."""
        folder = os.environ.get(FOLDER)
        if not folder or values.ValueClass is values.MutexValue:
            return self._own.collect()
        try:
            return _merged(Path(folder))
        except OSError:
            # Somebody has removed the folder, or what is in it since it was listed.
            return self._own.collect()


def _merged(folder: Path) -> Iterable[Metric]:
    with _alone_in(folder) as is_alone:
        if is_alone:
            _move_what_ended(folder)
        readable = [str(path) for path in folder.glob("*.db") if _contents(path) is not None]
        merged: Iterable[Metric] = MultiProcessCollector.merge(readable)  # type: ignore[no-untyped-call]
        return merged


def _reserve(path: Path) -> None:
    """Make an empty file whose bytes are really there."""
    if path.exists():
        return
    unfinished = path.with_suffix(".new")
    with unfinished.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, RESERVED)
    unfinished.rename(path)


def _move_what_ended(folder: Path) -> None:
    for path in folder.glob("*.db"):
        kind, _, process = path.stem.rpartition("_")
        if process == GONE or _is_alive(process):
            continue
        if not kind.startswith("gauge"):
            _add(path, folder / f"{kind}_{GONE}.db")
        path.unlink(missing_ok=True)


def _add(source: Path, target: Path) -> None:
    contents = _contents(source)
    if not contents:
        return
    _reserve(target)
    sums = MmapedDict(str(target))  # type: ignore[no-untyped-call]
    for key, value in contents:
        before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
        sums.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]


def _contents(path: Path) -> list[tuple[str, float]] | None:
    """Return the values of a file by their keys; None for one that is gone or damaged."""
    try:
        return [(key, value) for key, value, *_ in MmapedDict.read_all_values_from_file(path)]  # type: ignore[no-untyped-call]
    except DAMAGE:
        return None


@contextmanager
def _alone_in(folder: Path) -> Iterator[bool]:
    """Whether no other process moves files now. It is asked for half a second: the other one may be frozen."""
    deadline = time.monotonic() + PATIENCE
    with (folder / "lock").open("w") as lock:
        while not (is_held := _held(lock.fileno())) and time.monotonic() < deadline:
            time.sleep(PAUSE)
        yield is_held


def _held(lock: int) -> bool:
    try:
        flock(lock, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    return True


def _sweep() -> None:
    """Remove the folders of services that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        with suppress(OSError):
            if folder.stat().st_uid == os.getuid() and not _is_alive(folder.name.split("-")[2]):
                shutil.rmtree(folder, ignore_errors=True)

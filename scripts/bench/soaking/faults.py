"""How each fault is brought about, and mended: the harm is done when the block begins, and undone when it ends."""

import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

import psutil
import redis

from scripts.bench.soaking.plan import RELOADS, Fault
from scripts.bench.soaking.site import SLOW_LOADING, Site, wait_for
from shared.jobs.queue import QUEUE_PREFIX, QUEUES

Targets = Callable[[Site], Iterable[psutil.Process]]
Bring = Callable[[Site], AbstractContextManager[None]]

FILLER_DATABASE, FILLER_KEYS = 1, 4000
"""Keys in another database of Redis, so that it takes two seconds to load its file."""

CUT_OFF = 64 << 10
"""Bytes after which a file cannot grow while writes fail."""

MEND_DEADLINE = 30.0


def parent(kind: str) -> Targets:
    """Mean the program itself; of the API, one of its processes."""
    return lambda site: site.parents(kind)[:1]


def child(kind: str) -> Targets:
    """Mean one of the processes that it has forked."""
    return lambda site: site.children(kind)[:1]


@contextmanager
def signalled(targets: Targets, number: signal.Signals, site: Site) -> Iterator[None]:
    """Send a signal, from which the supervisor mends."""
    for process in targets(site):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    yield


@contextmanager
def frozen(targets: Targets, site: Site) -> Iterator[None]:
    """Stop processes, and let them go on."""
    stopped = list(targets(site))
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()


@contextmanager
def redis_full(site: Site) -> Iterator[None]:
    """Let Redis take no further byte."""
    with suppress(redis.RedisError):
        site.redis.config_set("maxmemory", 1)
    try:
        yield
    finally:
        # Perhaps it was killed in the meantime, and has forgotten it.
        wait_for(lambda: site.redis.config_set("maxmemory", 0), MEND_DEADLINE)


@contextmanager
def redis_loading(site: Site) -> Iterator[None]:
    """Kill a Redis that has much to load."""
    with suppress(redis.RedisError), site.direct(FILLER_DATABASE) as other:
        with other.pipeline(transaction=False) as pipe:
            for number in range(FILLER_KEYS):
                pipe.set(f"filler:{number}", number)
            pipe.execute()
        # Only what is in the snapshot takes its time.
        other.bgrewriteaof()
        wait_for(lambda: not other.info("persistence")["aof_rewrite_in_progress"], MEND_DEADLINE)
    site.loading.write_text(SLOW_LOADING)
    with signalled(parent("redis"), signal.SIGKILL, site):
        # It tells so while it loads, and must load at its own speed when another fault kills it.
        wait_for(lambda: site.redis.info("persistence")["loading"], MEND_DEADLINE)
        site.loading.write_text("")
        yield


@contextmanager
def redis_away(site: Site) -> Iterator[None]:
    """Let nothing pass between the service and Redis."""
    site.proxy.hold()
    try:
        yield
    finally:
        site.proxy.release()


@contextmanager
def redis_cut(site: Site) -> Iterator[None]:
    """Cut all connections once."""
    site.proxy.cut()
    yield


@contextmanager
def queues_lost(site: Site) -> Iterator[None]:
    """Lose all messages, those under way included."""
    with suppress(redis.RedisError):
        site.redis.delete(*(f"{QUEUE_PREFIX}{name}" for name in QUEUES))
    yield


@contextmanager
def storage_away(site: Site) -> Iterator[None]:
    """Put something that is no folder in the storage's place."""
    away = site.storage.with_name("storage-away")
    site.storage.mkdir(exist_ok=True)
    site.storage.rename(away)
    site.storage.write_text("nothing is here")
    try:
        yield
    finally:
        site.storage.unlink()
        away.rename(site.storage)


@contextmanager
def storage_full(site: Site) -> Iterator[None]:
    """Leave less free space than the service wants; the blocks are allocated and not written."""
    filler = site.folder / "filler"
    missing = free_bytes(site.folder) - int(os.environ["MIN_FREE_BYTES"]) + (64 << 20)
    try:
        with filler.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(missing, 1))
        yield
    finally:
        filler.unlink(missing_ok=True)


@contextmanager
def writes_fail(site: Site) -> Iterator[None]:
    """Let no file of the API and the workers grow beyond some bytes."""
    limit_writes(site, CUT_OFF)
    try:
        yield
    finally:
        # Twice: a child may have been forked between its parent's turn and its own.
        limit_writes(site, resource.RLIM_INFINITY)
        limit_writes(site, resource.RLIM_INFINITY)


def limit_writes(site: Site, limit: int) -> None:
    """Set how large a file each process may write."""
    for process in site.programs():
        with suppress(psutil.Error, OSError):
            process.rlimit(psutil.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


@contextmanager
def restarted(site: Site) -> Iterator[None]:
    """Stop everything in order, and start it."""
    site.stop()
    try:
        yield
    finally:
        site.start()


@contextmanager
def killed_together(site: Site) -> Iterator[None]:
    """Kill every program at once, as a machine that loses its power."""
    for process in (*site.programs(), *site.parents("redis")):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    yield


def free_bytes(folder: Path) -> int:
    """Tell how much is free on the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


BRING: dict[Fault, Bring] = {
    Fault.KILL_API: partial(signalled, parent("api"), signal.SIGKILL),
    Fault.KILL_WORKER: partial(signalled, parent("worker"), signal.SIGKILL),
    Fault.KILL_WORKER_CHILD: partial(signalled, child("worker"), signal.SIGKILL),
    Fault.KILL_READER: partial(signalled, parent("reader"), signal.SIGKILL),
    Fault.KILL_READER_CHILD: partial(signalled, child("reader"), signal.SIGKILL),
    Fault.KILL_REDIS: partial(signalled, parent("redis"), signal.SIGKILL),
    Fault.KILL_ALL: killed_together,
    Fault.TERM_API: partial(signalled, parent("api"), signal.SIGTERM),
    Fault.TERM_WORKER: partial(signalled, parent("worker"), signal.SIGTERM),
    Fault.TERM_READER: partial(signalled, parent("reader"), signal.SIGTERM),
    Fault.TERM_REDIS: partial(signalled, parent("redis"), signal.SIGTERM),
    Fault.FREEZE_API: partial(frozen, parent("api")),
    Fault.FREEZE_WORKER: partial(frozen, parent("worker")),
    Fault.FREEZE_WORKER_CHILD: partial(frozen, child("worker")),
    Fault.FREEZE_READER: partial(frozen, parent("reader")),
    Fault.FREEZE_READER_CHILD: partial(frozen, child("reader")),
    Fault.FREEZE_REDIS: partial(frozen, parent("redis")),
    Fault.REDIS_FULL: redis_full,
    Fault.REDIS_LOADING: redis_loading,
    Fault.REDIS_AWAY: redis_away,
    Fault.REDIS_CUT: redis_cut,
    Fault.QUEUES_LOST: queues_lost,
    Fault.STORAGE_FULL: storage_full,
    Fault.STORAGE_AWAY: storage_away,
    Fault.WRITES_FAIL: writes_fail,
    Fault.RESTART: restarted,
    # The injector runs reloads itself, as they take their time.
    **{fault: lambda _: nullcontext() for fault in RELOADS},
}

"""How much memory reading a file may take, and how that is held to: an input that asks for more is rejected."""

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from shared.errors import InputTooLarge

if sys.platform == "linux":
    import resource

SLICE_ROWS = 65_536
"""Most rows that are read and checked in one go."""

SLICE_CELLS = 32 * SLICE_ROWS
"""Most cells in one go; a table wider than 32 columns is read in slices of fewer rows."""

READING_BYTES = 128 << 20
"""What reading any file may take: slices of 16 MB under way in several forms, page buffers, threads and their stacks."""

READING_BYTES_PER_COLUMN = 5 << 20
"""A column of a Parquet file has a page and a dictionary of 1 MB each in memory, packed and unpacked."""

M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -8, -3, -1
"""Parameters of glibc's mallopt."""

ARENAS = 2
"""By default each thread may fill one of its own, and keeps it."""

KEPT_BYTES = 32 << 20
"""Freed memory that malloc keeps; by default twice the largest block that was freed, and a batch has many blocks."""

LARGEST_KEPT = 16 << 20
"""Larger blocks are given back at once."""

_threads_started = Lock()


def set_up_malloc() -> None:
    """Have glibc's malloc keep few arenas, and some of the memory that is freed: new pages cost more than most work on them."""
    if sys.platform == "linux":
        # Not every C library has it.
        with suppress(AttributeError):
            set_to = ctypes.CDLL(None).mallopt
            set_to(M_ARENA_MAX, ARENAS)
            set_to(M_MMAP_THRESHOLD, LARGEST_KEPT)
            set_to(M_TRIM_THRESHOLD, KEPT_BYTES)


def slice_rows(columns: int) -> int:
    """Give the most rows to read in one go of a table of so many columns."""
    return max(1024, min(SLICE_ROWS, SLICE_CELLS // max(columns, 1)))


def reading_limit(columns: int) -> int:
    """Give by how many bytes a process may grow while it reads so many columns, for `memory_limit`."""
    return READING_BYTES + columns * READING_BYTES_PER_COLUMN


@contextmanager
def reject_beyond_memory(type: str) -> Iterator[None]:
    """Raise InputTooLarge of the type where memory, or room for a thread, runs out; it names what should be written smaller."""
    try:
        yield
    except MemoryError:
        raise InputTooLarge(type) from None
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        raise InputTooLarge(type) from None


@contextmanager
def memory_limit(growth: int) -> Iterator[None]:
    """Let this process grow by at most so many bytes within; what exceeds that meets MemoryError. Only on Linux, else nothing.

    The whole process is limited, so nothing else should run in it. Where the environment has no
    `ARROW_DEFAULT_MEMORY_POOL=system`, Arrow may already have taken a reserve of 1 GB, in which its pages of Parquet are not
    counted; all else is counted in any case.
    """
    if sys.platform != "linux" or _private_bytes() is None:
        yield
        return
    pool, (soft, hard) = pa.default_memory_pool(), resource.getrlimit(resource.RLIMIT_DATA)
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    # malloc takes from the system what it hands out; Arrow's other pools take their own reserves, by the gigabyte.
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        _start_arrow_threads()
        # Counted only now: the threads' stacks and the reserves are there for good.
        limit = min([(_private_bytes() or 0) + growth, *limits])
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        pa.set_memory_pool(pool)


def _private_bytes() -> int | None:
    """Give what RLIMIT_DATA counts: all private writable memory of this process, whether used or only mapped."""
    try:
        found = re.search(r"^VmData:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) << 10 if found else None


def _start_arrow_threads() -> None:
    """Have Arrow start its threads while there is room: it aborts the process if it can not."""
    with _threads_started:
        sink = pa.BufferOutputStream()
        columns = {str(i): [0] for i in range(16 * (os.cpu_count() or 1))}
        pq.write_table(pa.table(columns), sink)
        pq.read_table(pa.BufferReader(sink.getvalue()), use_threads=True)

"""The limit on memory: what exceeds it is rejected, the process lives on, and honest files fit."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.errors import InputTooLarge
from shared.memory import ARENAS, SLICE_ROWS, memory_limit, reading_limit, reject_beyond_memory, slice_rows

if sys.platform == "linux":
    import resource

ROOT = Path(__file__).resolve().parents[3]

ON_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this is the malloc of the GNU C library")
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process so")

READER = """
import json, sys
from contextlib import contextmanager
from pathlib import Path

from shared.errors import InputError
from shared.formats import arrow, parquet
from shared.formats.source import ReadOptions
from shared.memory import memory_limit, reading_limit
from shared.contract.contract import Contract, Feature

class LocalFile:
    def __init__(self, path):
        self.path = path

    @contextmanager
    def local_file(self, check):
        yield self.path

def size(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))

def read(path, names):
    contract = Contract(tuple(Feature(name, kind, required=False) for name, kind in names.items()))
    reader = parquet.read if path.suffix == ".parquet" else arrow.read_file
    rows, error = 0, None
    with memory_limit(reading_limit(len(names))):
        before = size("VmRSS")
        try:
            for piece in reader(LocalFile(path), ReadOptions(), contract):
                rows += piece.batch.num_rows
        except InputError as rejection:
            error = type(rejection).__name__
    return rows, error, size("VmHWM") - before

print(json.dumps([read(Path(path), names) for path, names in json.loads(sys.argv[1])]))
"""

ARENAS_OF_THREADS = """
import ctypes, sys
from threading import Barrier, Thread

from shared.memory import set_up_malloc

libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
if sys.argv[1] == "few":
    set_up_malloc()
count = 24
gate = Barrier(count)

def allocate():
    gate.wait()
    libc.malloc(1000)
    gate.wait()

threads = [Thread(target=allocate) for _ in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""

PAGES_OF_BATCHES = """
import resource, sys

from shared.memory import set_up_malloc

if sys.argv[1] == "kept":
    set_up_malloc()

def batch():
    return [b"x" * (3 << 20) for _ in range(10)]

for _ in range(3):
    batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

Outcome = tuple[int, str | None, int]


def read(*files: tuple[Path, dict[str, str]]) -> list[Outcome]:
    """Read files in a process of its own; gives the rows of each, its error and by how much the process grew at most."""
    done = subprocess.run(
        [sys.executable, "-c", READER, json.dumps([(str(path), columns) for path, columns in files])],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ARROW_DEFAULT_MEMORY_POOL": "system"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(rows, error, growth) for rows, error, growth in json.loads(done.stdout)]


def said_by(program: str, how: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    return subprocess.check_output([sys.executable, "-c", program, how], cwd=ROOT, env=environment, text=True)


def arenas(how: str) -> int:
    return said_by(ARENAS_OF_THREADS, how).count("<heap nr=")


@ON_GLIBC
def test_threads_share_a_few_arenas_of_malloc() -> None:
    assert arenas("few") <= ARENAS < arenas("as many as there are threads")


@ON_GLIBC
def test_the_next_batch_has_the_memory_of_the_last_one() -> None:
    few, all_pages = 100, (30 << 20) // resource.getpagesize()
    assert int(said_by(PAGES_OF_BATCHES, "kept")) < few < all_pages // 2 < int(said_by(PAGES_OF_BATCHES, "given back"))


def test_wide_tables_are_read_in_slices_of_fewer_rows() -> None:
    assert slice_rows(0) == slice_rows(32) == SLICE_ROWS
    assert slice_rows(500) == SLICE_ROWS * 32 // 500
    assert slice_rows(10**6) == 1024
    assert reading_limit(500) > reading_limit(16)


@ON_LINUX
def test_what_exceeds_the_limit_is_rejected_and_the_limit_is_lifted_afterwards() -> None:
    before, pool = resource.getrlimit(resource.RLIMIT_DATA), pa.default_memory_pool().backend_name
    with (
        pytest.raises(InputTooLarge, match="smaller pages"),
        memory_limit(64 << 20),
        reject_beyond_memory("memory-pages"),
    ):
        assert len(bytes(16 << 20)) == 16 << 20
        pa.allocate_buffer(256 << 20)
    with pytest.raises(MemoryError), memory_limit(64 << 20):
        bytes(256 << 20)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert pa.default_memory_pool().backend_name == pool
    assert len(bytes(256 << 20)) == 256 << 20


def test_only_want_of_memory_is_called_so() -> None:
    with pytest.raises(InputTooLarge), reject_beyond_memory("memory-pages"):
        raise RuntimeError("can't start new thread")
    with pytest.raises(RuntimeError, match="else"), reject_beyond_memory("memory-pages"):
        raise RuntimeError("something else")


@ON_LINUX
def test_bombs_are_rejected_before_they_take_memory_and_an_honest_wide_file_is_read_after_them(tmp_path: Path) -> None:
    prefixes, batch, wide = tmp_path / "prefixes.parquet", tmp_path / "batch.arrow", tmp_path / "wide.parquet"
    data = pa.table({"word": ["x" * (1 << 20) + str(i) for i in range(160)]})
    pq.write_table(data, prefixes, use_dictionary=False, column_encoding={"word": "DELTA_BYTE_ARRAY"})
    data = pa.table({"number": pa.nulls(20_000_000, pa.float64())})
    with pa.ipc.new_file(batch, data.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(data)
    data = pa.table({f"c{i}": pa.array(range(10_000), pa.float64()) for i in range(200)})
    pq.write_table(data, wide, compression="zstd")
    assert max(prefixes.stat().st_size, batch.stat().st_size) < 1 << 20

    columns = dict.fromkeys(data.column_names, "double")
    *bombs, honest = read((prefixes, {"word": "string"}), (batch, {"number": "double"}), (wide, columns))
    assert [(rows, error) for rows, error, _ in bombs] == [(0, "InputTooLarge")] * 2
    assert max(growth for _, _, growth in bombs) < 100 << 20
    assert honest[:2] == (10_000, None)
    assert honest[2] < reading_limit(200)

"""Reading a job's file: claim, read and check, store as chunks, record. A plain function, whoever calls it."""

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import BinaryIO

from shared.errors import InputError, InputTooLarge, InvalidRows, ModelError, RowError, StorageUnavailable
from shared.formats import readers
from shared.formats.compression import decoded, spooled
from shared.jobs.job import READING, Job
from shared.jobs.rows import KeptTypesDiffer, store_rows
from shared.jobs.run import RENEW_INTERVAL, JobEnded, Limits, Workplace, cannot_score, reason_of, remove_if_void
from shared.jobs.store import Claim
from shared.memory import memory_limit, reading_limit, refuse_beyond_memory
from shared.models.checked import Checked, Tally
from shared.storage import Storage, open_uri

STORING_BYTES = 96 << 20
"""What it takes, beside the reading, to encode rows and write them."""

TEMPORARY = "pret-reading-"
"""How the folders begin in which files lie that are not read in order."""

LEFT_BEHIND = 48 * 3600.0
"""Seconds after which such a folder belongs to nobody: no reading takes so long."""


def read_file(job_id: str, window: int, at: Workplace, limits: Limits) -> list[str]:
    """Turn the file of a job into chunks if that still waits; give the units to publish now.

    A file that cannot be scored fails the job, with the refused rows. Anything else that goes wrong is raised, with the unit
    given back for another attempt.
    """
    if at.store.claim(job_id, READING) is not Claim.TAKEN:
        return []
    job = at.store.get(job_id)
    tally = Tally()
    try:
        read = _read(job, tally, at, limits)
    except InputError as error:
        errors = tuple(error.errors) if isinstance(error, InvalidRows) else ()
        total = error.total if isinstance(error, InvalidRows) else 0
        _fail(job, str(error), errors, total, at)
        return []
    except ModelError as error:
        at.store.fail(job_id, cannot_score(job, error))
        return []
    except JobEnded:
        remove_if_void(job, at)
        return []
    except Exception as error:
        at.store.release(job_id, READING, reason_of(error))
        raise
    if tally.total:
        at.store.note_report(job_id, tally.errors, tally.total)
    units = at.store.commit_reading(read, window)
    if units is None:
        for name in (read.rows_blob, read.echo_blob):
            at.storage.delete(name)
        remove_if_void(job, at)
        return []
    # The rows are stored; a retry begins with them.
    at.storage.delete(job.upload_blob)
    return units


def _fail(job: Job, reason: str, errors: tuple[RowError, ...], total: int, at: Workplace) -> None:
    at.store.fail(job.id, reason, retryable=False, errors=errors, total=total)
    remove_if_void(job, at)


def _read(job: Job, tally: Tally, at: Workplace, limits: Limits) -> Job:
    model = at.library.load(job.model_version)
    read = readers.READERS[job.format]
    options = job.read_options
    width = len(model.contract.features) + len(job.keep)
    life = _SignsOfLife(job, at, limits)
    growth = reading_limit(width) + STORING_BYTES
    # A MemoryError that gets out of a task would end the whole worker.
    with _source(job, at.storage, limits, life) as source, refuse_beyond_memory("rows"), memory_limit(growth):
        while True:
            slices = _watched(read(source, options, model.contract), life, limits)
            try:
                good = tally.watch(slices, job.on_invalid)
                return store_rows(good, job, model, at.storage, limits.chunk_rows, in_thread=True)
            except KeptTypesDiffer:
                if options.kept_as_text:
                    raise
                options = replace(options, kept_as_text=True)
                tally.clear()


class _SignsOfLife:
    """Renews the lease of a reading now and then, and raises once the job has ended or the storage is full."""

    def __init__(self, job: Job, at: Workplace, limits: Limits) -> None:
        self._job = job
        self._at = at
        self._limits = limits
        self._given = 0.0
        self.rows = 0

    def give(self) -> None:
        """Give one, if it is time."""
        if time.monotonic() - self._given <= RENEW_INTERVAL:
            return
        if not self._at.store.renew(self._job.id, READING, self.rows):
            raise JobEnded
        free = self._at.storage.free_bytes()
        if free is not None and free < self._limits.free_bytes:
            raise StorageUnavailable("The storage for jobs is full.")
        self._given = time.monotonic()


def _watched(slices: Iterable[Checked], life: _SignsOfLife, limits: Limits) -> Iterator[Checked]:
    """Pass the slices on with signs of life; raises InputTooLarge where there are too many rows."""
    life.rows = 0
    for checked in slices:
        life.rows += checked.batch.num_rows
        if life.rows > limits.rows:
            raise InputTooLarge(f"The file has more than the {limits.rows} rows that this service accepts.")
        life.give()
        yield checked


class _Watched:
    """A stream whose reader gives signs of life, for it may take longer than the lease to copy it."""

    def __init__(self, stream: BinaryIO, life: _SignsOfLife) -> None:
        self._stream = stream
        self._life = life

    def read(self, size: int, /) -> bytes:
        self._life.give()
        return self._stream.read(size)


class _StoredFile:
    """The upload of a job, or what its `input_uri` names, without its encoding."""

    def __init__(self, job: Job, storage: Storage, limit: int, folder: Path, life: _SignsOfLife) -> None:
        self._job = job
        self._storage = storage
        self._limit = limit
        self._folder = folder
        self._life = life

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        uri = self._job.input_uri
        opened = open_uri(uri) if uri else self._storage.read(self._job.upload_blob)
        with opened as raw, decoded(raw, self._job.encoding, self._limit) as stream:
            yield stream

    @contextmanager
    def local_file(self) -> Iterator[Path]:
        own = None if self._job.input_uri else self._storage.local_path(self._job.upload_blob)
        if own is not None and self._job.encoding is None:
            yield own
            return
        with self.stream() as stream, spooled(_Watched(stream, self._life), self._folder) as path:
            yield path


def _sweep(folder: Path) -> None:
    """Remove what readings left behind whose process was killed."""
    for left in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - LEFT_BEHIND:
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _source(job: Job, storage: Storage, limits: Limits, life: _SignsOfLife) -> Iterator[_StoredFile]:
    _sweep(Path(gettempdir()))
    with TemporaryDirectory(prefix=TEMPORARY) as folder:
        yield _StoredFile(job, storage, limits.decoded_bytes, Path(folder), life)

"""The step that reads a job's file: validates its rows and stores them as chunks, or plans that each chunk is a range of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

from shared.contract.validated import Tally, Validated
from shared.errors import StorageUnavailable
from shared.formats import readers
from shared.formats.compression import decoding_bytes
from shared.jobs.job import READ_PREFIXES, SMALL_UPLOAD, UNPACKED, Job
from shared.jobs.plan import planned
from shared.jobs.row_index import Place, write_index
from shared.jobs.rows import KeptTypesDiffer, check_count, store_rows
from shared.jobs.unit import Attempt, Oversized, Workplace, count_invalid
from shared.jobs.upload import SignOfLife, StoredFile, stored_file
from shared.memory import memory_limit, reading_limit, reject_beyond_memory
from shared.models.artifact import Model

STORING_BYTES = 96 << 20
"""Memory needed to encode and write rows, in addition to reading them."""


def read_file(attempt: Attempt) -> list[str] | None:
    """Split the file into chunks; invalid rows that are not flagged raise InvalidRows, unless they are found by the scoring."""
    job, at = attempt.job, attempt.at
    _remove_leftovers(attempt)
    tally = Tally()
    with attempt.steps.step("read"):
        read = _planned_or_read(attempt, tally)
    with attempt.steps.step("commit"):
        if tally.report.invalid_values:
            at.store.note_report(job.id, tally.report)
        units = at.store.commit_reading(read, at.window(), attempt.owner)
    if read.in_place:
        return units
    at.metrics.rows_read.inc(read.rows or 0)
    count_invalid(tally.report, at.metrics)
    if units is None:
        for name in (read.rows_blob, read.echo_blob, read.index_blob):
            at.storage.delete(name)
    return units


@contextmanager
def opened_file(job: Job, model: Model, at: Workplace, give_sign: SignOfLife = lambda _: None) -> Iterator[StoredFile]:
    """Open the file of a job, and limit the memory in which it is read and encoded."""
    growth = reading_limit(len(model.contract.features) + len(job.keep)) + decoding_bytes(job.encoding) + STORING_BYTES
    file = stored_file(job, at.storage, at.limits.decoded_bytes, give_sign)
    # A MemoryError that escapes a task would end the whole worker.
    with file as source, reject_beyond_memory("memory-rows"), memory_limit(growth):
        yield source


def _remove_leftovers(attempt: Attempt) -> None:
    """Remove what earlier attempts have written: since this one holds the lease, none of them can be committed any more."""
    folder, storage = attempt.job.folder, attempt.at.storage
    leftovers = [name for name in storage.blobs(folder) if name.startswith(READ_PREFIXES)]
    if leftovers:
        # Raises if another attempt has taken over; so whatever was listed before is of earlier ones.
        attempt.renew()
    for name in leftovers:
        storage.delete(f"{folder}/{name}")


def _planned_or_read(attempt: Attempt, tally: Tally) -> Job:
    life = _SignsOfLife(attempt)
    model = attempt.at.models.load(attempt.job.model_version)
    with opened_file(attempt.job, model, attempt.at, life.after_read) as source:
        plan = planned(attempt.job, model, source, attempt.at.limits)
        return plan or _read(attempt, model, source, life, tally)


def _read(attempt: Attempt, model: Model, source: StoredFile, life: "_SignsOfLife", tally: Tally) -> Job:
    job, at = attempt.job, attempt.at
    read = readers.READERS[job.format]
    options = job.read_options
    while True:
        slices = _living(read(source, options, model.contract), life)
        try:
            good = tally.watch(slices, job.on_invalid)
            stored = store_rows(good, job, model, at.storage, at.limits.chunk_rows, in_thread=True)
            if life.places:
                write_index(life.places, stored, at.storage)
            return stored
        except KeptTypesDiffer as error:
            options = error.solved(options)
            tally.clear()


class _SignsOfLife:
    """Reports the number of rows read periodically; raises once the job has ended, or takes more than is left for it."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        # The file and its rows are read in different threads.
        self._lock = Lock()
        self.begin()

    def begin(self) -> None:
        """Begin to read, perhaps again."""
        self.rows = self._read = self._held = 0
        self.places: list[Place] = []
        """Where the slices begin in a file of text."""

    def after_read(self, size: int) -> None:
        """Note that so many bytes were read of the decompressed file; sends a heartbeat, if one is due."""
        self._read += size
        self._check_size(self._read, SMALL_UPLOAD)
        self._give()

    def after_slice(self, validated: Validated) -> None:
        """Note that some rows were read; sends a heartbeat, if one is due. Raises InputTooLarge if there are too many rows."""
        if validated.offset is not None:
            self.places.append((self.rows, validated.offset))
        self.rows += validated.batch.num_rows
        self._held += validated.batch.nbytes
        check_count(self._attempt.job, self.rows, self._attempt.at.limits.rows)
        self._check_size(self._held, UNPACKED * SMALL_UPLOAD)
        self._give()

    def _check_size(self, size: int, limit: int) -> None:
        """Raise Oversized if a file that was taken for a small one is a large one: others wait for their turn."""
        if self._attempt.job.is_small and size > limit:
            raise Oversized

    def _give(self) -> None:
        with self._lock:
            is_given = self._attempt.renew(self.rows)
        if is_given:
            free = self._attempt.at.storage.free_bytes()
            if free is not None and free < self._attempt.at.limits.free_bytes:
                raise StorageUnavailable("storage-full")


def _living(slices: Iterable[Validated], life: _SignsOfLife) -> Iterator[Validated]:
    """Pass the slices through, with a sign of life after each."""
    life.begin()
    for validated in slices:
        life.after_slice(validated)
        yield validated

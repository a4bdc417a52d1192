"""The step that reads a job's file: validates its rows and stores them as chunks."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shared.contract.validated import Tally, Validated
from shared.errors import InputTooLarge, StorageUnavailable
from shared.formats import readers
from shared.formats.compression import decoding_bytes
from shared.jobs.job import READ_PREFIXES, Job
from shared.jobs.rows import KeptTypesDiffer, store_rows
from shared.jobs.unit import Attempt
from shared.jobs.upload import stored_file
from shared.memory import memory_limit, reading_limit, reject_beyond_memory

STORING_BYTES = 96 << 20
"""Memory needed to encode and write rows, in addition to reading them."""


def read_file(attempt: Attempt) -> list[str] | None:
    """Split the file into chunks; invalid rows that are not flagged raise InvalidRows."""
    job, at = attempt.job, attempt.at
    _remove_leftovers(attempt)
    tally = Tally()
    read = _read(attempt, tally)
    if tally.report.invalid_values:
        at.store.note_report(job.id, tally.report)
    units = at.store.commit_reading(read, at.window(), attempt.owner)
    if units is None:
        for name in (read.rows_blob, read.echo_blob):
            at.storage.delete(name)
        return None
    # The rows are stored; a retry starts from them.
    at.storage.delete(job.upload_blob)
    return units


def _remove_leftovers(attempt: Attempt) -> None:
    """Remove what earlier attempts have written: since this one holds the lease, none of them can be committed any more."""
    folder, storage = attempt.job.folder, attempt.at.storage
    leftovers = [name for name in storage.blobs(folder) if name.startswith(READ_PREFIXES)]
    if leftovers:
        # Raises if another attempt has taken over; so whatever was listed before is of earlier ones.
        attempt.renew()
    for name in leftovers:
        storage.delete(f"{folder}/{name}")


def _read(attempt: Attempt, tally: Tally) -> Job:
    job, at = attempt.job, attempt.at
    model = at.models.load(job.model_version)
    read = readers.READERS[job.format]
    options = job.read_options
    life = _SignsOfLife(attempt)
    growth = reading_limit(len(model.contract.features) + len(job.keep)) + decoding_bytes(job.encoding) + STORING_BYTES
    file = stored_file(job, at.storage, at.limits.decoded_bytes, life.give)
    # A MemoryError that escapes a task would end the whole worker.
    with file as source, reject_beyond_memory("memory-rows"), memory_limit(growth):
        while True:
            slices = _counted(read(source, options, model.contract), life, at.limits.rows, job.rows_left)
            try:
                good = tally.watch(slices, job.on_invalid)
                return store_rows(good, job, model, at.storage, at.limits.chunk_rows, in_thread=True)
            except KeptTypesDiffer:
                if options.kept_as_text:
                    raise
                options = replace(options, kept_as_text=True)
                tally.clear()


class _SignsOfLife:
    """Reports the number of rows read periodically, and raises once the job has ended or the storage is full."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self.rows = 0

    def give(self) -> None:
        """Send a heartbeat, if one is due."""
        if self._attempt.renew(self.rows):
            free = self._attempt.at.storage.free_bytes()
            if free is not None and free < self._attempt.at.limits.free_bytes:
                raise StorageUnavailable("storage-full")


def _counted(slices: Iterable[Validated], life: _SignsOfLife, limit: int, left: int | None) -> Iterator[Validated]:
    """Pass the slices through, sending heartbeats; raises InputTooLarge if there are too many rows."""
    life.rows = 0
    for validated in slices:
        life.rows += validated.batch.num_rows
        if life.rows > limit:
            raise InputTooLarge("too-many-rows", limit=limit)
        if left is not None and life.rows > left:
            raise InputTooLarge("rows-left-exceeded", limit=left)
        life.give()
        yield validated

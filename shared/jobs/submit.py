"""Accept a job: turn a submission into a record and its first messages."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from shared import tracing
from shared.contract.validated import Tally, Validated
from shared.errors import ALL_VALID, IdempotencyConflict, InputTooLarge, Report
from shared.formats.source import ReadOptions
from shared.jobs.job import Job, Stage
from shared.jobs.queue import TaskQueue
from shared.jobs.rows import KeptTypesDiffer, store_rows
from shared.jobs.store import JobStore
from shared.logging import request_id
from shared.models.artifact import Model
from shared.storage import Storage

COUNTED_VALUES = 100_000
"""Invalid values of a JSON body are counted up to about this number; a body full of them would keep a thread busy for long."""

ReadRows = Callable[[ReadOptions], Iterable[Validated]]


@dataclass(frozen=True)
class Intake:
    """Accepts new jobs. `window` returns the number of units of one job that may be in progress."""

    store: JobStore
    storage: Storage
    queue: TaskQueue
    window: Callable[[], int]
    chunk_rows: int | None
    """Rows per chunk; None to derive them from the speed of the model."""

    def submit_rows(
        self,
        body: bytes,
        read: ReadRows,
        job: Job,
        model: Model,
        key: str | None = None,
        fingerprint: str = "",
    ) -> Job:
        """Store a JSON document, and its rows that are validated while they are read; start the job and return its record.

        Raises InvalidRows if there are invalid ones and the job does not flag them, InputTooLarge if its owner may not have so many
        scored. Nothing is left behind if reading the rows raises or the storage is unavailable. After RedisUnavailable there may be
        a record: then the job is whole and will run, even if its messages are lost; if there is none, the blobs are removed later
        (`expiry`).
        """
        tally = Tally(enough=COUNTED_VALUES)
        try:
            stored = self._store(read, job, model, tally)
            if job.rows_left is not None and (stored.rows or 0) > job.rows_left:
                raise InputTooLarge("rows-left-exceeded", limit=job.rows_left)
            with self.storage.write(job.upload_blob) as file:
                file.write(body)
        except BaseException:
            self.storage.delete_folder(job.folder)
            raise
        return self._start(stored, key, fingerprint, tally.report)

    def submit_file(self, job: Job, key: str | None = None, fingerprint: str = "") -> Job:
        """Start a job whose file is already in storage as `job.upload_blob`, or will be read from its `input_uri`.

        After RedisUnavailable there may be a job, as with `submit_rows`.
        """
        return self._start(replace(job, stage=Stage.READING), key, fingerprint, ALL_VALID)

    def _store(self, read: ReadRows, job: Job, model: Model, tally: Tally) -> Job:
        options = job.read_options
        while True:
            slices = tally.watch(read(options), job.on_invalid)
            try:
                return store_rows(slices, job, model, self.storage, self.chunk_rows)
            except KeptTypesDiffer as error:
                options = error.solved(options)
                tally.clear()

    def _start(self, job: Job, key: str | None, fingerprint: str, report: Report) -> Job:
        with tracing.span("publish job", "producer", pret_job=job.id):
            job = replace(job, request_id=request_id.get() or None, traceparent=tracing.traceparent())
            return self._published(job, key, fingerprint, report)

    def _published(self, job: Job, key: str | None, fingerprint: str, report: Report) -> Job:
        try:
            job_id, units = self.store.create(job, self.window(), key, fingerprint, report)
        except IdempotencyConflict:
            self.storage.delete_folder(job.folder)
            raise
        if job_id != job.id:
            self.storage.delete_folder(job.folder)
            return self.store.get(job_id)
        self.queue.publish(job, units)
        return job

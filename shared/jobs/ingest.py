"""From checked rows to a stored job: one Arrow IPC file, one record batch a chunk, then the record, then the messages."""

import time
from collections.abc import Iterable, Iterator
from uuid import uuid4

import pyarrow as pa

from shared.jobs.job import Job
from shared.jobs.queue import ChunkQueue
from shared.jobs.store import JobStore
from shared.models.artifact import Model
from shared.models.signature import Contract, Row
from shared.storage import Storage


def submit(
    slices: Iterable[list[Row]], model: Model, *, chunk_rows: int, storage: Storage, store: JobStore, queue: ChunkQueue
) -> Job:
    """Store the rows and start a job with them, pinned to `model`.

    Nothing is left behind if reading the rows raises, or the storage or Redis is away; once the record is there the job
    will be done, whether or not its messages arrive.
    """
    job = Job(uuid4().hex, model.version, model.threshold, 0, chunk_rows, time.time())
    try:
        rows = 0
        with storage.write(job.input_blob) as file, pa.ipc.new_file(file, model.contract.arrow_schema) as writer:
            for batch in to_chunks(slices, model.contract, chunk_rows):
                writer.write_batch(batch)
                rows += batch.num_rows
        job = Job(job.id, model.version, model.threshold, rows, chunk_rows, job.created_at)
        store.create(job)
    except BaseException:
        storage.delete_folder(job.folder)
        raise
    queue.publish((job.id, chunk) for chunk in range(job.chunks))
    return job


def to_chunks(slices: Iterable[list[Row]], contract: Contract, chunk_rows: int) -> Iterator[pa.RecordBatch]:
    """Regroup slices of rows into record batches of `chunk_rows` rows; the last one may be smaller."""
    waiting: list[Row] = []
    for rows in slices:
        waiting.extend(rows)
        while len(waiting) >= chunk_rows:
            yield contract.to_batch(waiting[:chunk_rows])
            del waiting[:chunk_rows]
    if waiting:
        yield contract.to_batch(waiting)

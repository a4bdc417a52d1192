"""From checked rows to a stored job: one Arrow IPC file, one record batch a chunk, then the record, then the messages."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from uuid import uuid4

import pyarrow as pa

from shared.jobs.blobs import write_batches
from shared.jobs.job import Job
from shared.jobs.queue import ChunkQueue
from shared.jobs.store import JobStore
from shared.models.artifact import Model
from shared.storage import Storage


def submit(
    batches: Iterable[pa.RecordBatch],
    model: Model,
    *,
    chunk_rows: int,
    storage: Storage,
    store: JobStore,
    queue: ChunkQueue,
) -> Job:
    """Store the rows and start a job with them, pinned to `model`.

    Nothing is left behind if reading the rows raises, or the storage or Redis is away; once the record is there the job
    will be done, whether or not its messages arrive.
    """
    job = Job(uuid4().hex, model.version, model.threshold, 0, chunk_rows, time.time())
    try:
        rows = write_batches(to_chunks(batches, chunk_rows), model.contract.arrow_schema, job.input_blob, storage)
        job = replace(job, rows=rows)
        store.create(job)
    except BaseException:
        storage.delete_folder(job.folder)
        raise
    queue.publish((job.id, chunk) for chunk in range(job.chunks))
    return job


def to_chunks(batches: Iterable[pa.RecordBatch], chunk_rows: int) -> Iterator[pa.RecordBatch]:
    """Regroup record batches into ones of `chunk_rows` rows; the last one may be smaller."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        while rows + batch.num_rows >= chunk_rows:
            missing = chunk_rows - rows
            yield pa.concat_batches([*waiting, batch.slice(0, missing)])
            waiting, rows, batch = [], 0, batch.slice(missing)
        waiting.append(batch)
        rows += batch.num_rows
    if rows:
        yield pa.concat_batches(waiting)

"""The results of a job, read from its score blobs in the order of its rows."""

from collections.abc import Iterator

import numpy as np

from shared.errors import JobConflict, StorageUnavailable
from shared.jobs.blobs import DAMAGED, read_batch
from shared.jobs.job import Job, JobState
from shared.models.scorer import Scores
from shared.storage import Storage


def scores(job: Job, storage: Storage, offset: int, limit: int) -> Scores:
    """Read the scores of up to `limit` rows from row `offset` on.

    Raises JobConflict unless the job succeeded, StorageUnavailable if its blobs cannot be read.
    """
    if job.state is not JobState.SUCCEEDED:
        reason = f": {job.error}" if job.error else ""
        raise JobConflict(f"The job is {job.state.value}{reason}; only a job that succeeded has results.")
    end = min(offset + limit, job.rows)
    return np.concatenate([np.empty(0), *_pieces(job, storage, offset, end)])


def _pieces(job: Job, storage: Storage, start: int, end: int) -> Iterator[Scores]:
    if start >= end:
        return
    for chunk in range(start // job.chunk_rows, (end - 1) // job.chunk_rows + 1):
        first = chunk * job.chunk_rows
        column: Scores = read_batch(job.scores_blob(chunk), 0, storage).column(0).to_numpy()
        if len(column) != min(job.chunk_rows, job.rows - first):
            raise StorageUnavailable(DAMAGED)
        yield column[max(start - first, 0) : end - first]

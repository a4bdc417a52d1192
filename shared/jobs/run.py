"""Scoring one chunk: claim, score, record. A plain function, whoever calls it."""

import numpy as np
import pyarrow as pa

from shared.errors import ModelError, PretError, UnknownJob
from shared.jobs.blobs import read_batch, write_batches
from shared.jobs.job import Job
from shared.jobs.store import Claim, JobStore
from shared.models.library import ModelLibrary
from shared.models.scorer import Scores
from shared.storage import Storage

SCORE_SCHEMA = pa.schema([("score", pa.float64())])


def score_chunk(job_id: str, chunk: int, *, store: JobStore, storage: Storage, library: ModelLibrary) -> None:
    """Score the chunk if it still waits, and count it once, whoever else scores it too.

    A model that cannot serve fails the job. Anything else that goes wrong is raised, with the chunk given back for
    another attempt.
    """
    if store.claim(job_id, chunk) is not Claim.TAKEN:
        return
    try:
        job = store.get(job_id)
        scores = _scores(job, chunk, storage, library)
        _write(scores, job.scores_blob(chunk), storage)
    except ModelError as error:
        store.fail(job_id, f"Model version {job.model_version} cannot score: {error}")
        return
    except UnknownJob:
        return
    except Exception as error:
        # Only our own errors have messages that are fit for the job's owner.
        store.release(
            job_id, chunk, str(error) if isinstance(error, PretError) else f"{type(error).__name__} in the worker."
        )
        raise
    refused = int(np.count_nonzero(scores >= job.threshold))
    store.commit(job_id, chunk, granted=len(scores) - refused, refused=refused)


def _scores(job: Job, chunk: int, storage: Storage, library: ModelLibrary) -> Scores:
    model = library.load(job.model_version)
    return model.scorer.score_batch(read_batch(job.input_blob, chunk, storage))


def _write(scores: Scores, name: str, storage: Storage) -> None:
    batch = pa.record_batch([pa.array(scores)], schema=SCORE_SCHEMA)
    write_batches([batch], SCORE_SCHEMA, name, storage)

"""Scoring one chunk: claim, score, record. A plain function, whoever calls it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from shared.errors import ModelError, PretError, UnknownJob
from shared.jobs.blobs import read_batches, write_batch
from shared.jobs.job import Job, JobState
from shared.jobs.store import Claim, JobStore
from shared.models.artifact import Model
from shared.models.library import ModelLibrary
from shared.storage import Storage

RENEW_INTERVAL = 0.5
"""Seconds between two signs of life of a long unit, at which it also learns that its job has ended."""

SCORE_SCHEMA = pa.schema([("score", pa.float64())])


@dataclass(frozen=True)
class Workplace:
    """What a unit of work needs."""

    store: JobStore
    storage: Storage
    library: ModelLibrary


@dataclass(frozen=True)
class Limits:
    """How much one file may become."""

    decoded_bytes: int
    rows: int
    free_bytes: int
    """What must stay free in the storage."""
    chunk_rows: int | None


class JobEnded(Exception):
    """The job was cancelled or removed, or its work done by another, while this worker was at it."""


def score_chunk(job_id: str, chunk: str, window: int, at: Workplace) -> list[str]:
    """Score the chunk if it still waits, and count it once, whoever else scores it too; give the units to publish now.

    A model that cannot serve fails the job. Anything else that goes wrong is raised, with the chunk given back for
    another attempt.
    """
    if at.store.claim(job_id, chunk) is not Claim.TAKEN:
        return []
    try:
        job = at.store.get(job_id)
    except UnknownJob:
        return []
    try:
        scores = _scores(job, int(chunk), at)
        write_batch(pa.record_batch([scores], schema=SCORE_SCHEMA), job.scores_blob(int(chunk)), at.storage)
    except ModelError as error:
        at.store.fail(job_id, cannot_score(job, error))
        return []
    except Exception as error:
        if remove_if_void(job, at):
            # Cancelled meanwhile: its rows are gone.
            return []
        at.store.release(job_id, chunk, reason_of(error))
        raise
    refused = int(np.count_nonzero(scores.to_numpy(zero_copy_only=False) >= job.threshold))
    granted = len(scores) - scores.null_count - refused
    units = at.store.commit(job_id, chunk, window, granted=granted, refused=refused, invalid=scores.null_count)
    if units is None:
        remove_if_void(job, at)
    return units or []


def cannot_score(job: Job, error: ModelError) -> str:
    """Say why a job fails for its model."""
    return f"Model version {job.model_version} cannot score: {error}"


def reason_of(error: Exception) -> str:
    """Say what went wrong; only our own errors have messages that are fit for the job's owner."""
    return str(error) if isinstance(error, PretError) else f"{type(error).__name__} in the worker."


def remove_if_void(job: Job, at: Workplace) -> bool:
    """Remove what was written for a job that had been cancelled or removed meanwhile, and tell whether it had."""
    try:
        now = at.store.get(job.id)
        void = now.state is JobState.CANCELLED or (now.state is JobState.FAILED and not now.retryable)
    except UnknownJob:
        void = True
    if void:
        at.storage.delete_folder(job.folder)
    return void


def _scores(job: Job, chunk: int, at: Workplace) -> pa.Array:
    """Score the rows of a chunk; null for those that are not to be scored."""
    model = at.library.load(job.model_version)
    scores = [
        _scored(batch, model, is_flagged=job.is_flagged)
        for batch in read_batches(job.rows_blob, job.batches_of(chunk), at.storage)
    ]
    return pa.concat_arrays(scores)


def _scored(batch: pa.RecordBatch, model: Model, *, is_flagged: bool) -> pa.Array:
    if not is_flagged:
        return pa.array(model.scorer.score_encoded(batch))
    to_score = batch.columns[-1].to_numpy(zero_copy_only=False)
    features = pa.RecordBatch.from_arrays(batch.columns[:-1], schema=model.scorer.encoded_schema)
    return pa.array(model.scorer.score_encoded(features), mask=~to_score)

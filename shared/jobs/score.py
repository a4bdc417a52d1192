"""The step that scores one chunk: its stored rows in, a blob of scores out."""

import pyarrow as pa

from shared.errors import BadArtifact
from shared.jobs.blobs import read_batches, write_batch
from shared.jobs.job import Job
from shared.jobs.unit import Attempt
from shared.scoring import Predictions, StoredRows, score

SCORE_SCHEMA = pa.schema([("score", pa.float64())])


def score_chunk(attempt: Attempt) -> list[str] | None:
    """Score the chunk, and count it once even if another worker scores it too."""
    job, at, chunk = attempt.job, attempt.at, int(attempt.unit)
    model = at.models.load(job.model_version)
    if job.positive_class not in ("", model.positive_class):
        raise BadArtifact("positive-class-differs", label=job.positive_class, other=model.positive_class)
    parts = [
        score(model, _stored_rows(batch, job), job.threshold)
        for batch in read_batches(job.rows_blob, job.batches_of(chunk), at.storage)
    ]
    scores = pa.concat_arrays([part.column() for part in parts])
    predictions = Predictions.of(scores, job.threshold, job.model_version)
    unseen = {name: sum(part.unseen[name] for part in parts) for name in parts[0].unseen}
    write_batch(pa.record_batch([scores], schema=SCORE_SCHEMA), job.scores_blob(chunk), at.storage)
    return at.store.commit(job.id, attempt.unit, at.window(), **predictions.counts(), unseen=unseen)


def _stored_rows(batch: pa.RecordBatch, job: Job) -> StoredRows:
    """Separate the features from the column that marks the rows to score."""
    if not job.is_flagged:
        return StoredRows(batch)
    return StoredRows(batch.select(range(batch.num_columns - 1)), batch.columns[-1])

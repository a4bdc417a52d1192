"""A worker that takes its time over each chunk, so that a job can be disturbed in its middle on any machine."""

import time

import pyarrow as pa

from shared.models.evaluator import Scores
from shared.models.scorer import Scorer, WatchCategories
from worker.app import app as app

SECONDS_PER_CHUNK = 0.03

score_encoded = Scorer.score_encoded


def score_slowly(self: Scorer, batch: pa.RecordBatch, watch: WatchCategories | None = None) -> Scores:
    time.sleep(SECONDS_PER_CHUNK)
    return score_encoded(self, batch, watch)


Scorer.score_encoded = score_slowly  # type: ignore[method-assign]

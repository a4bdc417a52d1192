"""A worker that dies, as by a segmentation fault, on a row with an income of 666."""

import os
import signal

import pyarrow as pa

from shared.models.evaluator import Scores
from shared.models.scorer import Scorer, WatchCategories
from worker.app import app as app

score_encoded = Scorer.score_encoded


def die_or_score(self: Scorer, batch: pa.RecordBatch, watch: WatchCategories | None = None) -> Scores:
    if batch.column("income").to_pylist() == [666.0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return score_encoded(self, batch, watch)


Scorer.score_encoded = die_or_score  # type: ignore[method-assign]

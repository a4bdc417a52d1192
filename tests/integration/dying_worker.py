"""A worker that dies: on a row with an income of 666, as by a segmentation fault, and on a Parquet file of 66 rows, as Arrow may
on damaged metadata.
"""

import os
import signal
from dataclasses import replace

import pyarrow as pa

from shared.contract.contract import Contract
from shared.formats import parquet
from shared.formats.format import Format
from shared.formats.layout import Layout, SourceInPlace
from shared.formats.readers import RANGE_READERS
from shared.formats.source import ReadOptions
from shared.models.evaluator import Scores
from shared.models.scorer import Scorer, WatchCategories
from worker.app import app as app

score_encoded = Scorer.score_encoded


def die_or_score(self: Scorer, batch: pa.RecordBatch, watch: WatchCategories | None = None) -> Scores:
    if batch.column("income").to_pylist() == [666.0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return score_encoded(self, batch, watch)


def die_or_describe(source: SourceInPlace, options: ReadOptions, contract: Contract) -> Layout | None:
    layout = parquet.layout(source, options, contract)
    if layout is not None and layout.total == 66:
        os.kill(os.getpid(), signal.SIGABRT)
    return layout


RANGE_READERS[Format.PARQUET] = replace(RANGE_READERS[Format.PARQUET], layout=die_or_describe)
Scorer.score_encoded = die_or_score  # type: ignore[method-assign]

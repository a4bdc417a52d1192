"""What evaluates the trees: CatBoost itself, or a faster library, which may score a version only once `proof` has cleared it.

Both take rows as the scorer writes them for the model, and give the probability of one of the two classes.
"""

from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from catboost import CatBoostClassifier, Pool

from shared.models.pools import Table, pool_of_batch, pool_of_table

try:
    import lignum
except ImportError:
    lignum = None

Scores = npt.NDArray[np.float64]
"""One probability of the positive class a row, shape (rows,), between 0 and 1."""


class Evaluator(Protocol):
    """Scores rows in the calling thread, without state between calls; several threads may call it at the same time."""

    @property
    def name(self) -> str:
        """The library and its version."""

    def score_table(self, table: Table) -> Scores:
        """Score a few rows; for these the way over Arrow would cost more than the trees."""

    def score_batch(self, batch: pa.RecordBatch) -> Scores:
        """Score columns without nulls, in the order of the features: float32, and dictionaries of text for categories."""


class CatBoostEvaluator:
    """CatBoost's own `predict_proba`, which any other evaluator is measured by."""

    def __init__(self, classifier: CatBoostClassifier, positive: int) -> None:
        self.name = f"catboost {metadata.version('catboost')}"
        self._categories = classifier.get_cat_feature_indices()
        self._classifier = classifier
        self._positive = positive

    def score_table(self, table: Table) -> Scores:
        """Score a few rows."""
        return self._predict(pool_of_table(table, self._categories))

    def score_batch(self, batch: pa.RecordBatch) -> Scores:
        """Score columns."""
        return self._predict(pool_of_batch(batch, self._categories))

    def _predict(self, pool: Pool) -> Scores:
        scores: Scores = self._classifier.predict_proba(pool, thread_count=1)[:, self._positive]
        return scores


class FastEvaluator:
    """The trees of a model file as pylignum reads and walks them; raises whatever pylignum does of a model it cannot take."""

    def __init__(self, file: Path, positive: int) -> None:
        assert lignum is not None  # noqa: S101 - `is_fast_evaluator_installed` was asked
        self._model = lignum.load(str(file), format="catboost")
        self._positive = positive
        self.name = f"pylignum {lignum.__version__}"

    def score_table(self, table: Table) -> Scores:
        """Score a few rows."""
        return self._predict(table)

    def score_batch(self, batch: pa.RecordBatch) -> Scores:
        """Score columns."""
        return self._predict(batch)

    def _predict(self, rows: Table | pa.RecordBatch) -> Scores:
        scores: Scores = self._model.predict(rows, n_jobs=1, strategy="serial")
        if scores.ndim > 1:
            return scores[:, self._positive]
        return scores if self._positive else 1 - scores

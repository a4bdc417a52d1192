"""What evaluates the trees: CatBoost itself, or a faster library, which may score a version only once `proof` has cleared it.

Both take rows as the scorer writes them for the model, and give the probability of one of the two classes.
"""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from catboost import CatBoostClassifier, Pool

try:
    import lignum
except ImportError:
    lignum = None

Scores = npt.NDArray[np.float64]
"""One probability of the positive class a row, shape (rows,), between 0 and 1."""

Table = Sequence[list[Any]]
"""A few rows, each a list in the order of the features: numbers, None where one is missing; text for categories."""


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
    """CatBoost's own `predict_proba`, which any other evaluator is measured by.

    CatBoost reads numbers as 32-bit floats. A Fortran-ordered float32 matrix enters a Pool without a copy, and categories enter
    cheapest as pandas categoricals; both give the same bits as the user's own data frame.
    """

    def __init__(self, classifier: CatBoostClassifier, positive: int) -> None:
        self.name = f"catboost {metadata.version('catboost')}"
        self._cat_features = classifier.get_cat_feature_indices() or None
        self._classifier = classifier
        self._positive = positive

    def score_table(self, table: Table) -> Scores:
        """Score a few rows."""
        if self._cat_features:
            return self._predict(
                np.array([[np.nan if value is None else value for value in row] for row in table], object)
            )
        with np.errstate(over="ignore"):
            return self._predict(np.array(table, np.float32, order="F"))

    def score_batch(self, batch: pa.RecordBatch) -> Scores:
        """Score columns."""
        if self._cat_features:
            columns = zip(batch.schema.names, batch.columns, strict=True)
            return self._predict(pd.DataFrame({name: _for_pandas(column) for name, column in columns}))
        matrix = np.empty((batch.num_rows, batch.num_columns), np.float32, order="F")
        for i, column in enumerate(batch.columns):
            matrix[:, i] = column.to_numpy()
        return self._predict(matrix)

    def _predict(self, data: Any) -> Scores:
        pool = Pool(data, cat_features=self._cat_features)
        scores: Scores = self._classifier.predict_proba(pool, thread_count=1)[:, self._positive]
        return scores


class FastEvaluator:
    """The trees of a model file as pylignum reads and walks them; raises whatever pylignum does of a model it cannot take."""

    def __init__(self, file: Path, positive: int) -> None:
        assert lignum is not None  # noqa: S101 - `is_installed` was asked
        self._model = lignum.load(str(file), format="catboost")
        self._positive = positive
        self.name = f"pylignum {lignum.__version__}"

    @staticmethod
    def is_installed() -> bool:
        """Whether pylignum is there; it has no wheels for some platforms."""
        return lignum is not None

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


def _for_pandas(column: pa.Array) -> Any:
    return column.to_pandas() if pa.types.is_dictionary(column.type) else column.to_numpy()

"""Scores: the probability of class 1, exactly as CatBoost's `predict_proba` gives it.

CatBoost reads numbers as 32-bit floats. A Fortran-ordered float32 matrix enters a Pool without a copy, and categories enter
cheapest as pandas categoricals; both give the same bits as the user's own data frame.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from catboost import CatBoostClassifier, Pool

from shared.models.signature import Contract, Row

Scores = npt.NDArray[np.float64]
"""One probability of class 1 a row, shape (rows,), between 0 and 1."""


class Scorer:
    """Turns rows that keep the contract into scores; one thread, no state between calls."""

    def __init__(self, classifier: CatBoostClassifier, contract: Contract) -> None:
        self._classifier = classifier
        self._contract = contract
        self._categorical = frozenset(classifier.get_cat_feature_indices())

    def score_batch(self, batch: pa.RecordBatch) -> Scores:
        """Score a record batch of the contract's Arrow schema."""
        if self._categorical:
            columns = {name: self._column(i, batch.column(i)) for i, name in enumerate(self._contract.names)}
            return self._predict(pd.DataFrame(columns))
        matrix = np.empty((batch.num_rows, batch.num_columns), dtype=np.float32, order="F")
        for i, column in enumerate(batch.columns):
            matrix[:, i] = _numbers(column)
        return self._predict(matrix)

    def score_rows(self, rows: Sequence[Row]) -> Scores:
        """Score a handful of rows; for these the way over Arrow would cost more than the trees."""
        table = [[row.get(name) for name in self._contract.names] for row in rows]
        if not self._categorical:
            with np.errstate(over="ignore"):
                matrix = np.array(table, dtype=np.float32, order="F")
            return self._predict(matrix)
        for values in table:
            for i, value in enumerate(values):
                if i in self._categorical:
                    values[i] = self._category(value)
                elif value is None:
                    values[i] = np.nan
        return self._predict(np.array(table, dtype=object))

    def _predict(self, data: Any) -> Scores:
        pool = Pool(data, cat_features=sorted(self._categorical) or None)
        scores: Scores = self._classifier.predict_proba(pool, thread_count=1)[:, 1]
        return scores

    def _column(self, index: int, column: pa.Array) -> Any:
        if index not in self._categorical:
            return _numbers(column)
        if not pa.types.is_string(column.type):
            # CatBoost reads a whole number or a boolean that is a category as the digits of its integer.
            column = pc.cast(pc.cast(column, pa.int64()), pa.string())
        return pc.fill_null(column, self._contract.missing_category).dictionary_encode().to_pandas()

    def _category(self, value: Any) -> str:
        if value is None:
            return self._contract.missing_category
        return value if isinstance(value, str) else str(int(value))


def _numbers(column: pa.Array) -> npt.NDArray[np.float32]:
    """Give the column as the numbers that CatBoost reads, with NaN where it is null."""
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    numbers: npt.NDArray[np.float64] = column.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    # By way of 64 bits, as a lone row goes: rounded to 32 bits at once, a large whole number may become another one.
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)

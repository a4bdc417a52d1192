"""Scores: the probability of the positive class, exactly as CatBoost's `predict_proba` gives it.

CatBoost reads numbers as 32-bit floats. A Fortran-ordered float32 matrix enters a Pool without a copy, and categories enter
cheapest as pandas categoricals; both give the same bits as the user's own data frame.
"""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from catboost import CatBoostClassifier, Pool

from shared.contract.contract import Contract, Row

Scores = npt.NDArray[np.float64]
"""One probability of the positive class a row, shape (rows,), between 0 and 1."""

WatchCategories = Callable[[str, pa.DictionaryArray], object]
"""Is given the name of a feature and its column, without nulls."""

TRIAL_ROWS = 4096
TRIALS = 3


class Scorer:
    """Turns rows that keep the contract into scores; one thread, no state between calls.

    `positive` is the place of the positive class among the model's two.
    """

    def __init__(self, classifier: CatBoostClassifier, contract: Contract, positive: int = 1) -> None:
        self._classifier = classifier
        self._positive = positive
        self._contract = contract
        self._categorical = frozenset(classifier.get_cat_feature_indices())
        self._cat_features = sorted(self._categorical) or None

    @cached_property
    def encoded_schema(self) -> pa.Schema:
        """The columns of encoded rows: float32 for numbers, text for categories; no nulls."""
        return pa.schema(
            [
                (name, pa.string() if i in self._categorical else pa.float32())
                for i, name in enumerate(self._contract.names)
            ]
        )

    @cached_property
    def rows_per_second(self) -> float:
        """About how many rows one core scores in a second, measured on rows without values."""
        empty = pa.RecordBatch.from_arrays(
            [pa.nulls(TRIAL_ROWS, kind) for kind in self._contract.arrow_schema.types],
            schema=self._contract.arrow_schema,
        )
        encoded = self.encode(empty)
        return TRIAL_ROWS / min(self._seconds(encoded) for _ in range(TRIALS))

    def score_batch(self, batch: pa.RecordBatch) -> Scores:
        """Score a record batch of the contract's Arrow schema."""
        return self.score_encoded(self.encode(batch))

    def encode(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Write a batch of the contract's Arrow schema as the model reads it, in `encoded_schema`."""
        columns = [
            self._category_column(column) if i in self._categorical else _numbers(column)
            for i, column in enumerate(batch.columns)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.encoded_schema)

    def score_encoded(self, batch: pa.RecordBatch, watch: WatchCategories | None = None) -> Scores:
        """Score a record batch of `encoded_schema`; `watch` is given each column of categories."""
        if self._categorical:
            return self._predict(pd.DataFrame(self._frame_columns(batch, watch)))
        matrix = np.empty((batch.num_rows, batch.num_columns), dtype=np.float32, order="F")
        for i, column in enumerate(batch.columns):
            matrix[:, i] = column.to_numpy()
        return self._predict(matrix)

    def _frame_columns(self, batch: pa.RecordBatch, watch: WatchCategories | None) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        for i, (name, column) in enumerate(zip(self._contract.names, batch.columns, strict=True)):
            if i not in self._categorical:
                columns[name] = column.to_numpy()
                continue
            encoded = column.dictionary_encode()
            if watch:
                watch(name, encoded)
            columns[name] = encoded.to_pandas()
        return columns

    def categories_of(self, row: Row) -> dict[str, str]:
        """Give the categories of a row as the model reads them, by feature."""
        names = self._contract.names
        return {names[i]: self._category(row.get(names[i])) for i in sorted(self._categorical)}

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
        pool = Pool(data, cat_features=self._cat_features)
        scores: Scores = self._classifier.predict_proba(pool, thread_count=1)[:, self._positive]
        return scores

    def _seconds(self, encoded: pa.RecordBatch) -> float:
        began = time.perf_counter()
        self.score_encoded(encoded)
        return time.perf_counter() - began

    def _category_column(self, column: pa.Array) -> pa.Array:
        if not pa.types.is_string(column.type):
            # CatBoost reads a whole number or a boolean that is a category as the digits of its integer.
            column = pc.cast(pc.cast(column, pa.int64()), pa.string())
        return pc.fill_null(column, self._contract.missing_category)

    def _category(self, value: Any) -> str:
        if value is None:
            return self._contract.missing_category
        return value if isinstance(value, str) else str(int(value))


def _numbers(column: pa.Array) -> pa.Array:
    """Give the column as the numbers that CatBoost reads, with NaN where it is null."""
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    # By way of 64 bits, as a lone row goes: rounded to 32 bits at once, a large whole number may become another one.
    numbers = pc.cast(pc.cast(column, pa.float64(), safe=False), pa.float32(), safe=False)
    return pc.fill_null(numbers, np.float32("nan")) if numbers.null_count else numbers

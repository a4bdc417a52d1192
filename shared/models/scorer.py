"""Scores: the probability of the positive class, exactly as CatBoost's `predict_proba` gives it.

The scorer writes rows as the model reads them; an evaluator walks the trees.
"""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shared.contract.contract import Contract, Row, RowValues
from shared.models.evaluator import Evaluator, Scores
from shared.models.pools import Table

WatchCategories = Callable[[str, pa.DictionaryArray], object]
"""Is given the name of a feature and its column, without nulls."""

TRIAL_ROWS = 4096
TRIALS = 3


class Scorer:
    """Turns rows that keep the contract into scores; no state between calls.

    `categories` are the places of the features that are categories to the model.
    """

    def __init__(self, evaluator: Evaluator, contract: Contract, categories: frozenset[int]) -> None:
        self.evaluator = evaluator
        self.categories = categories
        self._contract = contract
        self._names = contract.names

    @cached_property
    def encoded_schema(self) -> pa.Schema:
        """The columns of encoded rows: float32 for numbers, text for categories; no nulls."""
        return pa.schema(
            [(name, pa.string() if i in self.categories else pa.float32()) for i, name in enumerate(self._names)]
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
            self._category_column(column) if i in self.categories else _numbers(column)
            for i, column in enumerate(batch.columns)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.encoded_schema)

    def score_encoded(self, batch: pa.RecordBatch, watch: WatchCategories | None = None) -> Scores:
        """Score a record batch of `encoded_schema`; `watch` is given each column of categories."""
        return self.evaluator.score_batch(self.columns(batch, watch))

    def columns(self, batch: pa.RecordBatch, watch: WatchCategories | None = None) -> pa.RecordBatch:
        """Write a record batch of `encoded_schema` as an evaluator takes it: with dictionaries of the categories."""
        columns = batch.columns
        for i in sorted(self.categories):
            columns[i] = columns[i].dictionary_encode()
            if watch:
                watch(self._names[i], columns[i])
        return pa.RecordBatch.from_arrays(columns, self._names)

    def categories_of(self, row: Row) -> dict[str, str]:
        """Give the categories of a row as the model reads them, by feature."""
        return {self._names[i]: self._category(row.get(self._names[i])) for i in sorted(self.categories)}

    def score_rows(self, rows: Sequence[Row]) -> Scores:
        """Score a handful of rows."""
        return self.evaluator.score_table(self.table(rows))

    def score_values(self, rows: Sequence[RowValues]) -> Scores:
        """Score a handful of rows, whose categories are written as the model reads them."""
        return self.evaluator.score_table(self._with_categories(rows))

    def table(self, rows: Sequence[Row]) -> Table:
        """Write a handful of rows as an evaluator takes them."""
        return self._with_categories([list(map(row.get, self._names)) for row in rows])

    def _with_categories(self, rows: Sequence[RowValues]) -> Table:
        for values in rows if self.categories else ():
            for i in self.categories:
                values[i] = self._category(values[i])
        return rows

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

"""Rows as CatBoost takes them, for scoring and for explaining.

CatBoost reads numbers as 32-bit floats. A Fortran-ordered float32 matrix enters a Pool without a copy, and categories enter
cheapest as pandas categoricals; both give the same bits as the user's own data frame.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from catboost import Pool

Table = Sequence[list[Any]]
"""A few rows, each a list in the order of the features: numbers, None where one is missing; text for categories."""


def pool_of_table(table: Table, categories: Sequence[int]) -> Pool:
    """Make a pool of a few rows; `categories` are the places of the features that are text."""
    if categories:
        data = np.array([[np.nan if value is None else value for value in row] for row in table], object)
        return Pool(data, cat_features=categories)
    with np.errstate(over="ignore"):
        return Pool(np.array(table, np.float32, order="F"))


def pool_of_batch(batch: pa.RecordBatch, categories: Sequence[int]) -> Pool:
    """Make a pool of columns without nulls: float32, and dictionaries of text for categories."""
    if categories:
        columns = zip(batch.schema.names, batch.columns, strict=True)
        return Pool(pd.DataFrame({name: _for_pandas(column) for name, column in columns}), cat_features=categories)
    matrix = np.empty((batch.num_rows, batch.num_columns), np.float32, order="F")
    for i, column in enumerate(batch.columns):
        matrix[:, i] = column.to_numpy()
    return Pool(matrix)


def _for_pandas(column: pa.Array) -> Any:
    return column.to_pandas() if pa.types.is_dictionary(column.type) else column.to_numpy()

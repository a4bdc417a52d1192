"""Rows that are arrays of numbers, as `dataframe_split` has them, to columns: read as a matrix."""

from collections.abc import Sequence
from functools import partial
from typing import Self

import numpy as np
import pyarrow as pa

from shared.contract.columns import validate_columns
from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.formats.json_extract import may_underflow
from shared.formats.json_numbers import column, is_simdjson_installed, matrix, taking_null
from shared.formats.json_pieces import BETWEEN_ARRAYS, flat_pieces


class MatrixRows:
    """Reader of arrays that have a number for each of `names`, among which are the features of a contract."""

    def __init__(self, contract: Contract, names: Sequence[str]) -> None:
        self._contract = contract
        self._places = [names.index(name) for name in contract.names]
        self._decode = taking_null(partial(matrix, width=len(names)))

    @classmethod
    def of(cls, contract: Contract, names: Sequence[str]) -> Self | None:
        """Make a reader; None if a feature is not a number, or not named once, or simdjson is not installed."""
        are_numbers = all(feature.kind.python in (int, float) for feature in contract.features)
        are_named = all(names.count(name) == 1 for name in contract.names)
        return cls(contract, names) if is_simdjson_installed() and are_numbers and are_named else None

    def validated(self, array: bytes, start: int) -> Validated | None:
        """Validate a JSON array of such rows; None if a number may not be exact, or must not be missing.

        Raises an error of NOT_IN_BULK for anything else, such as text.
        """
        if self._contract.whole_numbers and may_underflow(array):
            return None
        values = np.concatenate(list(flat_pieces(array, self._decode, BETWEEN_ARRAYS)))
        features = zip(self._contract.features, self._places, strict=True)
        arrays = [column(values[:, place], feature) for feature, place in features]
        if any(array is None for array in arrays):
            return None
        return validate_columns(self._contract, pa.RecordBatch.from_arrays(arrays, self._contract.names), start)

"""What the columns of a table hold: their types and values, and which of them are no features."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from scripts.lib.csv_table import number_pattern
from scripts.lib.training_data import Feature, FeatureType

# Where the service takes them for numbers and booleans too: shared/formats/csv_values.py.
BLANKS = " \t"
TRUE = ("true", "True", "TRUE")
FALSE = ("false", "False", "FALSE")
# Integers up to here are exact in a float64, which is how the rows are kept.
LARGEST_EXACT_INTEGER = 2**53 - 1
# A text column with more values than this is an open set, such as names of towns: any text is then allowed.
MAX_LISTED_VALUES = 100
# With fewer rows, texts that all differ may be chance.
MANY_ROWS = 100
# pandas names a column so that has no header: the row number that a frame was saved with.
UNNAMED = re.compile(r"Unnamed: ([0-9]+)(\.[0-9]+)?")
INTEGER = r"[+-]?(?:0|[1-9][0-9]*)"


class Column:
    """One column of cells that may become a feature."""

    def __init__(self, cells: "pd.Series[str]", decimal: str) -> None:
        self.name = str(cells.name)
        self._cells = cells
        self._present = cells.dropna()
        self._stripped = self._present.str.strip(BLANKS)
        self._numeric = self._stripped.str.fullmatch(number_pattern(decimal))
        self._decimal = decimal
        self.type: FeatureType = self._type()

    def _type(self) -> FeatureType:
        if self._stripped.isin((*TRUE, *FALSE)).all():
            return "boolean"
        if not self._numeric.all():
            return "string"
        numbers = self._numbers(self._stripped)
        if not np.isfinite(numbers).all():
            return "string"
        exact = bool((numbers.abs() <= LARGEST_EXACT_INTEGER).all())
        return "long" if exact and self._stripped.str.fullmatch(INTEGER).all() else "double"

    def _numbers(self, texts: "pd.Series[str]") -> "pd.Series[float]":
        return texts.str.replace(self._decimal, ".", regex=False).astype("float64")

    @property
    def values(self) -> "pd.Series[Any]":
        """Text as objects with None where missing, anything else as float64 with NaN where missing."""
        if self.type == "string":
            return self._cells.astype(object).where(self._cells.notna(), None)
        if self.type == "boolean":
            return self._stripped.isin(TRUE).astype("float64").reindex(self._cells.index)
        return self._numbers(self._stripped).reindex(self._cells.index)

    def feature(self) -> Feature:
        """Give the contract that all cells keep."""
        words = " ".join(re.split(r"[\s_.\-]+", self.name)).strip() or self.name
        values = sorted(set(self._present)) if self.type == "string" else []
        return Feature(
            name=self.name,
            type=self.type,
            description=f"{words[0].upper()}{words[1:]}.",
            required=len(self._present) == len(self._cells),
            values=tuple(values) if len(values) <= MAX_LISTED_VALUES else (),
        )

    def why_not(self) -> str | None:
        """Say why there is nothing to learn from the column; None if it is a feature."""
        if self._present.empty:
            return "is empty"
        if len(self._present) == len(self._cells) and self.values.nunique() == 1:
            return "has the same value in every row"
        if self.type == "long" and self._counts_rows():
            return "numbers the rows"
        if self.type == "string" and self._names_rows():
            return "has a different text in every row"
        return None

    def _counts_rows(self) -> bool:
        steps = self.values.astype("float64").diff().iloc[1:]
        return len(self._cells) >= MANY_ROWS and bool((steps == 1).all())

    def _has_no_number_twice(self) -> bool:
        return len(self._present) >= MANY_ROWS and self.values.dropna().is_unique

    def _names_rows(self) -> bool:
        return len(self._present) >= MANY_ROWS and self._present.is_unique and not self._is_mostly_numbers

    @property
    def _is_mostly_numbers(self) -> bool:
        return bool(self._numeric.mean() > 0.5)

    def notes(self) -> Iterator[str]:
        """Tell what whoever trains may not expect of the feature; no values, which may be of people."""
        if self.type == "long" and self._has_no_number_twice():
            yield f"Column {self.name!r} has a different number in every row. If it is no feature, leave it out with --drop."
        if self.type != "string":
            return
        others = self._numeric[~self._numeric]
        if self._is_mostly_numbers and len(others):
            count = f"{len(others):,} {'value is' if len(others) == 1 else 'values are'} not a number"
            yield f"Column {self.name!r} is taken as text: {count}, the first in row {others.index[0] + 1:,}."
        elif (distinct := self._present.nunique()) > MAX_LISTED_VALUES:
            yield f"Column {self.name!r} holds {distinct} different texts, so any text is allowed there."


def nameless(cells: pd.DataFrame) -> dict[str, str]:
    """Name the columns that have no header, or one that pandas made up, each with the reason not to learn from it."""
    found = {name: UNNAMED.fullmatch(name) for name in map(str, cells.columns)}
    return {name: f"Column {int(match[1]) + 1} has no name" for name, match in found.items() if match}

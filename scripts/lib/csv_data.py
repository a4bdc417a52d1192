"""Reads any CSV file of labelled rows into training data, with a feature contract taken from what the file holds."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scripts.lib.csv_columns import Column, nameless
from scripts.lib.csv_scoring import check_scored
from scripts.lib.csv_table import TAB, TAB_SIGN, UNKNOWN, Dialect, Table, read_table
from scripts.lib.training_data import FeatureType, TrainingData, TrainingError

CLASSES = 2
SHOWN_NOTES = 5


def csv_data(
    path: Path, target: str, positive: str, dropped: Sequence[str] = (), said: Dialect = UNKNOWN
) -> TrainingData:
    """Return the rows of a CSV file without its `dropped` columns, `positive` being the value of `target` that means a default.

    Only an empty cell is missing: `none` or `NA` are values. Columns of numbers become double or long, of true and
    false boolean, all others text. A column with an empty cell is not required. What is no feature is left out, with a
    note: a column without a name or a value, with the same value everywhere, a number or a name of the rows.

    The contract is one that all rows keep, also those without a target, so that the service scores the file as it is.
    Raises TrainingError when the file cannot be read or scored so, lacks the target column, a dropped one or the positive
    value, or names a column twice.
    """
    table = read_table(path, said)
    cells = _without(table.cells, dropped)
    labelled = _labelled(cells, target)
    labels, target_notes = _labels(cells.loc[labelled, target], positive, path)
    columns, left_out = _columns(cells.drop(columns=target), labelled, table.decimal)
    if not columns:
        raise TrainingError(
            " ".join([f"{path} has no column besides {target!r} to learn from.", *left_out[:SHOWN_NOTES]])
        )
    types = {column.name: column.type for column in columns}
    rows = pd.DataFrame({column.name: column.values for column in columns})[labelled].reset_index(drop=True)
    data = TrainingData(
        name=re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "csv",
        origin=f"{path.name}, target {target}, positive {positive}",
        features=tuple(column.feature() for column in columns),
        rows=rows,
        target=labels.astype(np.int64),
        input_example=_first_complete_row(rows, types),
        missing_category=_unused_text(cells),
        notes=(*_dialect_notes(table), *left_out, *target_notes, *(note for it in columns for note in it.notes())),
    )
    check_scored(path, data, table)
    return data


def _without(cells: pd.DataFrame, dropped: Sequence[str]) -> pd.DataFrame:
    for name in dropped:
        if name not in cells.columns:
            raise TrainingError(f"There is no column {name!r} to drop; the columns are {_names(cells.columns)}.")
    return cells.drop(columns=list(dropped))


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _labelled(cells: pd.DataFrame, target: str) -> "pd.Series[bool]":
    """Mark the rows that have a target."""
    if target not in cells.columns:
        raise TrainingError(f"There is no column {target!r}; the columns are {_names(cells.columns)}.")
    return cells[target].notna()


def _labels(targets: "pd.Series[str]", positive: str, path: Path) -> tuple[Any, list[str]]:
    """Tell which rows have the positive target; other values than two are counted, and not shown: they may be no classes."""
    values = list(targets.unique())
    labels = (targets == positive).to_numpy()
    if not labels.any():
        held = f"it holds {_names(values)}" if len(values) <= CLASSES else f"it holds {len(values):,} different values"
        raise TrainingError(f"No row of {path} has {positive!r} in column {targets.name!r}; {held}.")
    if len(values) <= CLASSES:
        return labels, []
    others = f"The {len(values) - 1:,} that are not {positive!r} count as no default"
    return labels, [f"Column {targets.name!r} has {len(values):,} different values, and not two. {others}."]


def _columns(cells: pd.DataFrame, labelled: "pd.Series[bool]", decimal: str) -> tuple[list[Column], list[str]]:
    """Give the columns to learn from, and a note on each that is left out. What is in a row without a target teaches nothing."""
    without_name = nameless(cells)
    empty = [name for name in cells.columns if cells[name].isna().all()]
    notes = [f"Column {name!r} is empty and was left out." for name in empty]
    notes += [f"{why} and was left out." for name, why in without_name.items() if name not in empty]
    columns = []
    for name in cells.columns:
        if name in empty or name in without_name:
            continue
        if why := Column(cells.loc[labelled, name], decimal).why_not():
            notes.append(f"Column {name!r} {why} and was left out.")
        else:
            columns.append(Column(cells[name], decimal))
    missing = len(cells) - int(labelled.sum())
    return columns, notes + ([f"Rows without a target were left out: {missing}."] if missing else [])


def _first_complete_row(rows: pd.DataFrame, types: dict[str, FeatureType]) -> dict[str, Any]:
    complete = rows.notna().all(axis=1).to_numpy()
    row = rows.iloc[int(np.argmax(complete))]
    python_types = {"double": float, "long": int, "boolean": bool, "string": str}
    return {name: None if pd.isna(row[name]) else python_types[kind](row[name]) for name, kind in types.items()}


def _unused_text(cells: pd.DataFrame) -> str:
    text = "missing"
    while (cells == text).any(axis=None):
        text = f"_{text}_"
    return text


def _dialect_notes(table: Table) -> list[str]:
    said = [f"--delimiter {table.delimiter.replace(TAB_SIGN, TAB)!r}"] if table.delimiter != "," else []
    said += [f"--decimal {table.decimal!r}"] if table.decimal != "." else []
    return [f"Read with {' and '.join(said)}; scoring the file takes the same options."] if said else []

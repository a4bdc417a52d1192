"""Reads any CSV file of labelled rows into training data, with a feature contract taken from what the file holds."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scripts.lib.training_data import Feature, FeatureType, TrainingData, TrainingError

# Codes such as 007 are text: as numbers they would lose their zeros.
INTEGER = r"[+-]?(?:0|[1-9][0-9]*)"
NUMBER = r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# Integers up to here are exact in a float64, which is how the rows are kept.
LARGEST_EXACT_INTEGER = 2**53 - 1
# A text column with more values than this is an open set, such as names of towns: any text is then allowed.
MAX_LISTED_VALUES = 100
SHOWN_VALUES = 10


def csv_data(path: Path, target: str, positive: str, dropped: Sequence[str] = ()) -> TrainingData:
    """Return the rows of a CSV file without its `dropped` columns, `positive` being the value of `target` that means a default.

    Only an empty cell is missing: `none` or `NA` are values. Columns of numbers become double or long, of true and
    false boolean, all others text. A column with an empty cell is not required. Raises TrainingError when the file
    cannot be read, or lacks the target column, a dropped one or the positive value.
    """
    table, notes = _drop_useless_columns(_without(_read(path), dropped), target)
    labelled = table[table[target].notna()]
    if len(labelled) < len(table):
        notes.append(f"Rows without a target were left out: {len(table) - len(labelled)}.")
    labels = (labelled[target] == positive).to_numpy()
    if not labels.any():
        raise TrainingError(
            f"No row of {path} has {positive!r} in column {target!r}; it holds {_shown(labelled[target])}."
        )
    texts = labelled.drop(columns=target).reset_index(drop=True)
    if texts.columns.empty:
        raise TrainingError(f"{path} has no column besides {target!r} to learn from.")
    types = {str(name): _type(texts[name]) for name in texts.columns}
    features = tuple(_feature(texts[name], kind) for name, kind in types.items())
    rows = pd.DataFrame({name: _values(texts[name], kind) for name, kind in types.items()})
    return TrainingData(
        name=re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "csv",
        origin=f"{path.name}, target {target}, positive {positive}",
        features=features,
        rows=rows,
        target=labels.astype(np.int64),
        input_example=_first_complete_row(rows, types),
        missing_category=_unused_text(texts),
        notes=(*notes, *_type_notes(texts, types)),
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # A row longer than the header is only a warning to pandas, and its last fields would be lost.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path, dtype=str, keep_default_na=False, na_values=[""], index_col=False, encoding="utf-8-sig"
            )
    except FileNotFoundError:
        raise TrainingError(f"There is no file {path}.") from None
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise TrainingError(f"{path} is not a CSV file in UTF-8 with one header line: {reason}.") from error


def _without(table: pd.DataFrame, dropped: Sequence[str]) -> pd.DataFrame:
    for name in dropped:
        if name not in table.columns:
            raise TrainingError(f"There is no column {name!r} to drop; the columns are {_names(table)}.")
    return table.drop(columns=list(dropped))


def _names(table: pd.DataFrame) -> str:
    return ", ".join(map(repr, table.columns))


def _drop_useless_columns(table: pd.DataFrame, target: str) -> tuple[pd.DataFrame, list[str]]:
    if target not in table.columns:
        raise TrainingError(f"There is no column {target!r}; the columns are {_names(table)}.")
    empty = [name for name in table.columns if name != target and table[name].isna().all()]
    # pandas calls a column without a header so; it is the row number that a frame was saved with.
    unnamed = [name for name in table.columns if re.fullmatch(r"Unnamed: [0-9]+", name) and name not in empty]
    notes = [f"Column {name!r} is empty and was left out." for name in empty]
    notes += [f"Column {int(name.rpartition(' ')[2]) + 1} has no name and was left out." for name in unnamed]
    return table.drop(columns=[*empty, *unnamed]), notes


def _type(column: "pd.Series[str]") -> FeatureType:
    present = column.dropna().str.strip()
    if present.str.lower().isin(("true", "false")).all():
        return "boolean"
    if not present.str.fullmatch(NUMBER).all():
        return "string"
    numbers = present.astype("float64")
    if not np.isfinite(numbers).all():
        return "string"
    exact = bool((numbers.abs() <= LARGEST_EXACT_INTEGER).all())
    return "long" if exact and present.str.fullmatch(INTEGER).all() else "double"


def _values(column: "pd.Series[str]", kind: FeatureType) -> "pd.Series[Any]":
    """Return text as objects with None where missing, anything else as float64 with NaN where missing."""
    if kind == "string":
        return column.astype(object).where(column.notna(), None)
    stripped = column.str.strip()
    if kind == "boolean":
        return stripped.str.lower().map({"true": 1.0, "false": 0.0}).astype("float64")
    return stripped.astype("float64")


def _feature(column: "pd.Series[str]", kind: FeatureType) -> Feature:
    name = str(column.name)
    words = " ".join(re.split(r"[\s_.\-]+", name)).strip() or name
    values = sorted(set(column.dropna())) if kind == "string" else []
    return Feature(
        name=name,
        type=kind,
        description=f"{words[0].upper()}{words[1:]}.",
        required=not column.isna().any(),
        values=tuple(values) if len(values) <= MAX_LISTED_VALUES else (),
    )


def _first_complete_row(rows: pd.DataFrame, types: dict[str, FeatureType]) -> dict[str, Any]:
    complete = rows.notna().all(axis=1).to_numpy()
    row = rows.iloc[int(np.argmax(complete))]
    python_types = {"double": float, "long": int, "boolean": bool, "string": str}
    return {name: None if pd.isna(row[name]) else python_types[kind](row[name]) for name, kind in types.items()}


def _unused_text(texts: pd.DataFrame) -> str:
    text = "missing"
    while (texts == text).any(axis=None):
        text = f"_{text}_"
    return text


def _type_notes(texts: pd.DataFrame, types: dict[str, FeatureType]) -> list[str]:
    notes = []
    for name in (name for name, kind in types.items() if kind == "string"):
        present = texts[name].dropna()
        numeric = present.str.strip().str.fullmatch(NUMBER)
        if numeric.mean() > 0.5:
            notes.append(f"Column {name!r} is taken as text, because of {_shown(present[~numeric])}.")
        elif present.nunique() > MAX_LISTED_VALUES:
            notes.append(f"Column {name!r} holds {present.nunique()} different texts, so any text is allowed there.")
    return notes


def _shown(column: "pd.Series[str]") -> str:
    values = [repr(value) for value in column.dropna().unique()[: SHOWN_VALUES + 1]]
    if len(values) > SHOWN_VALUES:
        values[SHOWN_VALUES:] = ["..."]
    return ", ".join(values) if values else "nothing"

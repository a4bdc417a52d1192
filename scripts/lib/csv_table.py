"""Reads a CSV file of any dialect as a table of text, as the service will read it when it is scored."""

import csv
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scripts.lib.training_data import TrainingError

TAB, TAB_SIGN = "tab", "\t"
DELIMITERS = (",", ";", TAB_SIGN, "|")
"""Those that are recognised; any other must be said."""

SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
"""A first line that is there for Excel."""

HEAD = 2**20
"""Characters in which the header must end."""


@dataclass(frozen=True)
class Dialect:
    """The signs of a file; None where they are yet to be found."""

    delimiter: str | None = None
    decimal: str | None = None


UNKNOWN = Dialect()


@dataclass(frozen=True)
class Table:
    """The cells as text, NaN where they are empty, and the signs of the file they are from."""

    cells: pd.DataFrame
    delimiter: str
    decimal: str


def number_pattern(decimal: str) -> str:
    """Give what a number looks like. Codes such as 007 are text: as numbers they would lose their zeros."""
    sign = re.escape(decimal)
    return rf"[+-]?(?:(?:0|[1-9][0-9]*)(?:{sign}[0-9]*)?|{sign}[0-9]+)(?:[eE][+-]?[0-9]+)?"


def read_table(path: Path, said: Dialect) -> Table:
    """Read a file with one header line; raises TrainingError where it is none, and names columns that occur twice."""
    delimiter, skipped = _delimiter(path, said)
    if delimiter == said.decimal:
        raise TrainingError("--delimiter and --decimal must differ.")
    cells = _cells(path, delimiter, skipped)
    return Table(cells, delimiter, said.decimal or _decimal(cells, delimiter))


def _delimiter(path: Path, said: Dialect) -> tuple[str, int]:
    """Find the delimiter, and how many lines come before the header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.read(HEAD)
    except FileNotFoundError:
        raise TrainingError(f"There is no file {path}.") from None
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise TrainingError(f"{path} is not in UTF-8. Save it as CSV in UTF-8.") from error
    line = SEPARATOR_LINE.match(head)
    text = head[line.end() :] if line else head
    delimiter = said.delimiter or (line[1] if line else max(DELIMITERS, key=lambda sign: len(_header(text, sign))))
    names = [name for name in _header(text, delimiter) if name]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise TrainingError(f"Columns that occur more than once: {', '.join(map(repr, repeated))}. Rename all but one.")
    return delimiter, 1 if line else 0


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return next((names for names in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if names), [])
    except csv.Error:
        return []


def _cells(path: Path, delimiter: str, skipped: int) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # A row longer than the header is only a warning to pandas, and its last fields would be lost.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path,
                sep=delimiter,
                skiprows=skipped,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                index_col=False,
                encoding="utf-8-sig",
            )
    except (ValueError, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise TrainingError(f"{path} is not a CSV file in UTF-8 with one header line: {reason}.") from error


def _decimal(cells: pd.DataFrame, delimiter: str) -> str:
    """Find the decimal sign by the columns that hold nothing but numbers; raises TrainingError if they do not agree."""
    if delimiter == ",":
        return "."
    with_comma, with_point = (_columns_of_fractions(cells, sign) for sign in (",", "."))
    if with_comma and with_point:
        raise TrainingError(
            f"Column {with_comma[0]!r} has decimal commas and column {with_point[0]!r} decimal points. "
            "Say which of them are numbers with --decimal."
        )
    return "," if with_comma else "."


def _columns_of_fractions(cells: pd.DataFrame, sign: str) -> list[str]:
    pattern = number_pattern(sign)
    found = []
    for name in cells.columns:
        present = cells[name].dropna().str.strip(" \t")
        if present.str.contains(sign, regex=False).any() and present.str.fullmatch(pattern).all():
            found.append(str(name))
    return found

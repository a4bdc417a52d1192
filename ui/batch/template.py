"""A file to fill in: the columns that the model takes, and one example row."""

import csv
import io
from typing import Any

from pret import ModelSignature

MARK = "\ufeff"
"""Without it, a spreadsheet takes UTF-8 for something else."""
STYLES = {"fr": (";", ","), "en": (",", ".")}
"""Delimiter and decimal sign that a spreadsheet of the language reads."""


def template(signature: ModelSignature, language: str) -> bytes:
    """Make a CSV file as spreadsheets of the language (`fr` or `en`) write it; what the example lacks is left empty."""
    delimiter, decimal = STYLES[language]
    example = signature.input_example or {}
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([column.name for column in signature.columns])
    writer.writerow([_written(example.get(column.name), decimal) for column in signature.columns])
    return f"{MARK}{text.getvalue()}".encode()


def _written(value: Any, decimal: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).replace(".", decimal)
    return "" if value is None else str(value)

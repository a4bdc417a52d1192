"""A file to fill in, with the columns of the model and one example row."""

import csv
import io
from typing import Any

from pret import ModelSignature

MARK = "\ufeff"
"""Without it, spreadsheets do not recognise UTF-8."""
STYLES = {"fr": (";", ","), "en": (",", ".")}
"""Delimiter and decimal sign of a spreadsheet in each language."""


def template(signature: ModelSignature, language: str) -> bytes:
    """Make a CSV file as a spreadsheet in `fr` or `en` writes it, with the model's example, if any, as its row."""
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

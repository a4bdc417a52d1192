"""What a preview shows of values: the first columns, and the beginning of long texts."""

from typing import Any

MAX_COLUMNS = 50
"""Columns whose values a preview shows."""

MAX_TEXT = 200
"""Characters of a value that a preview shows."""


def text_of(value: Any) -> str:
    """Write a value."""
    return "" if value is None else str(value)[:MAX_TEXT]

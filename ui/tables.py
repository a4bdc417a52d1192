"""Tables of text, which is shown as it is."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ui.texts import escaped


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], key: str) -> None:
    """Show rows of text below headings, which need not be unique."""
    frame, columns = _frame(headings, rows)
    st.dataframe(frame, hide_index=True, column_config=columns, key=key)


def choose_row(headings: Sequence[str], rows: Sequence[Sequence[str]], key: str) -> int | None:
    """Show the same, and return the place of the row that is chosen."""
    frame, columns = _frame(headings, rows)
    chosen = st.dataframe(
        frame, hide_index=True, column_config=columns, key=key, on_select="rerun", selection_mode="single-row"
    )
    return next(iter(chosen["selection"]["rows"]), None)


def show_words(headings: Sequence[str], rows: Sequence[Sequence[str]], alt: str) -> None:
    """Show a short table as HTML, which screen readers read and which needs no mouse; `alt` says what it is."""
    columns = [escaped(heading) for heading in headings]
    frame = pd.DataFrame([list(map(escaped, row)) for row in rows], columns=columns, dtype="str")
    st.table(frame, border="horizontal", hide_index=True, alt=alt)


def _frame(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[pd.DataFrame, dict[str, Any]]:
    names = [str(index) for index in range(len(headings))]
    frame = pd.DataFrame(list(map(list, rows)), columns=names, dtype="str")
    return frame, {name: st.column_config.TextColumn(heading) for name, heading in zip(names, headings, strict=True)}

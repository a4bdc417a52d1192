"""Tables of text, which is shown as it is."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], key: str) -> None:
    """Show rows of text below headings, which need not be unique."""
    names = [str(index) for index in range(len(headings))]
    frame = pd.DataFrame(list(map(list, rows)), columns=names, dtype="str")
    shown = {name: st.column_config.TextColumn(heading) for name, heading in zip(names, headings, strict=True)}
    st.dataframe(frame, hide_index=True, column_config=shown, key=key)

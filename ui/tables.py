"""Tables of text: whatever stands in a cell is shown as it is."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], key: str) -> None:
    """Show rows of text below their headings; one can search them, sort them and take them along."""
    frame = pd.DataFrame(list(map(list, rows)), columns=list(headings), dtype="str")
    st.dataframe(frame, hide_index=True, key=key)

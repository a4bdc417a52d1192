"""The table of invalid values, from a job that failed or a submission that was rejected."""

from collections.abc import Sequence

import streamlit as st

from pret import InvalidValue
from ui import reasons
from ui.batch.lines import line_name, line_of
from ui.tables import show_table
from ui.texts import NOTHING, Texts


def show_report(say: Texts, errors: Sequence[InvalidValue], total: int, format: str | None) -> None:
    """Show the first of the invalid values, which are `total` in all."""
    st.markdown(say("portfolio.report", shown=len(errors), total=total))
    rows = [
        [
            NOTHING if error.row is None else say.number(line_of(format, error.row)),
            error.column or NOTHING,
            reasons.plainly(error, say),
        ]
        for error in errors
    ]
    names = (line_name(format), "column", "reason")
    show_table([say.plain(f"portfolio.{name}") for name in names], rows, "report")

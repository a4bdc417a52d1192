"""Opening a row of a portfolio as an applicant."""

import streamlit as st

from pret import Job
from ui.batch.lines import line_name, line_of
from ui.links import page_of
from ui.texts import Texts


def show_opening(say: Texts, job: Job, row: int) -> None:
    """Ask for the number of a row, from the keyboard too, and open it on the page of one applicant; `row` is proposed."""
    page = page_of("applicant")
    if page is None or not job.rows:
        return
    first = line_of(job.format, 0)
    if st.session_state.get("row_proposed") != (job.id, row):
        st.session_state["row_proposed"] = (job.id, row)
        st.session_state["row_to_open"] = line_of(job.format, row)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        line = st.number_input(
            say(f"portfolio.{line_name(job.format)}"),
            first,
            line_of(job.format, job.rows - 1),
            key="row_to_open",
            width=190,
            help=say("portfolio.open_row_help"),
        )
        if st.button(say("portfolio.open_row"), key="open_row", icon=":material/person_search:"):
            query = {"lang": say.language, "job": job.id, "row": str(int(line) - first)}
            st.switch_page(page, query_params=query)

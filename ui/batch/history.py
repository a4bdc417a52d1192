"""The part of the page that lists the jobs of the service."""

from functools import partial

import streamlit as st

from pret import Client, Job
from ui import service
from ui.texts import Texts, escaped

STEP = 10
"""Jobs that are shown at first, and how many more each time."""
WIDTHS = (6, 1)
"""Widths of the facts about a job and of its button."""
STATES = {
    "queued": ":material/hourglass_top:",
    "running": ":material/sync:",
    "succeeded": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/cancel:",
}


def show_history(say: Texts, client: Client) -> None:
    """Show the jobs, newest first."""
    st.subheader(say("portfolio.history"), anchor=False)
    with service.guard(say):
        page = client.jobs(limit=st.session_state.setdefault("jobs_shown", STEP))
        if not page.jobs:
            st.caption(say("portfolio.no_jobs"))
            return
        for number, job in enumerate(page.jobs):
            _show_job(say, job, number)
        with st.container(horizontal=True):
            st.button(say("portfolio.refresh"), key="refresh_jobs", type="tertiary", icon=":material/refresh:")
            most = service.capabilities(client).limits.jobs_page or STEP
            if page.total > len(page.jobs) < most:
                more = partial(_show_more, most)
                st.button(say("portfolio.more_jobs"), key="more_jobs", type="tertiary", on_click=more)


def _show_job(say: Texts, job: Job, number: int) -> None:
    with st.container(border=True, key=f"job_{number}"):
        told, opening = st.columns(WIDTHS, vertical_alignment="center")
        known = job.state if job.state in STATES else "running"
        facts = [f"{STATES[known]} {say(f'portfolio.state_{known}')}", say.moment(job.created_at)]
        if job.rows is not None:
            facts.insert(1, say("portfolio.rows_of", rows=job.rows))
        told.markdown(f"**{escaped(job.name or job.id[:8])}**  \n{' · '.join(facts)}")
        opening.button(say("portfolio.open"), key=f"open_{number}", on_click=partial(open_job, job.id), width="stretch")


def open_job(job_id: str | None) -> None:
    """Put this job into the address of the page; None is for a new file."""
    if job_id is None:
        st.query_params.pop("job", None)
    else:
        st.query_params["job"] = job_id


def _show_more(most: int) -> None:
    st.session_state["jobs_shown"] = min(st.session_state["jobs_shown"] + STEP, most)

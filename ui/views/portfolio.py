"""The page of portfolios: send a file, follow its job, browse its results. The address of the page names the job."""

import re

import streamlit as st

from pret import Client, Job, NotReachable, PretError, Problem, UnknownJob
from ui import service
from ui.batch.ended import show_ended
from ui.batch.history import open_job, show_history
from ui.batch.running import show_running
from ui.batch.submission import show_submission
from ui.texts import Texts

JOB_ID = re.compile(r"[0-9a-f]{32}")


def render(say: Texts, client: Client) -> None:
    """Show the page."""
    st.title(say("portfolio.title"), anchor=False)
    job_id = st.query_params.get("job")
    if job_id:
        _show_job(say, client, job_id)
        return
    try:
        job = show_submission(say, client)
    except NotReachable:
        raise
    except PretError as error:
        # Without a model, jobs can still be opened.
        service.explain(error, say).show()
    else:
        if job is not None:
            open_job(job.id)
            st.rerun()
    show_history(say, client)


def _show_job(say: Texts, client: Client, job_id: str) -> None:
    if st.button(say("portfolio.back"), key="back", icon=":material/arrow_back:", type="tertiary"):
        open_job(None)
        st.rerun()
    try:
        job = _job(client, job_id)
    except UnknownJob as error:
        service.explain(error, say).show()
        show_history(say, client)
        return
    st.subheader(say("portfolio.job", name=job.name or job.id[:8]), anchor=False)
    if job.is_final:
        show_ended(say, client, job)
    else:
        show_running(say, client, job)


def _job(client: Client, job_id: str) -> Job:
    """Get the job that the address names; raises UnknownJob, also if it is not an id."""
    if not JOB_ID.fullmatch(job_id):
        raise UnknownJob("This is not the id of a job.", Problem(404, "unknown-job"))
    return client.job(job_id)

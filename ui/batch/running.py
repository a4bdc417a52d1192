"""The part of the page that follows a job until its end."""

import streamlit as st

from pret import Busy, Client, Job, NotReachable, PretError, UnknownJob
from ui import service
from ui.texts import Texts

SECONDS = 1.0
"""Between two requests for the job."""
STAGES = ("queued", "reading", "scoring", "writing")
SEEN = "job_seen"
"""Key of the last known state of the job in the session."""


@st.fragment(run_every=SECONDS)
def show_running(say: Texts, client: Client, job: Job) -> None:
    """Show the progress of the job, refresh it every second, and rerun the page once the job has ended."""
    with service.guard(say):
        seen = st.session_state.get(SEEN)
        job, trouble = _looked_at(client, seen if isinstance(seen, Job) and seen.id == job.id else job)
        if job.is_final:
            st.rerun()
        st.session_state[SEEN] = job
        if trouble is not None:
            # The job continues in the meantime, so keep polling.
            st.warning(say("portfolio.connection_lost"), icon=":material/cloud_off:")
        _show_progress(say, job)
        if st.button(say("portfolio.cancel"), key="cancel_job", icon=":material/stop_circle:"):
            _cancel(say, client, job)


def _looked_at(client: Client, job: Job) -> tuple[Job, PretError | None]:
    try:
        return client.job(job.id), None
    except UnknownJob:
        st.rerun()
    except (NotReachable, Busy) as error:
        return job, error


def _show_progress(say: Texts, job: Job) -> None:
    wanted = job.stage if job.state == "running" else job.state
    stage = wanted if wanted in STAGES else "running"
    share = job.rows_done / job.rows if job.rows else 0.0
    st.progress(min(share, 1.0), text=f"**{say(f'portfolio.stage_{stage}')}** {_done(say, job)}")
    facts = []
    if job.rows_per_second:
        facts.append(say("portfolio.speed", rate=round(job.rows_per_second)))
    if job.eta_seconds is not None:
        facts.append(say("portfolio.eta", duration=say.duration(job.eta_seconds)))
    if job.invalid:
        facts.append(say("portfolio.invalid_so_far", count=job.invalid))
    st.caption(" · ".join(facts) or say("portfolio.soon"))


def _done(say: Texts, job: Job) -> str:
    if job.rows is None:
        return say("portfolio.rows_read", rows=job.rows_read) if job.rows_read else ""
    # Rounded down: 100 % only at the end.
    share = say.percent(job.rows_done * 100 // job.rows / 100 if job.rows else None, 0)
    return say("portfolio.rows_done", done=job.rows_done, rows=job.rows, share=share)


def _cancel(say: Texts, client: Client, job: Job) -> None:
    try:
        client.cancel(job.id)
    except PretError as error:
        service.explain(error, say).show()
    else:
        st.rerun()

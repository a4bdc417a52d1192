"""The part of the page that shows the outcome of a job: its results, or why there are none."""

import errno
from contextlib import suppress
from itertools import accumulate, pairwise
from pathlib import Path

import streamlit as st

from pret import Client, Job, PretError, UnknownJob
from ui import reasons, service
from ui.batch import results
from ui.batch.charts import bars_of, histogram
from ui.batch.declined import labels_of, show_declined
from ui.batch.downloads import show_command, show_downloads
from ui.batch.fetched import shelf
from ui.batch.history import open_job
from ui.batch.report import show_report
from ui.batch.results import Summary
from ui.batch.table import show_table_of
from ui.palette import ink
from ui.tables import show_table
from ui.texts import NOTHING, Texts, short

DECISIONS = ("Accordé", "Refusé")
"""Words of the service, the same in both languages."""
MAX_ROWS_SHOWN = 50_000_000
"""With more rows, filters take too long, and the results too much of the console's disk."""
MAX_REASONS = 20
LEAST_SHARE = 0.001
FULL = (errno.ENOSPC, errno.EDQUOT)


def show_ended(say: Texts, client: Client, job: Job) -> None:
    """Show the outcome of a job that has ended."""
    if job.state == "succeeded":
        _show_results(say, client, job)
    elif job.state == "cancelled":
        st.info(say("portfolio.cancelled"), icon=":material/cancel:")
    else:
        _show_failure(say, client, job)
    _show_removal(say, client, job)


def _show_results(say: Texts, client: Client, job: Job) -> None:
    _show_shares(say, job)
    _show_unseen(say, job)
    if (job.rows or 0) > MAX_ROWS_SHOWN:
        st.info(say("portfolio.too_many_rows", rows=MAX_ROWS_SHOWN), icon=":material/info:")
        show_command(job, "scores.parquet")
        return
    try:
        with st.spinner(say("portfolio.fetching")):
            path = shelf().fetch(client, job.id, "parquet")
            summary = _summary(job.id, path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        st.error(f"**{say('portfolio.no_room')}** {say('portfolio.way_no_room')}", icon=":material/error:")
        show_command(job, "scores.parquet")
        return
    _show_figure(say, job, summary)
    show_downloads(say, client, job, path)
    if summary.reasons:
        _show_reasons(say, summary)
    labels = labels_of(say, client) if job.explain else {}
    if summary.declined:
        show_declined(say, summary.declined, labels)
    show_table_of(say, client, job, DECISIONS, labels)


def _show_shares(say: Texts, job: Job) -> None:
    rows = job.rows or 0
    facts = (
        (f":material/check_circle: {DECISIONS[0]}", job.granted, "granted"),
        (f":material/cancel: {DECISIONS[1]}", job.refused, "refused"),
        (f":material/warning: {say('portfolio.invalid')}", job.invalid, "invalid"),
    )
    shares = _shares([count for _, count, _ in facts], rows)
    columns = st.columns(len(facts) + 1)
    columns[0].metric(f":material/table_rows: {say('portfolio.rows')}", say.number(rows), border=True, height="stretch")
    for column, (label, count, name), share in zip(columns[1:], facts, shares, strict=True):
        help_text = say(f"portfolio.share_{name}", count=count, rows=rows)
        column.metric(
            label,
            say.number(count),
            _worded(say, share, count, rows),
            "off",
            help=help_text,
            border=True,
            delta_arrow="off",
        )
    st.caption(
        say(
            "portfolio.facts",
            version=short(job.model_version),
            threshold=say.percent(job.threshold),
            duration=say.duration(job.seconds),
            expires=say.moment(job.expires_at),
        )
    )


def _show_unseen(say: Texts, job: Job) -> None:
    counted = [(feature, count) for feature, count in job.unseen_categories.items() if count]
    if counted:
        lines = [f"- {say('portfolio.unseen_in', feature=feature, count=count)}" for feature, count in counted]
        st.info("\n".join([say("portfolio.unseen"), "", *lines]), icon=":material/category:")


def _shares(counts: list[int], rows: int) -> list[float]:
    """Return the shares, rounded so that what is shown adds up to 100 %."""
    upto = [round(count / max(rows, 1) / LEAST_SHARE) for count in accumulate(counts, initial=0)]
    return [(end - start) * LEAST_SHARE for start, end in pairwise(upto)]


def _worded(say: Texts, share: float, count: int, rows: int) -> str:
    """Write a share; one that would round to 0 or 100 % is said to be less or more than that."""
    if 0 < count < rows * LEAST_SHARE:
        return say.plain("portfolio.less_than", share=say.percent(LEAST_SHARE))
    if rows * (1 - LEAST_SHARE) < count < rows:
        return say.plain("portfolio.more_than", share=say.percent(1 - LEAST_SHARE))
    return say.percent(share) if rows else NOTHING


@st.cache_data(show_spinner=False, max_entries=64)
def _summary(job_id: str, _path: Path) -> Summary:
    return results.summarise(_path)


def _show_figure(say: Texts, job: Job, summary: Summary) -> None:
    bars = bars_of(summary)
    if job.threshold is None or not bars:
        return
    st.subheader(say("portfolio.distribution"), anchor=False)
    words = say.plain(
        "portfolio.figure", granted=job.granted, refused=job.refused, threshold=say.percent(job.threshold)
    )
    st.altair_chart(histogram(bars, job.threshold, DECISIONS, ink(st.context.theme.type), say), alt=words)


def _show_reasons(say: Texts, summary: Summary) -> None:
    st.subheader(say("portfolio.reasons"), anchor=False)
    rows = [[reasons.of_row([value], say), say.number(count)] for value, count in summary.reasons[:MAX_REASONS]]
    show_table([say.plain("portfolio.reason"), say.plain("portfolio.rows")], rows, "reasons")


def _show_failure(say: Texts, client: Client, job: Job) -> None:
    why = reasons.said(job.error, say) if job.error else ""
    way = reasons.way_of_input(job.error.type) if job.error else None
    st.error(f"**{say('portfolio.failed')}** {why} {say(_way_key(way))}", icon=":material/error:")
    if job.report is not None and job.report.errors:
        show_report(say, job.report.errors, job.report.invalid_values, job.format)
    with st.container(horizontal=True):
        if way is None and st.button(say("portfolio.retry"), key="retry_job", icon=":material/refresh:"):
            _retry(say, client, job)
        if st.button(say("portfolio.another"), key="another_file", icon=":material/upload_file:"):
            open_job(None)
            st.rerun()


def _way_key(way: str | None) -> str:
    if way is None:
        return "portfolio.way_failed"
    return "portfolio.way_rejected" if way == "values" else f"common.way_{way}"


def _show_removal(say: Texts, client: Client, job: Job) -> None:
    with st.popover(say("portfolio.remove"), icon=":material/delete:", type="tertiary"):
        st.markdown(say("portfolio.confirm_removal"))
        if st.button(say("portfolio.confirm"), key="remove_job", type="primary"):
            _remove(say, client, job)


def _remove(say: Texts, client: Client, job: Job) -> None:
    try:
        # Gone already is as good.
        with suppress(UnknownJob):
            client.remove(job.id)
    except PretError as error:
        service.explain(error, say).show()
    else:
        shelf().remove(job.id)
        open_job(None)
        st.rerun()


def _retry(say: Texts, client: Client, job: Job) -> None:
    try:
        client.retry(job.id)
    except PretError as error:
        service.explain(error, say).show()
    else:
        st.rerun()

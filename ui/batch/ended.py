"""The part of the page that shows what came of a job: results, or why there are none."""

import errno
import re
from itertools import accumulate, pairwise
from pathlib import Path

import streamlit as st

from pret import Client, InvalidValue, Job, PretError
from ui import reasons, service
from ui.batch import results
from ui.batch.charts import bars_of, histogram
from ui.batch.downloads import show_command, show_downloads
from ui.batch.fetched import shelf
from ui.batch.history import open_job
from ui.batch.lines import line_name, line_of
from ui.batch.results import Summary
from ui.batch.table import show_table_of
from ui.outcome import short
from ui.palette import ink
from ui.tables import show_table
from ui.texts import NOTHING, Texts

DECISIONS = ("Accordé", "Refusé")
"""Words of the service, the same in both languages."""
MAX_ROWS_SHOWN = 50_000_000
"""Beyond it, looking through the results takes too long, and they take too much room on the disk of the console."""
MAX_REASONS = 20
LEAST_SHARE = 0.001
FULL = (errno.ENOSPC, errno.EDQUOT)

FAILURES = (
    (re.compile(r"The rows break the feature contract .*"), "rows"),
    (re.compile(r"(?:Missing columns: (?P<missing>.+?)\.)(?: Unknown columns: (?P<unknown>.+)\.)?"), "columns"),
)
"""What the service says of a failed job, and the names of our sentences, `portfolio.failed_…`."""


def show_ended(say: Texts, client: Client, job: Job) -> None:
    """Show it."""
    if job.state == "succeeded":
        _show_results(say, client, job)
    elif job.state == "cancelled":
        st.info(say("portfolio.cancelled"), icon=":material/cancel:")
    else:
        _show_failure(say, client, job)


def _show_results(say: Texts, client: Client, job: Job) -> None:
    _show_shares(say, job)
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
    show_table_of(say, client, job, DECISIONS)


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


def _shares(counts: list[int], rows: int) -> list[float]:
    """Give the shares, rounded so that what is shown adds up to 100 %."""
    upto = [round(count / max(rows, 1) / LEAST_SHARE) for count in accumulate(counts, initial=0)]
    return [(end - start) * LEAST_SHARE for start, end in pairwise(upto)]


def _worded(say: Texts, share: float, count: int, rows: int) -> str:
    """Write a share; one that would be rounded to none or all of the rows is said to be less or more than what is shown."""
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
    rows = [[reasons.plainly(reason, say), say.number(count)] for reason, count in summary.reasons[:MAX_REASONS]]
    show_table([say.plain("portfolio.reason"), say.plain("portfolio.rows")], rows, "reasons")


def _show_failure(say: Texts, client: Client, job: Job) -> None:
    st.error(f"**{say('portfolio.failed')}** {_why(say, job)}", icon=":material/error:")
    if job.error:
        st.caption(say("portfolio.service_says", reason=str(job.error)))
    if job.report is not None and job.report.errors:
        _show_report(say, job, job.report.errors, job.report.invalid_values)
    with st.container(horizontal=True):
        if job.report is None and st.button(say("portfolio.retry"), key="retry_job", icon=":material/refresh:"):
            _retry(say, client, job)
        if st.button(say("portfolio.another"), key="another_file", icon=":material/upload_file:"):
            open_job(None)
            st.rerun()


def _why(say: Texts, job: Job) -> str:
    for pattern, name in FAILURES:
        if found := pattern.fullmatch(str(job.error or "")):
            return say(f"portfolio.failed_{name}", **{part: it or NOTHING for part, it in found.groupdict().items()})
    return say("portfolio.failed_other")


def _show_report(say: Texts, job: Job, errors: tuple[InvalidValue, ...], total: int) -> None:
    st.markdown(say("portfolio.report", shown=len(errors), total=total))
    rows = [
        [
            NOTHING if error.row is None else say.number(line_of(job, error.row)),
            error.column or NOTHING,
            reasons.plainly(error.message, say),
        ]
        for error in errors
    ]
    names = (line_name(job), "column", "reason")
    show_table([say.plain(f"portfolio.{name}") for name in names], rows, "report")


def _retry(say: Texts, client: Client, job: Job) -> None:
    try:
        client.retry(job.id)
    except PretError as error:
        service.explain(error, say).show()
    else:
        st.rerun()

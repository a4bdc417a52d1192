"""The table of results: filtered, sorted, and paged."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from pret import Client, Job
from ui import reasons, service
from ui.batch import results
from ui.batch.fetched import shelf
from ui.batch.lines import line_name, line_of
from ui.batch.opening import show_opening
from ui.batch.results import EXPLAINED, MAX_SORTED, ORDERS, OUTCOMES, Page, Wanted, invalid_values, kept_columns
from ui.labels import label_of
from ui.tables import choose_row
from ui.texts import NOTHING, Texts

PAGE_ROWS = 50


@st.fragment
def show_table_of(say: Texts, client: Client, job: Job, decisions: tuple[str, str], labels: Mapping[str, str]) -> None:
    """Show it; in a fragment, since filters change nothing else in the page. `labels` are those of features and groups."""
    st.subheader(say("portfolio.table"), anchor=False)
    with service.guard(say):
        words = dict(zip(OUTCOMES, (*decisions, say.plain("portfolio.invalid")), strict=True))
        wanted = _show_filter(say, job, words)
        with st.spinner(say("portfolio.searching")):
            # The file may have been removed since the page was shown.
            path = shelf().fetch(client, job.id, "parquet")
            page = _page(job.id, path, wanted, 0)
            if number := min(_page_number(job.id, wanted), _last(page.total, wanted)):
                page = _page(job.id, path, wanted, number, page.total)
        if not page.total:
            st.info(say("portfolio.nothing_found"), icon=":material/search_off:")
            return
        chosen = _show_rows(say, job, page, labels)
        _show_pager(say, page, wanted, number)
        show_opening(say, job, page.numbers[0 if chosen is None else chosen])


def _show_filter(say: Texts, job: Job, words: dict[str, str]) -> Wanted:
    outcomes = OUTCOMES if job.invalid else OUTCOMES[:2]
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        chosen = st.pills(
            say("portfolio.decision"),
            outcomes,
            selection_mode="multi",
            format_func=words.__getitem__,
            key="filter_decision",
        )
        order = st.selectbox(
            say("portfolio.order"),
            ORDERS,
            format_func=lambda it: say.plain(f"portfolio.order_{it}"),
            key="filter_order",
            width=260,
        )
        lowest = st.number_input(say("portfolio.lowest"), 0.0, 100.0, 0.0, 1.0, "%g", key="filter_lowest", width=150)
        highest = st.number_input(
            say("portfolio.highest"), 0.0, 100.0, 100.0, 1.0, "%g", key="filter_highest", width=150
        )
        text = ""
        if job.keep:
            text = st.text_input(say("portfolio.search"), key="filter_text", width=260)
    return Wanted(frozenset(chosen or OUTCOMES), lowest / 100, highest / 100, text.strip(), order or ORDERS[0])


def _page_number(job_id: str, wanted: Wanted) -> int:
    """Return the number of the page, from 0; another job or filter starts at the first one."""
    if st.session_state.get("filter_seen") != (job_id, wanted):
        st.session_state["filter_seen"] = (job_id, wanted)
        st.session_state["page_number"] = 0
    return int(st.session_state["page_number"])


@st.cache_data(show_spinner=False, max_entries=100)
def _page(job_id: str, _path: Path, wanted: Wanted, number: int, _total: int | None = None) -> Page:
    return results.page_of(_path, wanted, number * PAGE_ROWS, PAGE_ROWS, _total)


def _last(total: int, wanted: Wanted) -> int:
    """Return the number of the last page that can be seen."""
    return max(_reachable(total, wanted) - 1, 0) // PAGE_ROWS


def _reachable(total: int, wanted: Wanted) -> int:
    return total if wanted.order == ORDERS[0] else min(total, MAX_SORTED)


def _show_rows(say: Texts, job: Job, page: Page, labels: Mapping[str, str]) -> int | None:
    """Show the rows, and return the place of the one that is chosen."""
    table = page.rows
    lines = [say.number(line_of(job.format, it)) for it in page.numbers]
    columns = [(say.plain(f"portfolio.{line_name(job.format)}"), lines)]
    columns += [(it, [_text(value) for value in table[it].to_pylist()]) for it in kept_columns(table.column_names)]
    columns.append((say.plain("portfolio.score"), [say.percent(it, 2) for it in table["score"].to_pylist()]))
    columns.append((say.plain("portfolio.decision"), [_text(it) for it in table["decision"].to_pylist()]))
    if "errors" in table.column_names and table["errors"].null_count < table.num_rows:
        told = [reasons.of_row(invalid_values(it), say) if it else NOTHING for it in table["errors"].to_pylist()]
        columns.append((say.plain("portfolio.reason"), told))
    if EXPLAINED in table.column_names:
        against = [_against(it, labels) for it in table[EXPLAINED].to_pylist()]
        columns.append((say.plain("portfolio.against"), against))
    headings, values = zip(*columns, strict=True)
    return choose_row(headings, list(zip(*values, strict=True)), "results_table")


def _against(reasons: Sequence[Mapping[str, Any]] | None, labels: Mapping[str, str]) -> str:
    """List what raises the risk, the strongest first."""
    named = [label_of(it["feature"], labels.get(it["feature"])) for it in reasons or () if it["contribution"] > 0]
    return ", ".join(named) or NOTHING


def _show_pager(say: Texts, page: Page, wanted: Wanted, number: int) -> None:
    last = _last(page.total, wanted)
    first = number * PAGE_ROWS + 1
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, icon, to in (("previous", "chevron_left", number - 1), ("next", "chevron_right", number + 1)):
            st.button(
                say(f"portfolio.{name}"),
                key=f"page_{name}",
                icon=f":material/{icon}:",
                disabled=not 0 <= to <= last,
                on_click=partial(_turn, to),
            )
        st.caption(
            say("portfolio.shown", first=first, last=first + page.rows.num_rows - 1, total=page.total), width="content"
        )
    if _reachable(page.total, wanted) < page.total:
        st.caption(say("portfolio.only_first", rows=MAX_SORTED))


def _turn(number: int) -> None:
    st.session_state["page_number"] = number


def _text(value: object) -> str:
    return NOTHING if value is None else str(value)

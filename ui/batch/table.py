"""The table of scored rows: filtered, sorted, and one page of it at a time."""

from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from pret import Job
from ui import reasons, service
from ui.batch import results
from ui.batch.lines import line_name, line_of
from ui.batch.results import MAX_SORTED, ORDERS, OUTCOMES, Page, Wanted
from ui.texts import NOTHING, Texts

PAGE_ROWS = 50


@st.fragment
def show_table_of(say: Texts, job: Job, path: Path, decisions: tuple[str, str]) -> None:
    """Show it; a fragment, for a filter changes nothing else in the page."""
    st.subheader(say("portfolio.table"), anchor=False)
    with service.guard(say):
        words = dict(zip(OUTCOMES, (*decisions, say.plain("portfolio.invalid")), strict=True))
        wanted = _show_filter(say, job, words)
        number = _page_number(wanted)
        with st.spinner(say("portfolio.searching")):
            page = _page(job.id, path, wanted, number)
        if not page.total:
            st.info(say("portfolio.nothing_found"), icon=":material/search_off:")
            return
        _show_rows(say, job, page)
        _show_pager(say, page, wanted, number)


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


def _page_number(wanted: Wanted) -> int:
    """Give the number of the page, from 0; another filter begins at the first one."""
    if st.session_state.get("filter_seen") != wanted:
        st.session_state["filter_seen"] = wanted
        st.session_state["page_number"] = 0
    return int(st.session_state["page_number"])


@st.cache_data(show_spinner=False, max_entries=100)
def _page(job_id: str, _path: Path, wanted: Wanted, number: int) -> Page:
    return results.page_of(_path, wanted, number * PAGE_ROWS, PAGE_ROWS)


def _show_rows(say: Texts, job: Job, page: Page) -> None:
    table = page.rows
    kept = [name for name in table.column_names if name not in results.OWN]
    columns: list[tuple[str, list[str]]] = [
        (say.plain(f"portfolio.{line_name(job)}"), [say.number(line_of(job, it)) for it in page.numbers])
    ]
    columns += [(name, [_text(value) for value in table[name].to_pylist()]) for name in kept]
    columns.append((say.plain("portfolio.score"), [say.percent(it, 2) for it in table["score"].to_pylist()]))
    columns.append((say.plain("portfolio.decision"), [_text(it) for it in table["decision"].to_pylist()]))
    if "error" in table.column_names and table["error"].null_count < table.num_rows:
        told = [NOTHING if it is None else reasons.plainly(it, say) for it in table["error"].to_pylist()]
        columns.append((say.plain("portfolio.reason"), told))
    # A kept column may have the name of one of ours.
    frame = pd.DataFrame({str(index): pd.Series(values, dtype="str") for index, (_, values) in enumerate(columns)})
    names = {str(index): st.column_config.TextColumn(name) for index, (name, _) in enumerate(columns)}
    st.dataframe(frame, hide_index=True, column_config=names, key="results_table")


def _show_pager(say: Texts, page: Page, wanted: Wanted, number: int) -> None:
    reachable = page.total if wanted.order == ORDERS[0] else min(page.total, MAX_SORTED)
    last = max(reachable - 1, 0) // PAGE_ROWS
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
    if reachable < page.total:
        st.caption(say("portfolio.only_first", rows=MAX_SORTED))


def _turn(number: int) -> None:
    st.session_state["page_number"] = number


def _text(value: object) -> str:
    return NOTHING if value is None else str(value)

"""What the refused rows of a portfolio were refused for: bars, and a table of all."""

from collections.abc import Mapping, Sequence

import streamlit as st

from pret import Client, PretError
from ui.bars import Bar, bars
from ui.batch.results import Declined
from ui.labels import label_of
from ui.palette import ink
from ui.tables import show_table
from ui.texts import Texts

MOST = 10
"""Bars; the table has all."""


def labels_of(say: Texts, client: Client) -> dict[str, str]:
    """Return what people call the features and groups of the live model; without it, their names are made readable."""
    try:
        columns = client.model_signature(language=say.language).columns
    except PretError:
        return {}
    groups = {it.group: label_of(it.group, it.group_label) for it in columns if it.group}
    return groups | {it.name: label_of(it.name, it.label) for it in columns}


def show_declined(say: Texts, declined: Sequence[Declined], labels: Mapping[str, str]) -> None:
    """Show how many rows each reason declined."""
    st.subheader(say("portfolio.declined"), anchor=False)
    named = [(label_of(it.feature, labels.get(it.feature)), it) for it in declined]
    entries = [Bar(name, it.mainly, say.number(it.mainly)) for name, it in named if it.mainly][:MOST]
    if entries:
        st.markdown(say("portfolio.declined_mainly"))
        st.altair_chart(bars(entries, {}, ink(st.context.theme.type)), alt=say.plain("portfolio.declined_figure"))
    with st.expander(say("portfolio.declined_table"), key="declined_table"):
        headings = [say.plain(f"portfolio.{name}") for name in ("reason", "declined_first", "declined_among")]
        rows = [[name, say.number(it.mainly), say.number(it.also)] for name, it in named]
        show_table(headings, rows, "declined")

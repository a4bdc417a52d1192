"""What weighs in the model as a whole: groups and features by their mean contribution."""

import streamlit as st

from pret import Client, ModelImportance
from ui.bars import Bar, bars
from ui.labels import label_of, name_of
from ui.palette import ink
from ui.tables import show_table
from ui.texts import NOTHING, Texts

MOST = 12
"""Bars; the table has all features."""
DIGITS = 3


def show_importance(say: Texts, client: Client) -> None:
    """Show what weighs most, as bars and as a table."""
    found = client.importance(language=say.language)
    source = "training" if found.source == "training" else "golden"
    st.markdown(say("model.importance_help"))
    st.caption(say(f"model.importance_{source}", rows=found.rows))
    entries = _bars(say, found)
    if entries:
        st.altair_chart(bars(entries, {}, ink(st.context.theme.type)), alt=say.plain("model.importance_figure"))
    groups = {it.group: label_of(it.group, it.label) for it in found.groups}
    rows = [
        [name_of(it), it.feature, groups.get(it.group or "", NOTHING), say.number(it.importance, DIGITS)]
        for it in found.features
    ]
    show_table([say.plain(f"model.{name}") for name in ("label", "feature", "group", "weight")], rows, "importance")


def _bars(say: Texts, found: ModelImportance) -> list[Bar]:
    """Return the heaviest groups and lone features, as reasons are told."""
    lone = [(name_of(it), it.importance) for it in found.features if it.group is None]
    weights = [*lone, *((label_of(it.group, it.label), it.importance) for it in found.groups)]
    heaviest = sorted(weights, key=lambda it: -it[1])[:MOST]
    return [Bar(name, weight, say.number(weight, DIGITS)) for name, weight in heaviest]

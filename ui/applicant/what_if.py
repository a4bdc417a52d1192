"""What would become of the score with other values of one feature: a curve for each, and where the decision flips."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pret import Client, Curve, PretError, WhatIf
from ui import service
from ui.applicant.curves import curve_figure
from ui.applicant.form import FormField
from ui.applicant.inputs import written
from ui.applicant.scoring import Scored
from ui.labels import name_of
from ui.palette import ink
from ui.tables import show_words
from ui.texts import Texts, short

MOST = 5
"""Curves at a time."""


def show_what_if(say: Texts, client: Client, scored: Scored, fields: Sequence[FormField]) -> None:
    """Show the curves of the fields that weigh most, or of those that are chosen."""
    st.subheader(say("applicant.curves"), anchor=False)
    labels = {field.name: field.label for field in fields}
    chosen = st.multiselect(
        say("applicant.curves_of"),
        list(labels),
        format_func=labels.__getitem__,
        key="curves_of",
        max_selections=MOST,
        placeholder=say.plain("applicant.curves_heaviest"),
    )
    try:
        found = _what_if(client, scored, tuple(chosen), say.language)
    except PretError as error:
        message = service.explain(error, say)
        st.info(f"{message.text} {message.way}".strip(), icon=":material/info:")
        return
    if found.model_version != scored.score.model_version:
        st.info(say("applicant.curves_version", version=short(found.model_version)), icon=":material/info:")
    with st.container(key="wide_grid_curves"):
        for number, curve in enumerate(found.features):
            with st.container(key=f"curve_{number}", border=True):
                _show_curve(say, curve, found)
    with st.expander(say("applicant.curves_table"), key="curves_table"):
        _show_table(say, found)


def _what_if(client: Client, scored: Scored, chosen: tuple[str, ...], language: str) -> WhatIf:
    """Ask once for the same applicant."""
    asked = (scored.row, scored.score.model_version, chosen, language)
    if st.session_state.get("what_if_of") != asked:
        st.session_state["what_if"] = client.what_if(scored.row, list(chosen) or None, language=language)
        st.session_state["what_if_of"] = asked
    found: WhatIf = st.session_state["what_if"]
    return found


def _show_curve(say: Texts, curve: Curve, found: WhatIf) -> None:
    st.markdown(say("applicant.curve", feature=name_of(curve), value=written(curve.value, say)))
    st.altair_chart(
        curve_figure(say, curve, found.score, found.threshold, ink(st.context.theme.type)),
        alt=f"{name_of(curve)}. {_flip(say.plain, say, curve, found)}",
    )
    st.markdown(_flip(say, say, curve, found))
    missing = [point.score for point in curve.points if point.value is None]
    if missing and curve.value is not None:
        st.caption(say("applicant.if_missing", score=say.percent(missing[0])))


def _flip(speak: Any, say: Texts, curve: Curve, found: WhatIf) -> str:
    """Say where the decision flips, if it does."""
    if curve.flips_at is None:
        return str(speak("applicant.flips_never"))
    key = "applicant.flips_to_granted" if found.prediction == 1 else "applicant.flips_to_refused"
    return str(speak(key, value=written(curve.flips_at, say)))


def _show_table(say: Texts, found: WhatIf) -> None:
    rows = []
    for curve in found.features:
        scores = [point.score for point in curve.points] or [found.score]
        lowest, highest = say.percent(min(scores)), say.percent(max(scores))
        spread = say.plain("applicant.from_to", lowest=lowest, highest=highest)
        rows.append([name_of(curve), written(curve.value, say), spread, _flip(say.plain, say, curve, found)])
    headings = [say.plain(f"applicant.{name}") for name in ("field", "now", "scores", "decision")]
    show_words(headings, rows, say.plain("applicant.curves_table"))

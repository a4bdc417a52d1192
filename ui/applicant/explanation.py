"""Why an applicant has this score: the strongest reasons as bars and as a table, and what may be said to the applicant."""

from math import exp

import streamlit as st

from pret import Explanation, Score
from ui import service
from ui.applicant.scoring import Scored
from ui.bars import Bar, Side, bars, signed
from ui.labels import label_of, name_of
from ui.palette import ink
from ui.tables import show_words
from ui.texts import Texts

SIDES: tuple[Side, Side] = ("raises", "lowers")


def show_explanation(say: Texts, scored: Scored) -> None:
    """Show the reasons, or why there are none."""
    if scored.unexplained is not None:
        st.info(service.explain(scored.unexplained, say).text, icon=":material/info:")
    if scored.score.explanation is None:
        return
    st.subheader(say("applicant.reasons"), anchor=False)
    _show_bars(say, scored.score.explanation)
    if scored.adverse is not None:
        _show_notice(say, scored.score, scored.adverse)


def entries_of(say: Texts, explanation: Explanation) -> list[Bar]:
    """Return the contributions as bars, and all others together."""
    listed = [
        Bar(name_of(it), it.contribution, signed(it.contribution, say), SIDES[0] if it.raises_risk else SIDES[1])
        for it in explanation.contributions
    ]
    return [
        *listed,
        Bar(say.plain("applicant.other_reasons"), explanation.other, signed(explanation.other, say), "rest"),
    ]


def notice_of(say: Texts, score: Score, adverse: Explanation) -> str:
    """Return what may be said to a refused applicant, as plain text."""
    reasons = [label_of(it.feature, it.reason) for it in adverse.contributions]
    if not reasons:
        return say.plain("applicant.notice_without")
    return say.plain("applicant.notice", reasons="\n".join(f"- {reason}" for reason in reasons))


def effect_of(say: Texts, side: Side) -> str:
    """Return what a bar does to the risk, in words."""
    return say.plain(f"applicant.{side}")


def _show_bars(say: Texts, explanation: Explanation) -> None:
    entries = entries_of(say, explanation)
    sides = {side: effect_of(say, side) for side in SIDES}
    st.altair_chart(
        bars(entries, sides, ink(st.context.theme.type)),
        alt=say.plain("applicant.reasons_figure", count=len(explanation.contributions)),
    )
    st.caption(say("applicant.average", score=say.percent(_probability(explanation.base_value))))
    with st.expander(say("applicant.reasons_table"), key="reasons_table"):
        rows = [[it.name, effect_of(say, it.side), it.written] for it in entries]
        headings = [say.plain(f"applicant.{name}") for name in ("reason", "effect", "contribution")]
        show_words(headings, rows, say.plain("applicant.reasons_table"))
        st.caption(say("applicant.contribution_help"))


def _probability(log_odds: float) -> float:
    """Return the score for a raw score; a large one of either sign must not overflow."""
    odds = exp(-abs(log_odds))
    return (1 if log_odds >= 0 else odds) / (1 + odds)


def _show_notice(say: Texts, score: Score, adverse: Explanation) -> None:
    st.markdown(f"**{say('applicant.notice_title')}**")
    st.code(notice_of(say, score, adverse), language=None, wrap_lines=True)
    if adverse.left_out:
        st.caption(say("applicant.left_out", count=adverse.left_out))

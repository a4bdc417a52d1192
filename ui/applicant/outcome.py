"""The outcome of scoring one applicant: the decision in words, the figure, and what-if beside a reference."""

from collections.abc import Sequence

import streamlit as st

from pret import Score
from ui.applicant.explanation import show_explanation
from ui.applicant.form import FormField
from ui.applicant.gauge import Reading, figure
from ui.applicant.inputs import written
from ui.applicant.scoring import Scored
from ui.applicant.sheet import MEDIA_TYPE, file_name, sheet
from ui.palette import ink
from ui.texts import NOTHING, Texts, escaped, short

MOST_DIGITS = 14
"""Decimals of a percentage at most."""


def show_outcome(
    say: Texts, now: Scored | None, reference: Scored | None, fields: Sequence[FormField], *, failed: bool
) -> None:
    """Show the latest score, beside that of the reference if there is one; without a score, say where it will appear."""
    st.subheader(say("applicant.outcome"), anchor=False)
    if failed:
        st.error(say("applicant.not_scored"), icon=":material/error:")
    elif now is None:
        st.info(say("applicant.no_outcome"), icon=":material/info:")
    if now and reference and now.score.model_version != reference.score.model_version:
        # One figure cannot show two thresholds.
        _drop()
        reference = None
        st.info(say("applicant.reference_dropped"), icon=":material/info:")
    if now is not None:
        _decision(say, now.score, reference.score if reference else None)
        _figure(say, now.score, reference.score if reference else None)
        _facts(say, now.score)
        show_explanation(say, now)
    _buttons(say, now, reference, fields)
    if now is not None and reference is not None:
        _changes(say, now, reference, fields)


def _decision(say: Texts, score: Score, reference: Score | None) -> None:
    refused = score.prediction == 1
    color, icon = ("red", ":material/cancel:") if refused else ("green", ":material/check_circle:")
    st.markdown(f"## :{color}[{icon} {escaped(score.decision or NOTHING)}]", anchors=False)
    share = score.score or 0.0
    delta = None
    if reference is not None and reference.score is not None and reference.score != share:
        delta = say.plain("applicant.delta", points=_signed(say, share - reference.score))
    st.metric(
        say("applicant.probability"),
        _share(say, score, score.score),
        delta,
        "inverse",
        help=say("applicant.probability_help"),
    )


def _share(say: Texts, score: Score, share: float | None) -> str:
    """Write a share with as many decimals as it takes to tell the score from the threshold."""
    digits = 1 if score.score is None or score.threshold is None else _digits(score.score, score.threshold)
    return say.percent(share, digits)


def _digits(one: float, other: float, least: int = 1) -> int:
    """Return the number of decimals with which two percentages look different."""
    fine = (digits for digits in range(least, MOST_DIGITS) if f"{one:.{digits + 2}f}" != f"{other:.{digits + 2}f}")
    return least if one == other else next(fine, MOST_DIGITS)


def _signed(say: Texts, difference: float) -> str:
    # An ASCII sign: Streamlit reads from it whether the value went up or down.
    points = say.number(abs(difference) * 100, _digits(difference, 0.0, least=2))
    return f"{'-' if difference < 0 else '+'}{points}"


def _figure(say: Texts, score: Score, reference: Score | None) -> None:
    if score.score is None or score.threshold is None:
        return
    scores = {"now": score.score, "reference": reference.score if reference else None}
    readings = [
        Reading(
            say.plain("applicant.mark", name=say.plain(f"applicant.{name}"), score=_share(say, score, share)), share
        )
        for name, share in scores.items()
        if share is not None
    ]
    threshold = _share(say, score, score.threshold)
    alt = say.plain("applicant.figure", score=_share(say, score, score.score), threshold=threshold)
    st.altair_chart(figure(readings, score.threshold, threshold, say, ink(st.context.theme.type)), alt=alt)


def _facts(say: Texts, score: Score) -> None:
    if score.score is not None and score.threshold is not None:
        key = "applicant.above" if score.prediction == 1 else "applicant.below"
        distance = say.number(abs(score.score - score.threshold) * 100, _digits(score.score, score.threshold))
        st.markdown(say(key, points=distance, threshold=_share(say, score, score.threshold)))
    st.caption(say("applicant.model", version=short(score.model_version)), help=escaped(score.model_version or NOTHING))


def _buttons(say: Texts, now: Scored | None, reference: Scored | None, fields: Sequence[FormField]) -> None:
    with st.container(horizontal=True):
        if now is not None:
            st.download_button(
                say("applicant.print"),
                sheet(say, now, fields),
                file_name(say, now),
                MEDIA_TYPE,
                key="print",
                icon=":material/print:",
                on_click="ignore",
            )
        st.button(
            say("applicant.keep_reference"),
            key="keep_reference",
            icon=":material/push_pin:",
            on_click=_keep,
            disabled=now is None,
            help=say("applicant.keep_reference_help"),
        )
        if reference is not None:
            st.button(say("applicant.drop_reference"), key="drop_reference", type="tertiary", on_click=_drop)


def _keep() -> None:
    st.session_state["reference"] = st.session_state.get("scored")


def _drop() -> None:
    st.session_state.pop("reference", None)


def _changes(say: Texts, now: Scored, reference: Scored, fields: Sequence[FormField]) -> None:
    changed = [field for field in fields if now.row.get(field.name) != reference.row.get(field.name)]
    if not changed:
        st.caption(say("applicant.what_if"))
        return
    st.markdown(f"**{say('applicant.changed')}**")
    for field in changed:
        before, after = (written(it.row.get(field.name), say) for it in (reference, now))
        st.markdown(say("applicant.change", field=field.label, before=before, after=after))

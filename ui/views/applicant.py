"""The page of one applicant: a form made from the live model, the score against the threshold, and what-if."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import streamlit as st

from pret import Client, InvalidRows, InvalidValue, ModelSignature, PretError, Rejected
from ui import reasons, service
from ui.applicant.filling import fill_at_first, show_filling
from ui.applicant.form import MAX_FIELDS, NUMERIC, FormField, fields_of, row_of
from ui.applicant.inputs import FOLDED_FROM, Inputs
from ui.applicant.opening import open_row
from ui.applicant.outcome import show_outcome
from ui.applicant.scoring import in_language, scored
from ui.applicant.sections import found, sections_of
from ui.applicant.what_if import show_what_if
from ui.links import link_to
from ui.texts import NOTHING, Texts, escaped

WIDTHS = (11, 6)
"""Widths of the form and the outcome."""
OUTCOME = ("scored", "reference", "failure")
"""What the session keeps: the latest score, the one to compare it with, and the error if there is no score."""
KEPT = (*OUTCOME, "filled", "importance", "what_if", "what_if_of", "curves_of", "opened")
ORDERS = ("subject", "importance")
"""Of the fields of a long form."""
MAX_LISTED = 5
"""Errors in the summary; all of them are shown beside their fields."""


def render(say: Texts, client: Client) -> None:
    """Show the page."""
    st.title(say("applicant.title"), anchor=False)
    signature = client.model_signature(language=say.language)
    if len(signature.columns) > MAX_FIELDS:
        st.info(say("applicant.too_many", features=len(signature.columns), most=MAX_FIELDS), icon=":material/info:")
        link_to("portfolio", say)
        return
    _forget_another_model(signature)
    fields = fields_of(signature)
    _translate_numbers(say, fields)
    opened = open_row(say, client, fields)
    fill_at_first(say, fields)
    form, outcome = st.columns(WIDTHS, gap="large")
    with form:
        show_filling(say, fields, signature, opened=opened)
        _form(say, client, signature, fields)
    with outcome, st.container(key="result"):
        _in_language(say, client)
        now, reference, failure = (st.session_state.get(key) for key in OUTCOME)
        show_outcome(say, now, reference, fields, failed=failure is not None)
    if now is not None and now.score.explanation is not None:
        show_what_if(say, client, now, fields)


def _in_language(say: Texts, client: Client) -> None:
    """Get the reasons in the language of the page, if it has changed; without the service they stay as they are."""
    known = st.session_state.get("scored")
    if known is not None:
        with suppress(PretError):
            st.session_state["scored"] = in_language(client, known, say.language)


def _forget_another_model(signature: ModelSignature) -> None:
    """Clear the page if the live model has other features than the one that the page was filled in for."""
    # What its features are called depends on the language.
    columns = [replace(it, label=None, description=None, group_label=None) for it in signature.columns]
    bare = replace(signature, columns=tuple(columns))
    if st.session_state.get("signature") == bare:
        return
    fields = [key for key in map(str, st.session_state) if key.startswith("field_")]
    for key in (*fields, *KEPT):
        st.session_state.pop(key, None)
    st.session_state["signature"] = bare


def _translate_numbers(say: Texts, fields: Sequence[FormField]) -> None:
    """Rewrite the numbers in the fields if the language of the page has changed."""
    before = Texts.of(st.session_state.get("fields_language", say.language))
    for field in fields if before.language != say.language else ():
        text = st.session_state.get(field.key)
        if field.kind in NUMERIC and isinstance(text, str):
            value = before.read_number(text)
            st.session_state[field.key] = value if isinstance(value, str) else say.editable(value)
    st.session_state["fields_language"] = say.language


def _form(say: Texts, client: Client, signature: ModelSignature, fields: Sequence[FormField]) -> None:
    failure = st.session_state.get("failure")
    errors = failure.errors if isinstance(failure, InvalidRows) else ()
    labels = {field.name: field.label for field in fields}
    if failure is not None:
        service.explain(failure, say).show()
        _summary(say, errors, labels)
    importance, hits = _chosen(say, client, fields) if len(fields) >= FOLDED_FROM else (None, None)
    with st.form("applicant", border=False):
        sections = sections_of(signature, importance)
        Inputs(say, {error.column: error for error in errors}, labels).show(sections, hits)
        submit = partial(_score, say, client, fields)
        icon = ":material/calculate:"
        st.form_submit_button(say("applicant.score"), type="primary", key="score", icon=icon, on_click=submit)


def _chosen(say: Texts, client: Client, fields: Sequence[FormField]) -> tuple[dict[str, float] | None, set[int] | None]:
    """Ask which fields to show, in which order; return the importance of each for that order, and the hits of a search."""
    importance = _importance(client)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            say("applicant.search"),
            key="search_fields",
            type="search",
            live=True,
            placeholder=say.plain("applicant.search_in", fields=len(fields)),
        )
        order = ORDERS[0]
        if importance:
            order = st.segmented_control(
                say("applicant.order"),
                ORDERS,
                default=order,
                required=True,
                format_func=lambda it: say(f"applicant.order_{it}"),
                key="order_of_fields",
            )
    hits = found(fields, words) if words and words.strip() else None
    if hits is not None:
        st.caption(say("applicant.hits", count=len(hits)))
    return (importance if order == ORDERS[1] else None), hits


def _importance(client: Client) -> dict[str, float]:
    """Return the importance of each feature; nothing where the service does not know it."""
    if "importance" not in st.session_state:
        try:
            st.session_state["importance"] = {each.feature: each.importance for each in client.importance().features}
        except Rejected:
            st.session_state["importance"] = {}
        except PretError:
            # It may be known in a moment.
            return {}
    return dict(st.session_state["importance"])


def _summary(say: Texts, errors: Sequence[InvalidValue], labels: dict[str, str]) -> None:
    lines = [
        say("applicant.error_of", field=labels.get(error.column or "", error.column or ""))
        + reasons.said(error, say, labels)
        for error in errors[:MAX_LISTED]
    ]
    if len(errors) > MAX_LISTED:
        lines.append(say("applicant.more_errors", number=len(errors) - MAX_LISTED))
    if lines:
        st.markdown("\n".join(f"- {line}" for line in lines))


def _score(say: Texts, client: Client, fields: Sequence[FormField]) -> None:
    """Score the form, before the page is drawn again."""
    row = row_of(fields, {field.key: st.session_state.get(field.key) for field in fields}, say.read_number)
    st.session_state.pop("failure", None)
    with service.guard(say):
        try:
            found = st.session_state["scored"] = scored(client, row, say.language)
            # On a phone, the outcome is out of sight, below the form.
            st.toast(f"**{escaped(found.score.decision or NOTHING)}** · {say.percent(found.score.score)}")
        except PretError as error:
            st.session_state["failure"] = error
            st.session_state.pop("scored", None)

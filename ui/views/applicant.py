"""The page of one applicant: a form made from the live model, the score against the threshold, and what-if."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from pret import Client, InvalidRows, InvalidValue, ModelSignature, PretError
from ui import reasons, service
from ui.applicant.form import MAX_FIELDS, NUMERIC, FormField, fields_of, groups_of, row_of
from ui.applicant.inputs import Inputs
from ui.applicant.outcome import Scored, show_outcome
from ui.links import link_to
from ui.texts import NOTHING, Texts, escaped

WIDTHS = (11, 6)
"""Widths of the form and the outcome."""
OUTCOME = ("scored", "reference", "failure")
"""What the session keeps: the latest score, the one to compare it with, and the error if there is no score."""
MAX_LISTED = 5
"""Errors in the summary; all of them are shown beside their fields."""


def render(say: Texts, client: Client) -> None:
    """Show the page."""
    st.title(say("applicant.title"), anchor=False)
    signature = client.model_signature()
    if len(signature.columns) > MAX_FIELDS:
        st.info(say("applicant.too_many", features=len(signature.columns), most=MAX_FIELDS), icon=":material/info:")
        link_to("portfolio", say)
        return
    _forget_another_model(signature)
    fields = fields_of(signature)
    _translate_numbers(say, fields)
    form, outcome = st.columns(WIDTHS, gap="large")
    with form:
        _fill_in(say, fields, signature)
        _form(say, client, signature, fields)
    with outcome, st.container(key="result"):
        now, reference, failure = (st.session_state.get(key) for key in OUTCOME)
        show_outcome(say, now, reference, fields, failed=failure is not None)


def _forget_another_model(signature: ModelSignature) -> None:
    """Clear the page if the live model has other features than the one that the page was filled in for."""
    if st.session_state.get("signature") == signature:
        return
    fields = [key for key in map(str, st.session_state) if key.startswith("field_")]
    for key in (*fields, *OUTCOME):
        st.session_state.pop(key, None)
    st.session_state["signature"] = signature


def _translate_numbers(say: Texts, fields: Sequence[FormField]) -> None:
    """Rewrite the numbers in the fields if the language of the page has changed."""
    before = Texts.of(st.session_state.get("fields_language", say.language))
    for field in fields if before.language != say.language else ():
        text = st.session_state.get(field.key)
        if field.kind in NUMERIC and isinstance(text, str):
            value = before.read_number(text)
            st.session_state[field.key] = value if isinstance(value, str) else say.editable(value)
    st.session_state["fields_language"] = say.language


def _fill_in(say: Texts, fields: Sequence[FormField], signature: ModelSignature) -> None:
    """Fill in new fields with the example, and offer buttons to do so again or to clear the form."""
    for field in fields:
        st.session_state.setdefault(field.key, _default(say, field))
    has_example = signature.input_example is not None
    st.caption(say("applicant.filled_in" if has_example else "applicant.fill_in"))
    with st.container(horizontal=True):
        empty, example = partial(_set, say, fields, example=False), partial(_set, say, fields, example=True)
        st.button(say("applicant.empty"), key="empty", icon=":material/backspace:", on_click=empty)
        if has_example:
            st.button(say("applicant.example"), key="example", icon=":material/restart_alt:", on_click=example)


def _default(say: Texts, field: FormField) -> Any:
    return say.editable(field.default) if field.kind in NUMERIC and field.default is not None else field.default


def _set(say: Texts, fields: Sequence[FormField], *, example: bool) -> None:
    for field in fields:
        st.session_state[field.key] = _default(say, field) if example else None
    st.session_state.pop("failure", None)


def _form(say: Texts, client: Client, signature: ModelSignature, fields: Sequence[FormField]) -> None:
    failure = st.session_state.get("failure")
    errors = failure.errors if isinstance(failure, InvalidRows) else ()
    labels = {field.name: field.label for field in fields}
    if failure is not None:
        service.explain(failure, say).show()
        _summary(say, errors, labels)
    with st.form("applicant", border=False):
        Inputs(say, {error.column: error for error in errors}, labels).show(groups_of(signature))
        submit = partial(_score, say, client, fields)
        icon = ":material/calculate:"
        st.form_submit_button(say("applicant.score"), type="primary", key="score", icon=icon, on_click=submit)


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
            score = client.score(row)
            st.session_state["scored"] = Scored(row, score)
            # On a phone, the outcome is out of sight, below the form.
            st.toast(f"**{escaped(score.decision or NOTHING)}** · {say.percent(score.score)}")
        except PretError as error:
            st.session_state["failure"] = error
            st.session_state.pop("scored", None)

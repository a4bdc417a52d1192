"""Filling in the form: with the example of the model, with a row that is pasted, or with nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from pret import ModelSignature
from ui.applicant.form import NUMERIC, FormField, values_of
from ui.applicant.pasted import MAX_CHARACTERS, NotARow, read_row
from ui.texts import Texts


@dataclass(frozen=True)
class Filled:
    """What became of a row."""

    known: int
    """Features that it has."""
    ignored: tuple[str, ...] = ()
    """Names in it that the model does not have."""
    unfit: tuple[str, ...] = ()
    """Labels of choices that do not have its value."""


def fill_at_first(say: Texts, fields: Sequence[FormField]) -> None:
    """Fill in new fields with the example."""
    for field in fields:
        st.session_state.setdefault(field.key, _default(say, field))


def fill(say: Texts, fields: Sequence[FormField], row: Mapping[str, Any]) -> Filled:
    """Fill in the form with a row; what the row does not have becomes empty."""
    values, unfit = values_of(fields, row, say.editable)
    st.session_state.update(values)
    names = {field.name for field in fields}
    return Filled(len(names & row.keys()), tuple(name for name in row if name not in names), unfit)


def show_filling(say: Texts, fields: Sequence[FormField], signature: ModelSignature, *, opened: bool) -> None:
    """Offer to fill in the form, and say what became of a row that was pasted; a row that was opened needs no instructions."""
    has_example = signature.input_example is not None
    if not opened:
        st.caption(say("applicant.filled_in" if has_example else "applicant.fill_in"))
    with st.container(horizontal=True):
        empty, example = partial(_set, say, fields, example=False), partial(_set, say, fields, example=True)
        st.button(say("applicant.empty"), key="empty", icon=":material/backspace:", on_click=empty)
        if has_example:
            st.button(say("applicant.example"), key="example", icon=":material/restart_alt:", on_click=example)
        with st.popover(say("applicant.paste"), icon=":material/content_paste:", key="paste"):
            _show_pasting(say, fields)
    filled = st.session_state.get("filled")
    if isinstance(filled, Filled):
        _show_filled(say, filled, len(fields))


def _show_pasting(say: Texts, fields: Sequence[FormField]) -> None:
    st.text_area(
        say("applicant.paste_row"), key="pasted", height=160, max_chars=MAX_CHARACTERS, help=say("applicant.paste_help")
    )
    st.button(say("applicant.paste_fill"), key="fill_pasted", type="primary", on_click=partial(_paste, say, fields))
    failure = st.session_state.get("filled")
    if isinstance(failure, NotARow):
        st.error(say(f"applicant.pasted_{failure.reason}", **failure.facts), icon=":material/error:")


def _paste(say: Texts, fields: Sequence[FormField]) -> None:
    try:
        row = read_row(st.session_state.get("pasted") or "", [field.name for field in fields])
    except NotARow as error:
        st.session_state["filled"] = error
        return
    st.session_state["filled"] = fill(say, fields, row)
    st.session_state["pasted"] = ""
    st.session_state.pop("failure", None)


def _show_filled(say: Texts, filled: Filled, total: int) -> None:
    lines = [say("applicant.filled", known=filled.known, total=total)]
    if filled.ignored:
        lines.append(say("applicant.filled_ignored", count=len(filled.ignored), names=filled.ignored))
    if filled.unfit:
        lines.append(say("applicant.filled_unfit", count=len(filled.unfit), names=filled.unfit))
    if filled.unfit:
        st.warning(" ".join(lines), icon=":material/warning:")
    else:
        st.success(" ".join(lines), icon=":material/check_circle:")


def _default(say: Texts, field: FormField) -> Any:
    return say.editable(field.default) if field.kind in NUMERIC and field.default is not None else field.default


def _set(say: Texts, fields: Sequence[FormField], *, example: bool) -> None:
    for field in fields:
        st.session_state[field.key] = _default(say, field) if example else None
    for key in ("failure", "filled"):
        st.session_state.pop(key, None)

"""Changing the model: the request, its confirmation, and the outcome on each process."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

import streamlit as st

from pret import Client, NotAuthenticated, PretError, Reload, ReloadedProcess
from ui import reasons, service
from ui.tables import show_table
from ui.texts import NOTHING, Texts, short


@dataclass(frozen=True)
class Change:
    """A requested change; without `revision`, the configured one is reloaded."""

    kind: Literal["reload", "rollback"]
    revision: str | None = None


@dataclass
class Attempt:
    """A confirmed change and its outcome; None while it is under way."""

    with_key: bool
    outcome: Reload | PretError | None = None


def show_change(say: Texts, client: Client) -> None:
    """Offer reload and rollback, ask for a confirmation, and show the outcome of the last."""
    st.subheader(say("model.change"), anchor=False)
    with st.container(border=True):
        st.caption(say("model.change_help"))
        st.text_input(
            say("model.revision"), key="revision", placeholder=say.plain("model.revision_default"), max_chars=200
        )
        with st.container(horizontal=True):
            st.button(say("model.reload"), key="reload", icon=":material/refresh:", on_click=partial(_ask, "reload"))
            st.button(say("model.rollback"), key="rollback", icon=":material/undo:", on_click=partial(_ask, "rollback"))
        wanted = st.session_state.get("wanted_change")
        if wanted is not None:
            _confirm(say, client, wanted)
        attempt = st.session_state.get("change")
        if attempt is not None:
            _show_outcome(say, attempt)


def _ask(kind: Literal["reload", "rollback"]) -> None:
    revision = (st.session_state.get("revision") or "").strip() or None if kind == "reload" else None
    st.session_state["wanted_change"] = Change(kind, revision)
    st.session_state.pop("change", None)


def _forget() -> None:
    st.session_state.pop("wanted_change", None)


def _confirm(say: Texts, client: Client, wanted: Change) -> None:
    if wanted.kind == "rollback":
        question = say("model.confirm_rollback")
    elif wanted.revision:
        question = say("model.confirm_revision", revision=wanted.revision)
    else:
        question = say("model.confirm_reload")
    st.warning(question, icon=":material/help:")
    # A form sends the key as typed; a lone field would not send it if it is left through its eye button.
    with st.form("confirmation", border=False):
        key = _key(say) if st.session_state.get("key_wanted") else ""
        with st.container(horizontal=True):
            confirmed = st.form_submit_button(say("model.confirm"), key="confirm", type="primary")
            st.form_submit_button(say("model.cancel"), key="cancel_change", on_click=_forget)
    if confirmed:
        _act(say, client, wanted, key.strip())


def _key(say: Texts) -> str:
    label, help_text = say("model.key"), say("model.key_help")
    return st.text_input(label, type="password", key="admin_key", help=help_text, persist_state="session") or ""


def _act(say: Texts, client: Client, wanted: Change, key: str) -> None:
    """Make the change; if only the key is missing, ask for the confirmation again."""
    # A click in the meantime reruns the page once this returns: the change must not be made twice, nor its outcome be lost.
    _forget()
    attempt = st.session_state["change"] = Attempt(with_key=bool(key))
    with st.spinner(say("model.changing")):
        attempt.outcome = _done(client, wanted, key)
    if isinstance(attempt.outcome, NotAuthenticated):
        st.session_state["wanted_change"] = wanted
        st.session_state["key_wanted"] = True
    st.rerun()


def _done(client: Client, wanted: Change, key: str) -> Reload | PretError:
    """Make the change, with the visitor's key if there is one."""
    try:
        chosen: AbstractContextManager[Client] = service.keyed(key) if key else nullcontext(client)
    except ValueError:
        return NotAuthenticated("This cannot be a key.")
    try:
        with chosen as caller:
            return caller.rollback() if wanted.kind == "rollback" else caller.reload(wanted.revision)
    except PretError as error:
        return error


def _show_outcome(say: Texts, attempt: Attempt) -> None:
    outcome = attempt.outcome
    if outcome is None:
        return
    if isinstance(outcome, Reload):
        before, after = short(outcome.version_before), short(outcome.version)
        key = "model.unchanged" if outcome.status == "unchanged" else "model.changed"
        st.success(say(key, before=before, version=after), icon=":material/check_circle:")
        _show_processes(say, outcome.processes)
        return
    if isinstance(outcome, NotAuthenticated) and attempt.with_key:
        st.error(say("model.wrong_key"), icon=":material/error:")
        return
    service.explain(outcome, say).show()
    if outcome.problem is not None:
        _show_processes(say, outcome.problem.processes)


def _show_processes(say: Texts, processes: Sequence[ReloadedProcess]) -> None:
    if not processes:
        return
    names = ("kind", "host", "pid", "before", "after", "seconds", "error")
    rows = [
        [
            say.known(f"model.kind_{it.kind}", it.kind),
            it.host,
            str(it.pid),
            short(it.version_before),
            short(it.version),
            say.duration(it.seconds),
            reasons.plainly(it.error, say) if it.error else NOTHING,
        ]
        for it in processes
    ]
    show_table([say.plain(f"model.{name}") for name in names], rows, "change_processes")

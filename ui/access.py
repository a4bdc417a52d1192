"""Who the visitor is to the service: its key, if it needs one, and what this key allows to be shown."""

import time
from dataclasses import dataclass

import streamlit as st

from pret import Caller, Client, NotAuthenticated, PretError
from ui import service
from ui.texts import Texts

ADMIN = "admin"
KEYLESS = ("anybody", "anonymous")
"""Names of callers without a key; one that may not change the model can give a key where it is needed."""
FRESH = 10.0
"""Seconds for which the answer of the service about a visitor is taken for granted."""


@dataclass(frozen=True)
class Visitor:
    """A visitor; `caller` is None while the service does not say who it is, and then everything is shown."""

    client: Client
    caller: Caller | None
    asked_at: float

    def may(self, scope: str) -> bool:
        """Whether a page that needs this scope is shown."""
        return self.caller is None or scope in self.caller.scopes

    @property
    def has_own_key(self) -> bool:
        """Whether the key is the visitor's, not the console's."""
        return "visitor_client" in st.session_state


def visitor(say: Texts) -> Visitor | None:
    """Return the visitor of this session; None if it must give a key first, for which this has asked it."""
    known: Visitor | None = st.session_state.get("visitor")
    if known is not None and time.monotonic() - known.asked_at < FRESH:
        return known
    try:
        client: Client = st.session_state.get("visitor_client") or service.client()
    except ValueError as error:
        service.explain(error, say).show()
        return None
    try:
        caller = client.caller()
    except NotAuthenticated as error:
        _forget()
        _ask(say, error)
        return None
    except PretError:
        caller = None
    st.session_state.pop("key_failed", None)
    found = st.session_state["visitor"] = Visitor(client, caller, time.monotonic())
    return found


def may_change_model() -> bool:
    """Whether the visitor may change the model, or could with a key that it is then asked for."""
    known: Visitor | None = st.session_state.get("visitor")
    return known is None or known.may(ADMIN) or (known.caller is not None and known.caller.name in KEYLESS)


def show_key(say: Texts, known: Visitor) -> None:
    """Say whose key is in use, and offer to forget it."""
    if known.has_own_key and known.caller is not None:
        with st.container(horizontal=True):
            st.caption(say("common.key_of", name=known.caller.name))
            st.button(say("common.key_forget"), key="forget_key", type="tertiary", on_click=_forget)


def _ask(say: Texts, error: NotAuthenticated) -> None:
    if st.session_state.pop("key_failed", False):
        st.error(say("common.key_wrong"), icon=":material/error:")
    else:
        service.explain(error, say).show()
    with st.form("visitor_form", border=False):
        st.text_input(say("common.key"), type="password", key="visitor_key", help=say("common.key_help"))
        st.form_submit_button(say("common.key_enter"), key="enter_key", type="primary", on_click=_take)


def _take() -> None:
    key = (st.session_state.get("visitor_key") or "").strip()
    st.session_state["visitor_key"] = ""
    # Where the key is not valid, the next question says so.
    st.session_state["key_failed"] = True
    try:
        st.session_state["visitor_client"] = service.keyed(key)
    except ValueError:
        st.session_state.pop("visitor_client", None)


def _forget() -> None:
    st.session_state.pop("visitor", None)
    st.session_state.pop("visitor_client", None)

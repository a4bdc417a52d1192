"""The client of the service, the service's capabilities, and errors in words, with what to do about them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from pret import Busy, Capabilities, Client, NotReachable, PretError, Reason, Rejected, ServerFault
from pret.formats import ENCODINGS, FORMATS
from ui import reasons
from ui.texts import Texts

logger = logging.getLogger(__name__)

CLASSES: dict[type[Exception], str] = {
    NotReachable: "not_reachable",
    Busy: "busy",
    PretError: "server_fault",
    ValueError: "address",
}
"""Sentences for errors without a type, `common.error_…` and `common.way_…`, by the first class that matches."""
PARAMETERS = "invalid-parameters"
"""Type of an error whose details have no sentences here: those of the service are shown."""

SECONDS = 8.0
"""How long a page waits for a response. There are no retries, which would leave it empty for minutes while the service is down."""
CAPABILITIES_SECONDS = 300
"""How long the capabilities of the service are cached."""


@dataclass(frozen=True)
class Message:
    """What went wrong, what to do about it, and details from the service; all in Markdown."""

    text: str
    way: str = ""
    detail: str = ""

    def show(self) -> None:
        """Show it in the page."""
        st.error(f"**{self.text}** {self.way}".strip(), icon=":material/error:")
        if self.detail:
            st.caption(self.detail)


@st.cache_resource(show_spinner=False)
def client() -> Client:
    """Return the client that all visitors share; raises ValueError if PRET_URL or PRET_KEY is invalid."""
    return Client(timeout=SECONDS, retries=0)


def keyed(key: str) -> Client:
    """Make a client with a visitor's own key; raises ValueError if the key is malformed."""
    return Client(key=key, timeout=SECONDS, retries=0)


def capabilities(client: Client) -> Capabilities:
    """Get the capabilities of the service; while it is down, return those known to the client."""
    try:
        return _capabilities(client)
    except PretError:
        return Capabilities("", FORMATS, ENCODINGS)


@st.cache_data(ttl=CAPABILITIES_SECONDS, show_spinner=False)
def _capabilities(_client: Client) -> Capabilities:
    return _client.capabilities()


def explain(error: Exception, say: Texts) -> Message:
    """Put an error of the client into words."""
    if isinstance(error, ServerFault):
        # Log the cause for the operator.
        logger.warning("The service answered with a fault: %s", error)
    problem = error.problem if isinstance(error, PretError) else None
    if problem is None or problem.type is None:
        name = _name_of(error)
        return Message(say(f"common.error_{name}"), say(f"common.way_{name}"))
    is_sentence = isinstance(problem.detail, str)
    reason = Reason(problem.type, problem.detail if is_sentence else str(error), problem.params)
    name = reasons.way_of(reason.type) or ("" if isinstance(error, Rejected) else _name_of(error))
    detail = say("common.details", message=reason.message) if reason.type == PARAMETERS else ""
    return Message(reasons.said(reason, say), say(f"common.way_{name}") if name else "", detail)


def _name_of(error: Exception) -> str:
    return next((name for kind, name in CLASSES.items() if isinstance(error, kind)), "unexpected")


@contextmanager
def guard(say: Texts, *, retry: bool = False) -> Iterator[None]:
    """Show any error as a sentence, and log an unexpected one. Fragments and callbacks need a guard of their own.

    `retry` adds a button that reruns the page; one guard per page may have it.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, PretError):
            logger.exception("A page failed")
        message = explain(error, say) if isinstance(error, PretError) else _unforeseen(say)
        message.show()
        if retry:
            st.button(say("common.try_again"), key="try_again", icon=":material/refresh:")


def _unforeseen(say: Texts) -> Message:
    return Message(say("common.error_unexpected"), say("common.way_unexpected"))

"""The one client of the service, and what went wrong with it as a sentence and a way on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from pret import Busy, Client, NotAuthenticated, NotReachable, PretError, Rejected, ServerFault
from ui.texts import Texts, escaped

logger = logging.getLogger(__name__)

KINDS = {
    "unknown-job": "unknown_job",
    "no-model": "no_model",
    "model-not-found": "no_model",
    "invalid-rows": "invalid_rows",
    "wrong-columns": "wrong_columns",
    "malformed-input": "malformed_input",
    "input-too-large": "input_too_large",
    "unsupported-input": "unsupported_input",
    "invalid-parameters": "invalid_parameters",
    "job-conflict": "job_conflict",
    "queue-full": "queue_full",
    "redis-unavailable": "redis_unavailable",
    "storage-unavailable": "storage_unavailable",
    "unknown-revision": "unknown_revision",
    "reload-in-progress": "reload_in_progress",
    "reload-failed": "reload_failed",
    "reload-timed-out": "reload_timed_out",
    "reload-source-failed": "reload_source_failed",
    "no-previous-version": "no_previous_version",
    "bad-artifact": "bad_artifact",
    "version-unavailable": "version_unavailable",
    "source-unavailable": "source_unavailable",
    "source-refused": "source_refused",
}
"""Kinds of problem that have sentences of their own, `common.error_…` and `common.way_…`."""
CLASSES: dict[type[Exception], str] = {
    NotReachable: "not_reachable",
    NotAuthenticated: "not_authenticated",
    Busy: "busy",
    Rejected: "refused",
    PretError: "server_fault",
    ValueError: "address",
}
"""Names of the sentences for all other errors; the first class that fits."""


SECONDS = 8.0
"""That a page waits for an answer; a service that is asked in vain again and again would leave it empty for minutes."""


@dataclass(frozen=True)
class Message:
    """What went wrong, what to do about it, and the words of the service (empty if they add nothing); all in Markdown."""

    text: str
    way: str
    detail: str = ""

    def show(self) -> None:
        """Show it in the page."""
        st.error(f"**{self.text}** {self.way}", icon=":material/error:")
        if self.detail:
            st.caption(self.detail)


@st.cache_resource(show_spinner=False)
def client() -> Client:
    """Give the client that all visitors share, for PRET_URL and PRET_KEY; raises ValueError if they cannot be right."""
    return Client(timeout=SECONDS, retries=0)


def keyed(key: str) -> Client:
    """Make a client with a visitor's own key; close it after use. Raises ValueError if it cannot be a key."""
    return Client(key=key, timeout=SECONDS, retries=0)


def explain(error: Exception, say: Texts) -> Message:
    """Put an error of the client into words."""
    if isinstance(error, ServerFault):
        # Whoever is told of it finds here what it was.
        logger.warning("The service answered with a fault: %s", error)
    problem = error.problem if isinstance(error, PretError) else None
    name = KINDS.get(problem.type or "" if problem else "") or _name_of(error)
    # What a missing key is sent as is no concern of a visitor.
    said = isinstance(error, Rejected | Busy) and not isinstance(error, NotAuthenticated)
    worded = said and problem is not None and isinstance(problem.detail, str)
    detail = (
        f"{say('common.details')}{say('common.colon')} {escaped(str(problem.detail))}" if worded and problem else ""
    )
    return Message(say(f"common.error_{name}"), say(f"common.way_{name}"), detail)


@contextmanager
def guard(say: Texts, *, retry: bool = False) -> Iterator[None]:
    """Show an error as a sentence, whatever it is; one that nobody foresaw is logged as well. For fragments and callbacks too.

    `retry` offers to show the page again; one guard of a page may do so.
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


def _name_of(error: Exception) -> str:
    return next((name for kind, name in CLASSES.items() if isinstance(error, kind)), "unexpected")

"""The page of the model: what is live where, its features, its card and history, and how to change it."""

from collections.abc import Sequence

import streamlit as st

from pret import Client, Column, ModelStatus
from ui import access, reasons, service
from ui.applicant.inputs import written
from ui.change import show_change
from ui.importance import show_importance
from ui.tables import show_table
from ui.texts import NOTHING, WORD_JOINER, Texts, escaped, short

TYPES = ("double", "float", "long", "integer", "boolean", "string")
"""Types with a name in the languages, `model.type_…`."""
DEFAULT_THRESHOLD = "DEFAULT_THRESHOLD"
"""What the service names as the origin of a threshold that no model states."""
WIDTHS = (5, 3, 5, 3)
"""Widths of the facts: version, threshold, date and trees."""


def render(say: Texts, client: Client) -> None:
    """Show the page; if one part of it is not available, the others still are."""
    st.title(say("model.title"), anchor=False)
    with service.guard(say):
        _facts(say, client)
        _processes(say, client.model_status())
    if access.may_change_model():
        with service.guard(say):
            show_change(say, client)
    names = ("signature", "importance", "card", "history")
    signature, importance, card, history = st.tabs([say(f"model.tab_{name}") for name in names])
    with signature, service.guard(say):
        _signature(say, client.model_signature(language=say.language).columns)
    with importance, service.guard(say):
        show_importance(say, client)
    with card, service.guard(say):
        _card(say, client.model_card())
    with history, service.guard(say):
        _history(say, client)


def _facts(say: Texts, client: Client) -> None:
    info = client.model_info()
    columns = st.columns(WIDTHS)
    trees = NOTHING if info.trees is None else say.number(info.trees)
    facts = (
        ("version", short(info.version)),
        ("threshold", say.percent(info.recommended_threshold)),
        ("created", say.moment(info.created_at)),
        ("trees", trees),
    )
    for column, (name, value) in zip(columns, facts, strict=True):
        help_text = escaped(info.version) if name == "version" else None
        column.metric(say(f"model.{name}"), value, help=help_text, border=True)
    known = [
        say(f"model.{name}", value=value)
        for name, value in (
            ("type", info.model_type),
            ("run", info.mlflow_run_id),
            ("mlflow_model", info.mlflow_model_id),
            ("mlflow_version", info.mlflow_version),
        )
        if value
    ]
    if known:
        st.caption(" · ".join(known))
    if info.positive_class is not None:
        is_default = info.threshold_origin == DEFAULT_THRESHOLD
        origin = say.plain("model.origin_default") if is_default else info.threshold_origin or NOTHING
        st.markdown(say("model.meaning", label=info.positive_class, origin=origin))
    if info.evaluator is not None:
        why = reasons.said(info.evaluator.reason, say) if info.evaluator.reason else ""
        st.caption(say("model.evaluator", name=info.evaluator.name, why=why))
    if info.notes:
        listed = "\n".join(f"- {reasons.said(note, say)}" for note in info.notes)
        st.warning(f"{say('model.notes')}\n\n{listed}", icon=":material/info:")


def _processes(say: Texts, status: ModelStatus) -> None:
    st.subheader(say("model.processes"), anchor=False)
    if status.converged:
        st.success(say("model.converged", processes=len(status.processes)), icon=":material/check_circle:")
    elif status.converged is None:
        st.warning(say("model.convergence_unknown"), icon=":material/help:")
    else:
        st.warning(say("model.not_converged", version=short(status.active_version)), icon=":material/sync_problem:")
    if status.candidate is not None:
        st.info(say("model.candidate", version=short(status.candidate.version)), icon=":material/hourglass_top:")
    if status.error:
        st.error(say("model.status_error", error=reasons.plainly(status.error, say)), icon=":material/error:")
    if not status.processes:
        return
    names = ("kind", "host", "pid", "version", "since", "error")
    rows = [
        [
            say.known(f"model.kind_{it.kind}", it.kind),
            it.host,
            str(it.pid),
            short(it.version),
            say.moment(it.since),
            reasons.plainly(it.error, say) if it.error else NOTHING,
        ]
        for it in status.processes
    ]
    show_table([say.plain(f"model.{name}") for name in names], rows, "processes")


def _signature(say: Texts, columns: Sequence[Column]) -> None:
    st.markdown(say("model.signature", features=len(columns)))
    names = ("feature", "value_type", "required", "missing", "lowest", "highest", "values", "description")
    rows = [
        [
            column.name,
            say.plain(f"model.type_{column.type}") if column.type in TYPES else column.type,
            say.plain("common.yes" if column.required else "common.no"),
            say.plain("common.yes" if column.may_be_missing else "common.no"),
            say.number(column.ge),
            say.number(column.le),
            ", ".join(written(value, say) for value in column.values or ()) or NOTHING,
            column.description or NOTHING,
        ]
        for column in columns
    ]
    show_table([say.plain(f"model.{name}") for name in names], rows, "signature_table")


def _card(say: Texts, card: str | None) -> None:
    if card is None:
        st.info(say("model.no_card"), icon=":material/info:")
        return
    # The visitor's browser would fetch an image from wherever the card says.
    st.markdown(card.replace("![", f"!{WORD_JOINER}["), anchors=False)


def _history(say: Texts, client: Client) -> None:
    names = ("when", "version", "by", "outcome", "reason")
    rows = [
        [
            say.moment(it.at),
            short(it.version),
            it.by,
            say.known(f"model.outcome_{it.outcome}", it.outcome),
            reasons.plainly(it.reason, say) if it.reason else NOTHING,
        ]
        for it in client.model_versions()
    ]
    show_table([say.plain(f"model.{name}") for name in names], rows, "history")

"""The page of the service's health: each part in words, the queues, and links. It refreshes by itself."""

import os
from datetime import UTC, datetime

import streamlit as st

from pret import Client, Health, Part, PretError, Reason
from pret.transport import DEFAULT_URL
from ui import reasons, service
from ui.texts import Texts, escaped

REFRESH_SECONDS = 5
PARTS = ("model", "redis", "storage", "workers", "readers")
ICONS = {
    "model": ":material/model_training:",
    "redis": ":material/bolt:",
    "storage": ":material/database:",
    "workers": ":material/memory:",
    "readers": ":material/description:",
}
UNKNOWN = "not-known-without-redis"
"""Type of a part whose state is unknown."""
QUEUES = ("quick", "chunks", "files")
IN_A_ROW = 3


def render(say: Texts, client: Client) -> None:
    """Show the page."""
    st.title(say("health.title"), anchor=False)
    _live(say, client)
    _links(say)


@st.fragment(run_every=REFRESH_SECONDS)
def _live(say: Texts, client: Client) -> None:
    with service.guard(say):
        try:
            health = client.health()
        except PretError as error:
            service.explain(error, say).show()
            st.markdown(say("health.nothing_known"))
        else:
            _verdict(say, health)
            _parts(say, health)
            _queues(say, health)
            st.markdown(say("health.version", version=client.version()))
        now = say.local(datetime.now(UTC)).strftime("%H:%M:%S")
        st.caption(say("health.checked", time=now, seconds=REFRESH_SECONDS))


def _verdict(say: Texts, health: Health) -> None:
    if health.status == "ready":
        st.success(say("health.ready"), icon=":material/check_circle:")
    elif health.status == "degraded":
        st.warning(say("health.degraded"), icon=":material/warning:")
    else:
        st.error(say("health.not_ready"), icon=":material/error:")


def _parts(say: Texts, health: Health) -> None:
    names = [*(name for name in PARTS if name in health.parts), *(name for name in health.parts if name not in PARTS)]
    for start in range(0, len(names), IN_A_ROW):
        for column, name in zip(st.columns(IN_A_ROW), names[start : start + IN_A_ROW], strict=False):
            with column, st.container(border=True, height="stretch", key=f"part_{names.index(name)}"):
                _part(say, name, health.parts[name])


def _part(say: Texts, name: str, part: Part) -> None:
    label = say(f"health.part_{name}") if name in PARTS else escaped(name)
    st.markdown(f"{ICONS.get(name, ':material/settings:')} **{label}**")
    told = reasons.said(Reason(part.type or "", part.detail or "", part.params), say)
    if part.type == UNKNOWN:
        st.markdown(f":gray[:material/help: {told}]")
        return
    up = f":green[:material/check_circle: {say('health.ok')}]"
    down = f":red[:material/cancel: {say('health.down')}]"
    st.markdown(up if part.status == "ok" else down)
    if told:
        st.caption(told)


def _queues(say: Texts, health: Health) -> None:
    st.subheader(say("health.queues"), anchor=False)
    if health.queues is None:
        st.info(say("health.queues_unknown"), icon=":material/help:")
        return
    for column, name in zip(st.columns(len(QUEUES)), QUEUES, strict=True):
        help_text = say(f"health.queue_{name}_help")
        column.metric(say(f"health.queue_{name}"), say.number(health.queues.get(name)), help=help_text, border=True)


def _links(say: Texts) -> None:
    """Link to Flower and the API documentation; their addresses are settings of the console."""
    url = os.environ.get("DOCS_URL") or f"{(os.environ.get('PRET_URL') or DEFAULT_URL).rstrip('/')}/docs"
    with st.container(horizontal=True):
        if flower := os.environ.get("FLOWER_URL"):
            st.link_button(say("health.flower"), flower, icon=":material/open_in_new:")
        st.link_button(say("health.docs"), url, icon=":material/open_in_new:")

"""The page of the service's health: each part in words, the queue, and where to see more. It looks again by itself."""

import os
import re
from datetime import UTC, datetime

import streamlit as st

from pret import Client, Health, Part, PretError
from pret.transport import DEFAULT_URL
from ui import service
from ui.outcome import short
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
KNOWN_BY_REDIS = ("workers", "readers")
"""Parts that say through Redis that they live."""
LANES = ("quick", "chunks", "files")
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
                _part(say, name, health.parts[name], unknown=name in KNOWN_BY_REDIS and _is_down(health, "redis"))


def _is_down(health: Health, name: str) -> bool:
    return name in health.parts and health.parts[name].status != "ok"


def _part(say: Texts, name: str, part: Part, *, unknown: bool) -> None:
    label = say(f"health.part_{name}") if name in PARTS else escaped(name)
    st.markdown(f"{ICONS.get(name, ':material/settings:')} **{label}**")
    if unknown:
        st.markdown(f":gray[:material/help: {say('health.unknown')}]")
    elif part.status == "ok":
        st.markdown(f":green[:material/check_circle: {say('health.ok')}]")
    else:
        st.markdown(f":red[:material/cancel: {say('health.down')}]")
    if part.detail and not unknown:
        st.caption(_detail(say, name, part))


def _detail(say: Texts, name: str, part: Part) -> str:
    """Put the service's remark into the language, where it is one of those that are known."""
    number = re.match(r"(\d+) ", part.detail or "")
    if name == "model" and part.status == "ok":
        return say("health.detail_model", version=short(part.detail))
    if name == "redis" and part.status != "ok":
        return say("health.detail_redis_down")
    if number and name in ("redis", "workers", "readers"):
        return say(f"health.detail_{name}", number=int(number[1]))
    return escaped(part.detail or "")


def _queues(say: Texts, health: Health) -> None:
    st.subheader(say("health.queues"), anchor=False)
    if health.queues is None:
        st.info(say("health.queues_unknown"), icon=":material/help:")
        return
    for column, lane in zip(st.columns(len(LANES)), LANES, strict=True):
        waiting = health.queues.get(lane)
        help_text = say(f"health.lane_{lane}_help")
        column.metric(say(f"health.lane_{lane}"), say.number(waiting), help=help_text, border=True)


def _links(say: Texts) -> None:
    """Link to what else shows the service; the addresses are settings of the console."""
    url = os.environ.get("DOCS_URL") or f"{(os.environ.get('PRET_URL') or DEFAULT_URL).rstrip('/')}/docs"
    with st.container(horizontal=True):
        if flower := os.environ.get("FLOWER_URL"):
            st.link_button(say("health.flower"), flower, icon=":material/open_in_new:")
        st.link_button(say("health.docs"), url, icon=":material/open_in_new:")

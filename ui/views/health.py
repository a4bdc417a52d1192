"""The page of the service's health: each part in words, the queues, and links. It refreshes by itself."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt
import streamlit as st

from pret import Activity, Client, Health, Part, PretError, Reason
from pret.transport import DEFAULT_URL
from ui import reasons, service
from ui.palette import GRANTED, ink
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
            _activity(say, client.activity())
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


def _activity(say: Texts, activity: Activity) -> None:
    """Draw the last hour."""
    st.subheader(say("health.activity"), anchor=False)
    points = activity.points
    if not points:
        st.caption(say("health.activity_none"))
        return
    shown: dict[str, tuple[list[float | None], Callable[[float | None], str]]] = {
        "requests": ([point.requests_per_second for point in points], lambda value: say.number(value, 1)),
        "latency": ([_times(1000, point.p99_seconds) for point in points], lambda value: say.number(value, 1)),
        "waiting": ([point.waiting for point in points], lambda value: say.number(value, 0)),
        "refused": (
            [_times(100, point.refused_share) for point in points],
            lambda value: say.percent(_times(0.01, value)),
        ),
    }
    for column, (name, (values, write)) in zip(_grid(len(shown)), shown.items(), strict=True):
        with column, st.container(border=True, height="stretch", key=f"activity_{name}"):
            told = {"name": say.plain(f"health.{name}"), "value": write(values[-1])}
            help_text = say("health.refused_help") if name == "refused" else None
            st.markdown(say("health.activity_now", **told), help=help_text)
            moments = [say.local(point.at).strftime("%H:%M:%S") for point in points]
            chart = _line(moments, values, write, say)
            st.altair_chart(chart, alt=say.plain("health.activity_alt", **told))


def _grid(count: int) -> list[Any]:
    """Make places for so many, two in a row; on a phone they come one below the other."""
    return [column for _ in range(0, count, 2) for column in st.columns(2)]


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else value * factor


def _line(
    moments: Sequence[str], values: Sequence[float | None], write: Callable[[float | None], str], say: Texts
) -> Any:
    """Draw values over time, oldest first; where there is none the line is broken."""
    scale = f"replace(format(datum.value, '~g'), '.', '{say.plain('common.decimal')}')"
    told = zip(moments, values, strict=True)
    rows = [{"place": i, "at": at, "value": value, "written": write(value)} for i, (at, value) in enumerate(told)]
    colour = ink(st.context.theme.type)
    return (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(color=GRANTED, point={"size": 12, "color": GRANTED}, interpolate="monotone")
        .encode(
            x=alt.X("place:Q", axis=None),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=3, labelExpr=scale)),
            tooltip=[alt.Tooltip("at:N", title=" "), alt.Tooltip("written:N", title=" ")],
        )
        .properties(height=100, padding={"left": 4, "right": 8, "top": 4, "bottom": 4})
        .configure_axis(labelColor=colour, gridColor=colour, gridOpacity=0.25, domain=False, ticks=False)
        .configure_view(stroke=None)
    )


def _links(say: Texts) -> None:
    """Link to Flower and the API documentation; their addresses are settings of the console."""
    url = os.environ.get("DOCS_URL") or f"{(os.environ.get('PRET_URL') or DEFAULT_URL).rstrip('/')}/docs"
    with st.container(horizontal=True):
        if flower := os.environ.get("FLOWER_URL"):
            st.link_button(say("health.flower"), flower, icon=":material/open_in_new:")
        st.link_button(say("health.docs"), url, icon=":material/open_in_new:")

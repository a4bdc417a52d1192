"""Bars with a sentence above each, which leaves room for words on a phone too."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from ui.palette import CURVE, GRANTED, REFUSED, THRESHOLD
from ui.texts import Texts

Side = Literal["raises", "lowers", "rest", "only"]
COLORS: dict[Side, str] = {"raises": REFUSED, "lowers": GRANTED, "rest": THRESHOLD, "only": CURVE}

ROW = 46
"""Height of a bar and its sentence, in pixels."""
BAR = 16
LEGEND = 44
"""Height of the legend, which takes its place from the bars."""


MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Bar:
    """A value with its name; `written` is the value as text."""

    name: str
    value: float
    written: str
    side: Side = "only"


def bars(entries: Sequence[Bar], sides: dict[Side, str], ink: str) -> alt.LayerChart:
    """Draw the bars, the first on top, from a common zero.

    `sides` are the words of the legend, none for a single side; `ink` is the colour of text.
    """
    rows = [
        {"place": place, "name": it.name, "value": it.value, "written": it.written, "side": it.side}
        for place, it in enumerate(entries)
    ]
    least, most = min(0.0, *(it.value for it in entries)), max(0.0, *(it.value for it in entries))
    # Room for the value behind the longest bar on each side.
    room = 0.22 * ((most - least) or 1.0)
    domain = [least - room if least < 0 else 0.0, most + room if most > 0 else 0.0]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("place:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    )
    x = alt.X("value:Q", axis=None, scale=alt.Scale(domain=domain, nice=False))
    color = alt.Color(
        "side:N", scale=alt.Scale(domain=list(COLORS), range=list(COLORS.values())), legend=_legend(sides)
    )
    layers = (
        base.mark_bar(height=BAR, yOffset=9).encode(x=x, color=color, tooltip=_tooltip()),
        base.mark_text(align="left", dy=-9, fontSize=13, color=ink, limit=alt.ExprRef("width")).encode(
            x=alt.value(0), text="name:N", tooltip=_tooltip()
        ),
        _numbers(base, "left", 5, ink).encode(x=x).transform_filter("datum.value >= 0"),
        _numbers(base, "right", -5, ink).encode(x=x).transform_filter("datum.value < 0"),
    )
    drawn: alt.LayerChart = alt.layer(*layers).configure_legend(labelColor=ink, labelFontSize=13)
    sized: alt.LayerChart = drawn.properties(
        height=ROW * len(entries) + (LEGEND if sides else 0), padding={"left": 4, "right": 4, "top": 4}
    ).configure_view(stroke=None)
    return sized


def signed(value: float, say: Texts, digits: int = 2) -> str:
    """Write a number with its sign."""
    number = say.number(abs(value), digits)
    return f"{'+' if value >= 0 else MINUS}{number}"


def _numbers(base: alt.Chart, align: Literal["left", "right"], dx: int, ink: str) -> alt.Chart:
    numbers: alt.Chart = base.mark_text(align=align, dx=dx, dy=9, fontSize=12, color=ink).encode(text="written:N")
    return numbers


def _legend(sides: dict[Side, str]) -> alt.Legend | None:
    if not sides:
        return None
    words = " : ".join(f"datum.label == '{side}' ? {json.dumps(text)}" for side, text in sides.items())
    return alt.Legend(
        orient="top", title=None, symbolType="square", labelLimit=400, values=list(sides), labelExpr=f"{words} : ''"
    )


def _tooltip() -> list[Any]:
    return [alt.Tooltip("name:N", title=" "), alt.Tooltip("written:N", title=" ")]

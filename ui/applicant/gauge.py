"""The score against the threshold as a figure, with the score of the reference if there is one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from ui.palette import GRANTED, REFUSED, THRESHOLD
from ui.texts import Texts

EDGES = 52
"""Height of the name of the threshold and the axis, above and below the scores, in pixels."""
Figure = alt.LayerChart | alt.FacetChart
Align = Literal["left", "center", "right"]

ROW = 40
"""Height of one score in the figure, in pixels."""
LOW, HIGH = 0.25, 0.75
"""With a threshold beyond these, one side of an even scale would be too narrow to read."""
TICKS = {"low": (0, 0.1, 0.25, 0.5, 1), "even": (0, 0.25, 0.5, 0.75, 1)}


@dataclass(frozen=True)
class Reading:
    """One score and what it is called; `share` is from 0 to 1."""

    name: str
    share: float


def figure(readings: Sequence[Reading], threshold: float, written: str, say: Texts, ink: str) -> Figure:
    """Draw the readings, the first on top. The refused side is from the threshold up.

    `written` is the threshold as text, `ink` the colour of text.
    """
    names = [reading.name for reading in readings]
    several = alt.Axis(ticks=False, domain=False, labelLimit=150, labelPadding=8) if len(names) > 1 else None
    y = alt.Y("name:N", sort=names, axis=several, title=None)
    granted, refused = _zones(names, threshold, y)
    marks = [_mark(reading, threshold, y, first=index == 0) for index, reading in enumerate(readings)]
    layers = [
        granted.encode(x=_x(threshold, _ticks(threshold, say))),
        refused.encode(x=_x(threshold, None)),
        _line(threshold).encode(x=_x(threshold, _threshold_mark(threshold, written, say))),
        *(mark.encode(x=_x(threshold, None)) for mark in marks),
    ]
    drawn: Figure = alt.layer(*layers).resolve_axis(x="independent").configure_axis(labelColor=ink)
    sized: Figure = drawn.properties(height=ROW * len(names) + EDGES, padding={"left": 4, "right": 12})
    return sized


def _x(threshold: float, axis: alt.Axis | None) -> alt.X:
    return alt.X("share:Q", scale=_scale(threshold), axis=axis, title=None)


def _ticks(threshold: float, say: Texts) -> alt.Axis:
    ticks = TICKS["low" if threshold < LOW else "even"]
    return alt.Axis(values=ticks, labelExpr=f"datum.value * 100 + '{say.plain('common.percent')}'", grid=False)


def _threshold_mark(threshold: float, written: str, say: Texts) -> alt.Axis:
    """Label the threshold with an axis label, which has the colour of the theme."""
    text = say.plain("applicant.threshold_mark", threshold=written)
    align: Align = "left" if threshold < LOW else "right" if threshold > HIGH else "center"
    return alt.Axis(
        orient="top",
        values=[threshold],
        labelExpr=f"'{text}'",
        labelAlign=align,
        labelFontWeight=600,
        labelLimit=0,
        grid=False,
        ticks=False,
        domain=False,
    )


def _scale(threshold: float) -> alt.Scale:
    """Use more space for low scores if the threshold is low, and for high ones if it is high; the ticks show it."""
    if threshold < LOW:
        return alt.Scale(type="pow", exponent=0.5, domain=[0, 1])
    return alt.Scale(type="pow", exponent=2, domain=[0, 1]) if threshold > HIGH else alt.Scale(domain=[0, 1])


def _zones(names: Sequence[str], threshold: float, y: alt.Y) -> Iterator[alt.Chart]:
    for start, end, color in ((0.0, threshold, GRANTED), (threshold, 1.0, REFUSED)):
        zone = _chart([{"name": name, "share": start, "end": end} for name in names])
        yield zone.mark_bar(color=color, opacity=0.3, height=16).encode(x2="end:Q", y=y)


def _line(threshold: float) -> alt.Chart:
    line: alt.Chart = _chart([{"share": threshold}]).mark_rule(color=THRESHOLD, strokeWidth=2, strokeDash=[4, 2])
    return line


def _mark(reading: Reading, threshold: float, y: alt.Y, *, first: bool) -> alt.Chart:
    base = _chart([{"name": reading.name, "share": reading.share}])
    encoded = base.encode(y=y, tooltip=[alt.Tooltip("name:N", title=" ")])
    color = REFUSED if reading.share >= threshold else GRANTED
    shape = "circle" if first else "diamond"
    mark: alt.Chart = encoded.mark_point(shape=shape, size=190, filled=first, color=color, opacity=1, strokeWidth=2.5)
    return mark


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))

"""The score over the range of one feature as a figure: a line for numbers, a mark for each category."""

from typing import Any, Literal

import altair as alt

from pret import Curve, Point
from ui.applicant.inputs import written
from ui.palette import CURVE, GRANTED, REFUSED, THRESHOLD
from ui.texts import Texts

HEIGHT = 220
ROW = 24
"""Height of a category, in pixels."""
AXIS = 40
"""Height of the axis below the categories, in pixels."""
PADDING = {"left": 5, "top": 5, "right": 20, "bottom": 5}
"""Pixels around all; to the right there must be room for half of the last number of an axis."""
MOST_CATEGORIES = 12
"""Of more, those with the lowest and the highest scores are shown, and that of the applicant."""
MIDDLE = 0.6
"""The name of the flip is to the right of its line, or to the left beyond this share of the range."""
NUMBERS = ("number", "whole_number")


def curve_figure(say: Texts, curve: Curve, score: float, threshold: float, ink: str) -> alt.LayerChart:
    """Draw the curve, the applicant on it, the threshold, and where the decision flips; `ink` is the colour of text."""
    is_number = curve.kind in NUMBERS
    layers = _line(say, curve, score, threshold, ink) if is_number else _marks(say, curve, threshold)
    height = HEIGHT if is_number else ROW * len(shown_points(curve)) + AXIS
    drawn: alt.LayerChart = alt.layer(*layers).configure_axis(labelColor=ink).configure_view(stroke=None)
    sized: alt.LayerChart = drawn.properties(height=height, padding=PADDING)
    return sized


def shown_points(curve: Curve) -> list[Point]:
    """Return the points of a category to show, by score."""
    ordered = sorted(curve.points, key=lambda point: point.score)
    half = MOST_CATEGORIES // 2
    if len(ordered) <= MOST_CATEGORIES:
        return ordered
    kept = [*ordered[:half], *ordered[-half:]]
    own = [point for point in ordered if point.value == curve.value and point not in kept]
    return sorted([*kept, *own], key=lambda point: point.score)


def _line(say: Texts, curve: Curve, score: float, threshold: float, ink: str) -> list[alt.Chart]:
    points = [{"value": it.value, "score": it.score} for it in curve.points if it.value is not None]
    values = [it["value"] for it in points] or [0.0]
    least, most = min(values), max(values)
    top = max(threshold * 1.25, *(it["score"] * 1.1 for it in points), score * 1.1)
    x = alt.X("value:Q", scale=alt.Scale(domain=[least, most], nice=False), axis=_numbers(say), title=None)
    y = alt.Y("score:Q", scale=alt.Scale(domain=[0, min(top, 1.0)], nice=False), axis=_percents(say), title=None)
    line = _chart(points).mark_line(color=CURVE, strokeWidth=2, interpolate="step").encode(x=x, y=y)
    layers = [_across(threshold).mark_rule(color=THRESHOLD, strokeDash=[5, 3], strokeWidth=2).encode(y="score:Q"), line]
    if isinstance(curve.flips_at, int | float):
        layers += _flip(say, curve.flips_at, least, most, ink)
    if isinstance(curve.value, int | float):
        color = REFUSED if score >= threshold else GRANTED
        own = _chart([{"value": curve.value, "score": score}])
        layers.append(own.mark_point(size=130, filled=True, color=color, opacity=1).encode(x="value:Q", y="score:Q"))
    return layers


def _flip(say: Texts, value: float, least: float, most: float, ink: str) -> list[alt.Chart]:
    align: Literal["left", "right"] = "left" if value < least + MIDDLE * (most - least) else "right"
    base = _chart([{"value": value}])
    text = say.plain("applicant.flip_mark", value=say.number(value))
    return [
        base.mark_rule(color=REFUSED, strokeDash=[2, 2], strokeWidth=2).encode(x="value:Q"),
        base.mark_text(text=text, align=align, dx=6 if align == "left" else -6, fontWeight=600, color=ink).encode(
            x="value:Q", y=alt.value(10)
        ),
    ]


def _marks(say: Texts, curve: Curve, threshold: float) -> list[alt.Chart]:
    points = shown_points(curve)
    rows = [
        {
            "name": written(it.value, say),
            "score": it.score,
            "own": it.value == curve.value,
            "side": REFUSED if it.score >= threshold else GRANTED,
            "written": say.percent(it.score),
        }
        for it in points
    ]
    top = min(max([threshold * 1.25, *(it.score * 1.1 for it in points)]), 1.0)
    x = alt.X("score:Q", scale=alt.Scale(domain=[0, top], nice=False), axis=_percents(say), title=None)
    axis = alt.Axis(ticks=False, domain=False, labelLimit=150, labelPadding=8)
    y = alt.Y("name:N", sort=[row["name"] for row in rows], axis=axis, title=None)
    marks = (
        _chart(rows)
        .mark_point(filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color("side:N", scale=None),
            size=alt.condition("datum.own", alt.value(160), alt.value(60)),
            tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("written:N", title=" ")],
        )
    )
    line = _across(threshold).mark_rule(color=THRESHOLD, strokeDash=[5, 3], strokeWidth=2).encode(x="score:Q")
    return [line, marks]


def _across(threshold: float) -> alt.Chart:
    return _chart([{"score": threshold}])


def _percents(say: Texts) -> alt.Axis:
    text = f"replace(format(datum.value * 100, '~r'), '.', '{say.plain('common.decimal')}')"
    return alt.Axis(labelExpr=f"{text} + '{say.plain('common.percent')}'", grid=False, tickCount=4)


def _numbers(say: Texts) -> alt.Axis:
    thousands, decimal = say.plain("common.thousands"), say.plain("common.decimal")
    text = f"replace(replace(replace(format(datum.value, ',~r'), /,/g, '_'), '.', '{decimal}'), /_/g, '{thousands}')"
    return alt.Axis(labelExpr=text, grid=False, tickCount=5)


def _chart(rows: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=rows))

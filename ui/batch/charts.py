"""The scores of a portfolio as a histogram, on both sides of the threshold."""

from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np

from ui.batch.results import FINE_BINS, Summary
from ui.palette import GRANTED, REFUSED, THRESHOLD
from ui.texts import Texts

HEIGHT = 320
MAX_BARS = 50
STEPS = (1, 2, 5, 10, 20)
"""Possible widths of a bar, in intervals of the summary."""
MIDDLE = 0.6
"""The label of the threshold is to its right, or to its left if the threshold is beyond this share of the width."""


@dataclass(frozen=True)
class Bar:
    """Rows of one decision in one interval of the score; `bottom` is the number of granted rows below refused ones."""

    start: float
    end: float
    rows: int
    bottom: int
    is_refused: bool


def bars_of(summary: Summary) -> tuple[Bar, ...]:
    """Merge the counts into at most MAX_BARS intervals, from 0 to the highest score."""
    occupied = np.flatnonzero(summary.granted + summary.refused)
    last = int(occupied[-1]) + 1 if len(occupied) else FINE_BINS
    step = next(step for step in STEPS if last <= step * MAX_BARS)
    bars = []
    for start in range(0, last, step):
        granted, refused = (int(counts[start : start + step].sum()) for counts in (summary.granted, summary.refused))
        place = (start / FINE_BINS, (start + step) / FINE_BINS)
        bars += [Bar(*place, granted, 0, False)] if granted else []
        bars += [Bar(*place, refused, granted, True)] if refused else []
    return tuple(bars)


def histogram(bars: tuple[Bar, ...], threshold: float, decisions: tuple[str, str], ink: str, say: Texts) -> Any:
    """Draw the bars and the threshold; `decisions` are the words for granted and refused, `ink` is the colour of text."""
    end = min(max([bar.end for bar in bars] + [threshold * 1.1]), 1.0)
    x = alt.X("start:Q", scale=alt.Scale(domain=[0, end], nice=False), axis=_percents(say))
    line = _threshold(threshold)
    align: Literal["left", "right"] = "left" if threshold < MIDDLE * end else "right"
    name = say.plain("portfolio.threshold_mark", threshold=say.percent(threshold))
    layers = (
        _drawn(bars, _sides(threshold, decisions, say), say).encode(x=x.title(say.plain("portfolio.score"))),
        line.mark_rule(color=THRESHOLD, strokeWidth=2, strokeDash=[5, 3]).encode(x="start:Q"),
        line.mark_text(text=name, align=align, dx=8 if align == "left" else -8, fontWeight=600, color=ink).encode(
            x="start:Q", y=alt.value(10)
        ),
    )
    return (
        alt.layer(*layers)
        .properties(height=HEIGHT, padding={"left": 4, "right": 14, "top": 4})
        .configure_axis(labelColor=ink, titleColor=ink)
        .configure_legend(labelColor=ink, labelFontSize=13, labelLimit=400)
    )


def _sides(threshold: float, decisions: tuple[str, str], say: Texts) -> tuple[str, str]:
    """Label the decision on each side of the line, as not everyone can tell the colours apart."""
    keys = ("portfolio.side_granted", "portfolio.side_refused")
    granted, refused = (
        say.plain(key, decision=decision, threshold=say.percent(threshold))
        for key, decision in zip(keys, decisions, strict=True)
    )
    return granted, refused


def _drawn(bars: tuple[Bar, ...], sides: tuple[str, str], say: Texts) -> alt.Chart:
    counts = f"replace(format(datum.value, ','), /,/g, '{say.plain('common.thousands')}')"
    drawn: alt.Chart = (
        alt.Chart(alt.InlineData(values=[_row(bar, sides, say) for bar in bars]))
        .mark_rect(stroke=None)
        .encode(
            x2="end:Q",
            y=alt.Y("top:Q", axis=alt.Axis(labelExpr=counts, tickMinStep=1, tickCount=5)).title(
                say.plain("portfolio.rows")
            ),
            y2="bottom:Q",
            color=alt.Color(
                "side:N",
                scale=alt.Scale(domain=list(sides), range=[GRANTED, REFUSED]),
                legend=alt.Legend(orient="top", title=None, symbolType="square", columns=1),
            ),
            tooltip=[
                alt.Tooltip("range:N", title=say.plain("portfolio.score")),
                alt.Tooltip("written:N", title=say.plain("portfolio.rows")),
                alt.Tooltip("side:N", title=say.plain("portfolio.decision")),
            ],
        )
    )
    return drawn


def _row(bar: Bar, sides: tuple[str, str], say: Texts) -> dict[str, Any]:
    gap = (bar.end - bar.start) * 0.06
    return {
        "start": bar.start + gap,
        "end": bar.end - gap,
        "bottom": bar.bottom,
        "top": bar.bottom + bar.rows,
        "written": say.number(bar.rows),
        "range": say.plain("portfolio.range", lowest=say.percent(bar.start), highest=say.percent(bar.end)),
        "side": sides[bar.is_refused],
    }


def _percents(say: Texts) -> alt.Axis:
    written = f"replace(format(datum.value * 100, '~r'), '.', '{say.plain('common.decimal')}')"
    return alt.Axis(labelExpr=f"{written} + '{say.plain('common.percent')}'", grid=False, tickCount=8)


def _threshold(threshold: float) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[{"start": threshold}]))

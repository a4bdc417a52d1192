"""The values of a feature between which a model tells a difference, within what the contract allows.

A tree compares a number with a border, so between two borders next to each other every value gives the same score: it is enough to
try one value of each segment, and to know its ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from shared.contract.contract import Contract, Feature, Row
from shared.models.artifact import Model

RangeFrom = Literal["contract", "model"]

MARGIN = 0.05
"""By which part of their span the range reaches beyond the last border, where the contract does not end it."""

DIGITS = 12
"""Of a value between two borders that is shown to people."""

Borders = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Segment:
    """Values that give the same score, from `least` to `most`, and the one of them that is tried."""

    value: Any
    least: Any
    most: Any

    def nearest_to(self, value: Any) -> Any:
        """Return the nearest of its values; of categories, its only one."""
        if isinstance(self.value, str | bool) or value is None:
            return self.value
        return self.least if value < self.least else self.most if value > self.most else value


@dataclass(frozen=True)
class Span:
    """The segments of one feature for one row, in ascending order; the value of the row itself is tried in its segment."""

    feature: Feature
    segments: tuple[Segment, ...]
    range_from: RangeFrom

    @property
    def tried(self) -> list[Any]:
        """One value of each segment, and None where a value may be missing."""
        return [*(segment.value for segment in self.segments), *([None] if self.feature.nullable else [])]


def span_of(model: Model, row: Row, name: str) -> Span | None:
    """Tell the segments of a feature for a row; None if nothing tells which values it may have."""
    place = model.contract.names.index(name)
    feature = model.contract.features[place]
    own = row.get(name)
    if feature.kind.python is bool:
        return _listed(feature, (False, True), own, "contract")
    if feature.values is not None:
        return _listed(feature, feature.values, own, "contract")
    if place in model.scorer.categories:
        return _listed(feature, model.known_categories.get(name, ()), own, "model")
    return _numbers(feature, own, model.borders.get(place, np.empty(0)), _room(model.contract, row, name))


def _listed(feature: Feature, values: Sequence[Any], own: Any, range_from: RangeFrom) -> Span | None:
    listed = list(dict.fromkeys([*values, *([] if own is None else [own])]))
    # The only value that is known tells nothing.
    if len(listed) < 2:
        return None
    return Span(feature, tuple(Segment(value, value, value) for value in listed), range_from)


def _room(contract: Contract, row: Row, name: str) -> tuple[float, float]:
    """Return between which values a feature may be, in this row, by the features that it must not be below or above."""
    lowest, highest = -inf, inf
    for names in contract.ordered:
        if name in names:
            place = names.index(name)
            before, after = (
                [float(row[each]) for each in part if row.get(each) is not None]
                for part in (names[:place], names[place + 1 :])
            )
            lowest, highest = max([lowest, *before]), min([highest, *after])
    return lowest, highest


def _numbers(feature: Feature, own: Any, borders: Borders, room: tuple[float, float]) -> Span | None:
    range_from: RangeFrom = "model" if feature.ge is None or feature.le is None else "contract"
    if range_from == "model" and not len(borders):
        return None
    is_whole = feature.kind.python is int
    lowest = _first(borders, is_whole) if feature.ge is None else float(feature.ge)
    highest = _beyond(borders, is_whole) if feature.le is None else float(feature.le)
    if own is not None:
        lowest, highest = min(lowest, own), max(highest, own)
    lowest, highest = max(lowest, room[0]), min(highest, room[1])
    inner = borders[(borders >= lowest) & (borders < highest)]
    make = _whole if is_whole else _fractions
    segments = tuple(
        Segment(own if own is not None and _is_between(own, low, high) else middle, low, high)
        for low, middle, high in make(feature, inner, lowest, highest)
        if low <= high
    )
    return Span(feature, segments, range_from) if segments else None


def _is_between(own: float, low: float, high: float) -> bool:
    """Whether the model takes a value for one from `low` to `high`: it reads numbers of 64 bits as of 32."""
    with np.errstate(over="ignore"):
        return low <= own <= high or low <= float(np.float32(own)) <= high


def _whole(feature: Feature, inner: Borders, lowest: float, highest: float) -> Iterable[tuple[int, int, int]]:
    """Give the ends and the middle of each segment of whole numbers; of one without any, the ends the wrong way round."""
    least, most = feature.bounds
    ends = [int(end) for end in np.unique(np.floor(inner)) if least <= end < most]
    lows = [max(ceil(lowest), least), *map(_whole_above, ends)]
    highs = [*ends, min(floor(highest), most)]
    return ((low, (low + high) // 2, high) for low, high in zip(lows, highs, strict=True))


def _fractions(_: Feature, inner: Borders, lowest: float, highest: float) -> Iterable[tuple[float, float, float]]:
    """Give the ends and the middle of each segment of numbers: a border belongs to the segment below it."""
    above = np.nextafter(inner.astype(np.float32), np.float32(inf)).astype(np.float64)
    lows, highs = np.array([lowest, *above]), np.array([*inner, highest])
    return zip(lows.tolist(), _plain_between(lows, highs), highs.tolist(), strict=True)


def _first(borders: Borders, is_whole: bool) -> float:
    """Return a value that the model takes for one below the first border, which belongs to them."""
    return floor(borders[0]) if is_whole else float(borders[0])


def _beyond(borders: Borders, is_whole: bool) -> float:
    """Return a value above the last border, by some part of the span."""
    last, span = float(borders[-1]), float(borders[-1] - borders[0])
    highest = last + (MARGIN * span or max(1.0, abs(last) * MARGIN))
    return max(highest, _whole_above(floor(last))) if is_whole else highest


def _whole_above(end: int) -> int:
    """Return the first whole number above another one that the model, which reads numbers as of 32 bits, takes for a larger one."""
    return max(end + 1, ceil(float(np.nextafter(np.float32(end), np.float32(inf)))))


def _plain_between(lows: Borders, highs: Borders) -> list[float]:
    """Give a number near the middle of each segment, with few digits."""
    # Halved first: the difference of the largest numbers is none.
    middles = lows / 2 + highs / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = 10.0 ** np.floor(np.log10(highs / 2 - lows / 2))
        rounded = np.where(highs > lows, np.round(middles / steps) * steps, middles)
    plain = np.array([float(f"{value:.{DIGITS}g}") for value in rounded])
    values: list[float] = np.where((plain >= lows) & (plain <= highs), plain, middles).tolist()
    return values

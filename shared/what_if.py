"""What if: how the score of one applicant changes with one feature alone, and where the decision flips."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from shared.contract.contract import Contract, Feature, Row
from shared.contract.text import Language
from shared.errors import WrongColumns
from shared.explanation import strongest
from shared.models.artifact import Model
from shared.reasons import cut, cut_names
from shared.scoring import Answer, Predictions, score
from shared.segments import RangeFrom, Segment, Span, span_of

MAX_FEATURES = 5
MAX_POINTS = 100

Kind = Literal["number", "whole_number", "boolean", "category"]
KINDS: Mapping[type, Kind] = {float: "number", int: "whole_number", bool: "boolean", str: "category"}


class Point(msgspec.Struct, frozen=True, gc=False):
    """The score that the applicant would have with this value."""

    value: Any
    score: float


class FeatureCurve(msgspec.Struct, frozen=True):
    """How the score depends on one feature, all others being as they are."""

    feature: str
    label: str
    kind: Kind
    value: Any
    points: list[Point]
    """In ascending order of the values, a missing one last."""
    flips_at: Any
    """The nearest value with the other decision; None if no value tried has it."""
    range_from: RangeFrom


class WhatIf(Answer, frozen=True):
    """The answer for the applicant, and for others who differ in one feature."""

    features: list[FeatureCurve]


def what_if(model: Model, row: Row, names: Sequence[str] | None, language: Language) -> WhatIf:
    """Try other values of some features, one at a time; without names, of those that contribute most.

    It takes milliseconds: from an event loop, call it in another thread. Raises WrongColumns for names that it cannot try;
    NotExplainable without names, for a model whose scores cannot be explained.
    """
    spans = _spans(model, row, names)
    tried = [span.tried for span in spans]
    predictions = score(model, _batch(model.contract, row, spans, tried))
    flips = _flips(predictions, row, spans)
    _check_flips(model, row, spans, flips, was_refused=bool(predictions.is_refused[0]))
    curves, start = [], 1
    for span, values, flip in zip(spans, tried, flips, strict=True):
        scores = predictions.scores[start : start + len(values)].tolist()
        points = [Point(value, each) for value, each in zip(values, scores, strict=True)]
        curves.append(_curve(span, row, _some(points, row.get(span.feature.name)), flip, language))
        start += len(values)
    [answer] = Predictions(predictions.scores[:1], predictions.threshold, predictions.model_version).answers()
    return WhatIf(**msgspec.structs.asdict(answer), features=curves)


def _spans(model: Model, row: Row, names: Sequence[str] | None) -> list[Span]:
    if names is None:
        contributions = model.explainer.explain_rows([row]).values[0]
        order = strongest(contributions, range(len(contributions)), None)
        found = (span_of(model, row, model.contract.names[place]) for place in order)
        return [span for span in found if span is not None][:MAX_FEATURES]
    if not 1 <= len(names) <= MAX_FEATURES or len({*names}) < len(names):
        raise WrongColumns("what-if-count", limit=MAX_FEATURES)
    if unknown := [name for name in names if name not in model.contract.names_known]:
        raise WrongColumns("what-if-unknown", columns=cut_names(unknown))
    spans = []
    for name in names:
        span = span_of(model, row, name)
        if span is None:
            raise WrongColumns("what-if-without-range", column=cut(name))
        spans.append(span)
    return spans


def _batch(contract: Contract, row: Row, spans: Sequence[Span], tried: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Put the row itself, and then all that are tried, into columns."""
    count = 1 + sum(map(len, tried))
    varied: dict[str, pa.Array] = {}
    start = 1
    for span, values in zip(spans, tried, strict=True):
        own, kind = row.get(span.feature.name), span.feature.kind.arrow
        varied[span.feature.name] = pa.concat_arrays(
            [_same(own, kind, start), pa.array(values, kind), _same(own, kind, count - start - len(values))]
        )
        start += len(values)
    columns = [
        varied[feature.name] if feature.name in varied else _same(row.get(feature.name), feature.kind.arrow, count)
        for feature in contract.features
    ]
    return pa.RecordBatch.from_arrays(columns, schema=contract.arrow_schema)


def _same(value: Any, kind: pa.DataType, count: int) -> pa.Array:
    return pa.nulls(count, kind) if value is None else pa.repeat(pa.scalar(value, kind), count)


def _flips(predictions: Predictions, row: Row, spans: Sequence[Span]) -> list[tuple[Any, Any]]:
    """Find for each feature the nearest value that should flip the decision, and the one of its segment that did."""
    refused, scores = predictions.is_refused, predictions.scores
    found: list[tuple[Any, Any]] = []
    start = 1
    for span in spans:
        own = row.get(span.feature.name)
        flipping = [
            (_distance(segment, own, abs(scores[start + i] - scores[0])), segment)
            for i, segment in enumerate(span.segments)
            if refused[start + i] != refused[0]
        ]
        _, nearest = min(flipping, key=lambda each: each[0], default=(0.0, None))
        found.append((None, None) if nearest is None else (_short(nearest.nearest_to(own)), nearest.value))
        start += len(span.tried)
    return found


def _distance(segment: Segment, own: Any, by_score: float) -> float:
    """Tell how far a segment is; by the change of the score where values have no distance."""
    if own is None or isinstance(own, str | bool):
        return by_score
    return abs(float(segment.nearest_to(own)) - float(own))


def _short(value: Any) -> Any:
    """Write a number with as few digits as tell it from its neighbours of 32 bits, as which the model reads it."""
    if not isinstance(value, float) or float(np.float32(value)) != value:
        return value
    return float(str(np.float32(value)))


def _check_flips(
    model: Model, row: Row, spans: Sequence[Span], flips: list[tuple[Any, Any]], *, was_refused: bool
) -> None:
    """Replace nearest values whose own score, or the contract, does not bear them out."""
    asked = [i for i, (nearest, _) in enumerate(flips) if nearest is not None]
    if not asked:
        return
    rows = [row | {spans[i].feature.name: flips[i][0]} for i in asked]
    refused = score(model, rows).is_refused
    for i, is_refused in zip(asked, refused.tolist(), strict=True):
        if is_refused == was_refused or not _is_allowed(spans[i].feature, flips[i][0]):
            flips[i] = (flips[i][1], flips[i][1])


def _is_allowed(feature: Feature, value: Any) -> bool:
    least, most = (None, None) if isinstance(value, str | bool) else feature.bounds
    return (least is None or value >= least) and (most is None or value <= most)


def _some(points: list[Point], own: Any) -> list[Point]:
    """Choose points evenly where there are too many; the first, the last and that of the row itself are among them."""
    if len(points) <= MAX_POINTS:
        return points
    places = {*np.linspace(0, len(points) - 1, MAX_POINTS - 1).astype(int).tolist()}
    places |= {place for place, point in enumerate(points) if point.value == own}
    return [points[place] for place in sorted(places)]


def _curve(span: Span, row: Row, points: list[Point], flip: tuple[Any, Any], language: Language) -> FeatureCurve:
    return FeatureCurve(
        feature=span.feature.name,
        label=span.feature.named(language),
        kind=KINDS[span.feature.kind.python],
        value=row.get(span.feature.name),
        points=points,
        flips_at=flip[0],
        range_from=span.range_from,
    )

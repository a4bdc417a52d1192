"""The proof that a fast evaluator gives the bits of CatBoost for one model, on rows made from the model itself.

Every border of every feature, its two neighbours in 32 bits and the numbers between them, missing values and the extremes of
floating point meet in ever new company, with the categories that are known and some that are not. The rows are scored one by
one, a few at a time and as columns. One bit that differs anywhere, and the fast evaluator is not used.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared.models.artifact import Model
from shared.models.evaluator import Evaluator, FastEvaluator, Scores
from shared.models.scorer import Scorer
from shared.reasons import Reason

logger = logging.getLogger(__name__)

PROVEN = "evaluator-proven"

ROWS = 20_000
"""At least; more where a feature has more values to try."""

PIECE_ROWS = 4096
"""Rows made and scored at a time, so that the memory of the proof does not grow with a model's borders."""

ALONE = (1,)
FEW = (2, 3, 4, 5, 8, 16, 17, 64)
SLICES = (1, 7, 255, 256, 257, 1000)
"""Rows per call, in turn: in lists, and in columns. One row and a few take other ways through an evaluator than many."""

FLOAT32 = np.finfo(np.float32)
EXTREMES = (
    *(0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan),
    *(
        float(sign * size)
        for sign in (1, -1)
        for size in (FLOAT32.max, FLOAT32.tiny, FLOAT32.smallest_subnormal, 1e308, 5e-324)
    ),
)

STRANGE = (
    "",
    " ",
    "nan",
    "None",
    "0",
    "-1",
    "1.0",
    "é",
    "\U0001f600",
    "a\x00b",
    *("x" * n for n in (4, 8, 9, 17, 33, 65, 200)),
)
"""Categories that no training had, of all the lengths that a hash treats differently."""

Values = npt.NDArray[Any]
"""What a feature is tried with, shape (values,): 64-bit numbers, or text."""

Piece = npt.NDArray[Any]
"""Rows to try, shape (rows, features): 64-bit numbers, or objects where some are text."""

Order = npt.NDArray[np.int32]
"""Which of its values a feature has in each row, shape (rows,)."""


def prove(model: Model, make: Callable[[Model], Evaluator] | None = None) -> Reason:
    """Compare a fast evaluator with CatBoost, and say what came of it; its type is PROVEN if they agree in every bit.

    `model` is scored by CatBoost. An evaluator that crashes takes the process with it.
    """
    rows = 0
    try:
        fast = (make or _fast)(model)
        if differing := _count_differing_known(model, fast):
            return Reason("evaluator-differs", {"count": differing})
        for piece in _pieces(model):
            rows += len(piece)
            if differing := _count_differing(model, fast, piece):
                return Reason("evaluator-differs", {"count": differing})
    except Exception as error:
        return Reason("evaluator-unable", {"fault": type(error).__name__})
    return Reason(PROVEN, {"count": rows})


def apply(model: Model, found: Reason) -> Model:
    """Give the model with the fast evaluator if that was proven and still agrees on the rows that the artifact brings."""
    if found.type == PROVEN:
        try:
            fast = _fast(model)
            if differing := _count_differing_known(model, fast):
                found = Reason("evaluator-differs", {"count": differing})
            else:
                model = replace(model, scorer=Scorer(fast, model.contract, model.scorer.categories))
        except Exception as error:
            found = Reason("evaluator-unable", {"fault": type(error).__name__})
    logger.info("Model version %s is scored by %s: %s", model.version, model.scorer.evaluator.name, found.message)
    return replace(model, evaluation=found)


def _fast(model: Model) -> Evaluator:
    return FastEvaluator(model.file, model.positive)


def _count_differing_known(model: Model, fast: Evaluator) -> int:
    """Count the rows on which the evaluators differ among those that the artifact brings."""
    rows = model.contract.rows_adapter.validate_json(json.dumps(model.known_rows))
    if not rows:
        return 0
    scorer = Scorer(fast, model.contract, model.scorer.categories)
    batch = model.contract.to_batch(rows)
    expected = model.scorer.score_batch(batch)
    return int(
        np.count_nonzero(_differ(expected, scorer.score_batch(batch)) | _differ(expected, scorer.score_rows(rows)))
    )


def _count_differing(model: Model, fast: Evaluator, piece: Piece) -> int:
    """Count the rows on which the evaluators differ, in any way of calling them."""
    exact = model.scorer.evaluator
    names, categories = model.contract.names, model.scorer.categories
    with np.errstate(over="ignore"):
        arrays = [
            pa.array(column).dictionary_encode() if i in categories else pa.array(column.astype(np.float32))
            for i, column in enumerate(piece.T)
        ]
    batch = pa.RecordBatch.from_arrays(arrays, names)
    table = piece.tolist()
    as_batch, as_table = exact.score_batch(batch), exact.score_table(table)
    differ = _differ(as_batch, fast.score_batch(batch))
    differ |= _differ(as_batch, _in_parts(len(table), SLICES, lambda i, n: fast.score_batch(batch.slice(i, n))))
    for sizes in (ALONE, FEW):
        differ |= _differ(as_table, _in_parts(len(table), sizes, lambda i, n: fast.score_table(table[i : i + n])))
    return int(np.count_nonzero(differ))


def _in_parts(rows: int, sizes: Sequence[int], score: Callable[[int, int], Scores]) -> Scores:
    """Score parts of these sizes in turn, each by its first row and how many there are, and put the scores together."""
    scores, start = [], 0
    for size in cycle(sizes):
        if start >= rows:
            break
        scores.append(score(start, size))
        start += size
    return np.concatenate(scores)


def _differ(expected: Scores, scores: Scores) -> Any:
    return np.ascontiguousarray(expected).view(np.int64) != np.ascontiguousarray(scores).view(np.int64)


def _pieces(model: Model) -> Iterator[Piece]:
    """Make the rows, piece by piece; in the last each feature is missing in a row of its own, then all are."""
    random = np.random.default_rng(0)
    values = _values(model)
    rows = max(ROWS, *map(len, values))
    orders = [_orders(len(each), rows, random) for each in values]

    def piece(start: int, stop: int) -> Piece:
        return np.stack([each[order[start:stop]] for each, order in zip(values, orders, strict=True)]).T

    for start in range(0, rows, PIECE_ROWS):
        yield piece(start, start + PIECE_ROWS)
    gaps = piece(0, len(values) + 1).astype(object)
    for i in {*range(len(values))} - model.scorer.categories:
        gaps[gaps[:, i] != gaps[:, i], i] = 0.0
        gaps[i, i] = gaps[-1, i] = None
    yield gaps


def _orders(values: int, rows: int, random: np.random.Generator) -> Order:
    """Put as many values into some order, then into another, and so on, for so many rows."""
    places = np.broadcast_to(np.arange(values, dtype=np.int32), (-(-rows // values), values))
    return random.permuted(places, axis=1).ravel()[:rows]


def _values(model: Model) -> list[Values]:
    """List what each feature is tried with."""
    borders: dict[int, list[float]] = model.classifier.get_borders()
    known = list(map(model.scorer.categories_of, model.known_rows))
    values: list[Values] = []
    for i, feature in enumerate(model.contract.features):
        if i in model.scorer.categories:
            allowed = [
                model.scorer.categories_of({feature.name: value})[feature.name]
                for value in (None, *(feature.values or ()))
            ]
            tried = {*allowed, *(row[feature.name] for row in known), *STRANGE}
            values.append(np.array(sorted(tried), object))
        else:
            values.append(np.array([*_around(borders.get(i, [])), *EXTREMES]))
    return values


def _around(borders: Sequence[float]) -> Values:
    """Give each border, its two neighbours in 32 bits, and the numbers in 64 bits half way to them, which round to either."""
    border = np.array(borders, np.float32)
    with np.errstate(over="ignore"):
        below, above = (np.nextafter(border, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf))
    exact = border.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.concatenate([exact, below, above, (exact + below) / 2, (exact + above) / 2])

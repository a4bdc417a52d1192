"""Rows of the same turn of the loop share a call, and nothing else."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from api.microbatch import MicroBatcher
from api.traffic import Traffic
from shared.contract.contract import Row, RowValues
from shared.metrics import Metrics
from shared.models.artifact import Model
from shared.models.evaluator import Scores
from shared.models.scorer import Scorer
from tests.factories import Kit


class CountingScorer(Scorer):
    """The model's scorer, which notes how many rows each call had."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.scorer.evaluator, model.contract, model.scorer.categories)
        self.calls: list[int] = []

    def score_values(self, rows: Sequence[RowValues]) -> Scores:
        self.calls.append(len(rows))
        return super().score_values(rows)


async def score_of(batcher: MicroBatcher, model: Model, row: Row) -> float:
    return (await batcher.score(model, values_of(model, row))).score


def values_of(model: Model, row: Row) -> RowValues:
    return [row.get(name) for name in model.contract.names]


class FailingScorer(Scorer):
    """A scorer that cannot."""

    def score_values(self, rows: Sequence[RowValues]) -> Scores:
        raise ZeroDivisionError


def counting(model: Model, version: str = "v") -> tuple[Model, CountingScorer]:
    scorer = CountingScorer(model)
    return replace(model, version=version, scorer=scorer), scorer


def test_rows_of_one_turn_are_scored_in_one_call_each_with_its_own_score(kit: Kit, model: Model) -> None:
    counted, scorer = counting(model)
    rows = kit.rows[:40]

    async def run() -> list[float]:
        batcher = MicroBatcher(Traffic(Metrics()))
        return await asyncio.gather(*(score_of(batcher, counted, row) for row in rows))

    assert asyncio.run(run()) == kit.expected(rows)
    assert scorer.calls == [40]


def test_a_later_turn_has_a_call_of_its_own(kit: Kit, model: Model) -> None:
    counted, scorer = counting(model)

    async def run() -> list[float]:
        batcher = MicroBatcher(Traffic(Metrics()))
        return [await score_of(batcher, counted, row) for row in kit.rows[:3]]

    assert asyncio.run(run()) == kit.expected(kit.rows[:3])
    assert scorer.calls == [1, 1, 1]


def test_models_are_never_mixed(kit: Kit, model: Model) -> None:
    one, one_scorer = counting(model, "one")
    two, two_scorer = counting(model, "two")

    async def run() -> None:
        batcher = MicroBatcher(Traffic(Metrics()))
        await asyncio.gather(*(batcher.score(which, values_of(which, kit.rows[0])) for which in (one, two, one)))

    asyncio.run(run())
    assert (one_scorer.calls, two_scorer.calls) == ([2], [1])


def test_a_failure_reaches_every_row_of_the_call_and_no_later_one(kit: Kit, model: Model) -> None:
    failing = replace(model, version="bad", scorer=FailingScorer(model.scorer.evaluator, model.contract, frozenset()))

    async def run() -> tuple[list[float | BaseException], float]:
        batcher = MicroBatcher(Traffic(Metrics()))
        failed = await asyncio.gather(
            *(score_of(batcher, failing, row) for row in kit.rows[:3]), return_exceptions=True
        )
        return failed, await score_of(batcher, model, kit.rows[0])

    failed, score = asyncio.run(run())
    assert [type(error) for error in failed] == [ZeroDivisionError] * 3
    assert score == kit.expected(kit.rows[:1])[0]


def test_a_request_that_was_cancelled_does_not_disturb_the_others(kit: Kit, model: Model) -> None:
    async def run() -> float:
        batcher = MicroBatcher(Traffic(Metrics()))
        tasks = [asyncio.create_task(score_of(batcher, model, row)) for row in kit.rows[:2]]
        asyncio.get_running_loop().call_soon(tasks[0].cancel)
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        return await tasks[1]

    assert asyncio.run(run()) == kit.expected(kit.rows[:2])[1]

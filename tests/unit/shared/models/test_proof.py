"""A fast evaluator scores a model only if it gives CatBoost's bits on every row of the proof, in every way of calling it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from shared.models import artifact, proof
from shared.models.artifact import Model
from shared.models.evaluator import Evaluator, FastEvaluator, Scores
from shared.models.pools import Table
from shared.models.proof import PROVEN, ROWS
from shared.models.verdict import is_fast_evaluator_installed
from tests.factories import Kit, fitted, make_town_kit, write_bare_artifact

pytestmark = pytest.mark.skipif(not is_fast_evaluator_installed(), reason="there is no pylignum for this platform")

NUMBERS = pd.DataFrame({"x": np.random.default_rng(1).normal(size=400), "y": np.random.default_rng(2).normal(size=400)})
TARGET = ((NUMBERS["x"] > 0) ^ (NUMBERS["y"] > 0.5)).astype(int)
INPUTS = [{"name": name, "type": "double", "required": False} for name in NUMBERS]


class Wrong:
    """The fast evaluator, but for what a test changes in the rows before, or in the scores after."""

    name = "wrong"

    def __init__(
        self,
        model: Model,
        *,
        rows: Callable[[pd.DataFrame], None] = lambda _: None,
        scores: Callable[[str, Scores], None] = lambda *_: None,
    ) -> None:
        self._right = FastEvaluator(model.file, model.positive)
        self._rows, self._scores = rows, scores

    def score_table(self, table: Table) -> Scores:
        frame = pd.DataFrame(table, dtype=object)
        self._rows(frame)
        return self._changed("table", self._right.score_table(frame.values.tolist()))

    def score_batch(self, batch: pa.RecordBatch) -> Scores:
        return self._changed("batch", self._right.score_batch(batch))

    def _changed(self, way: str, scores: Scores) -> Scores:
        scores = scores.copy()
        self._scores(way, scores)
        return scores


def verdict_of(model: Model, make: Callable[[Model], Evaluator] | None = None) -> str:
    return proof.prove(model, make).type


def test_models_of_numbers_and_of_categories_are_proven(model: Model) -> None:
    found = proof.prove(model)
    assert found.type == PROVEN
    assert found.params["count"] >= ROWS


@pytest.mark.parametrize("way", ["table", "batch"])
@pytest.mark.parametrize("place", [0, 30, 15_000, 39_000])
def test_one_bit_of_one_row_in_one_way_of_calling_is_too_much(model: Model, way: str, place: int) -> None:
    seen = {"table": 0, "batch": 0}

    def flip(called: str, scores: Scores) -> None:
        at = place - seen[called]
        seen[called] += len(scores)
        if called == way and 0 <= at < len(scores):
            scores.view(np.int64)[at] ^= 1

    found = proof.prove(model, lambda it: Wrong(it, scores=flip))
    assert found.type == "evaluator-differs"
    assert found.params["count"] == 1


def bare(folder: Path, **parameters: Any) -> Model:
    return artifact.load(write_bare_artifact(folder, fitted(NUMBERS, TARGET, **parameters), INPUTS), "v")


@pytest.mark.parametrize("feature", [0, 1])
@pytest.mark.parametrize("side", [0, 1])
def test_an_evaluator_that_is_wrong_at_one_border_is_found_out(tmp_path: Path, feature: int, side: int) -> None:
    model = bare(tmp_path, iterations=30)
    borders = np.array(model.classifier.get_borders()[feature], np.float32)
    border = borders[len(borders) // 2]
    at, other = float(border), float(np.nextafter(border, np.float32(np.inf)))
    if side:
        at, other = other, at

    def move(rows: pd.DataFrame) -> None:
        rows[feature] = [other if value == at else value for value in rows[feature]]

    assert verdict_of(model) == PROVEN
    assert verdict_of(model, lambda it: Wrong(it, rows=move)) == "evaluator-differs"


@pytest.mark.parametrize("feature", [0, 1])
def test_an_evaluator_that_takes_a_gap_for_zero_is_found_out(tmp_path: Path, feature: int) -> None:
    gaps = NUMBERS.where(np.random.default_rng(5).random(NUMBERS.shape) > 0.2)
    folder = write_bare_artifact(tmp_path, fitted(gaps, TARGET ^ gaps.isna().any(axis=1), iterations=30), INPUTS)

    def fill(rows: pd.DataFrame) -> None:
        rows[feature] = [0.0 if value is None or value != value else value for value in rows[feature]]

    model = artifact.load(folder, "v")
    assert verdict_of(model) == PROVEN
    assert verdict_of(model, lambda it: Wrong(it, rows=fill)) == "evaluator-differs"


@pytest.mark.parametrize("town", ["town 3", "", "nan"])
def test_an_evaluator_that_mixes_up_a_category_is_found_out(tmp_path: Path, town: str) -> None:
    model = artifact.load(make_town_kit().write(tmp_path), "v")

    def mix_up(rows: pd.DataFrame) -> None:
        rows[1] = ["town 13" if value == town else value for value in rows[1]]

    assert verdict_of(model) == PROVEN
    assert verdict_of(model, lambda it: Wrong(it, rows=mix_up)) == "evaluator-differs"


@pytest.mark.parametrize("policy", ["Lossguide", "Depthwise"])
def test_trees_that_are_not_symmetric_are_left_to_catboost(tmp_path: Path, policy: str) -> None:
    model = bare(tmp_path, grow_policy=policy)
    found = proof.prove(model)
    assert (found.type, found.params) == ("evaluator-unable", {"fault": "RuntimeError"})
    assert proof.apply(model, found).scorer is model.scorer


def test_a_model_that_was_trained_with_infinity_scores_as_catboost_does(tmp_path: Path) -> None:
    data = NUMBERS.copy()
    data.loc[::3, "x"] = np.nan
    data.loc[1::3, "x"] = np.inf
    target = (data["x"].isna() ^ (data["y"] > 0)).astype(int)
    classifier = fitted(data, target, nan_mode="Max", iterations=30)
    model = artifact.load(write_bare_artifact(tmp_path, classifier, INPUTS), "v")
    found = proof.prove(model)
    assert found.type == "evaluator-differs"
    scored = proof.apply(model, found).scorer.score_rows(
        [{"x": None if x != x else x, "y": y} for x, y in zip(data["x"], data["y"], strict=True)]
    )
    assert scored.tolist() == classifier.predict_proba(data)[:, 1].tolist()


@pytest.mark.parametrize("positive", ["bad", "good"])
@pytest.mark.parametrize("loss", ["Logloss", "MultiClass", "MultiClassOneVsAll"])
def test_either_class_has_the_bits_of_its_own_column(tmp_path: Path, positive: str, loss: str) -> None:
    classifier = fitted(NUMBERS, TARGET.map({0: "good", 1: "bad"}), loss_function=loss)
    model = artifact.load(write_bare_artifact(tmp_path, classifier, INPUTS, positive_class=positive), "v")
    fast = proof.apply(model, proof.prove(model))
    assert fast.scorer.evaluator.name.startswith("pylignum ")
    expected = classifier.predict_proba(NUMBERS)[:, classifier.classes_.tolist().index(positive)].tolist()
    rows: list[dict[str, Any]] = NUMBERS.to_dict(orient="records")  # type: ignore[assignment]
    assert fast.scorer.score_rows(rows).tolist() == expected
    assert fast.scorer.score_batch(fast.contract.to_batch(rows)).tolist() == expected


def test_a_proof_of_another_model_does_not_help(numbers: Kit, tmp_path: Path) -> None:
    model = artifact.load(numbers.write(tmp_path / "one"), "v")
    other = write_bare_artifact(tmp_path / "two", fitted(NUMBERS.rename(columns={"x": "a"}), TARGET), INPUTS)
    proven = proof.prove(model)
    served = proof.apply(replace(model, file=other / "model.cb"), proven)
    assert (proven.type, served.evaluation.type) == (PROVEN, "evaluator-differs")
    assert served.scorer is model.scorer

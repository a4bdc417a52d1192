"""Scores are CatBoost's own, to the last bit, however the rows come."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from shared.formats.json_rows import row_from_json
from shared.models import artifact
from shared.models.artifact import Model
from tests.factories import Kit, batches_from_json, fitted, make_rows, write_bare_artifact


def batch_of(model: Model, rows: list[dict[str, object]]) -> pa.RecordBatch:
    return pa.concat_batches(batches_from_json(json.dumps(rows).encode(), model.contract))


def test_batch_equals_predict_proba(kit: Kit, model: Model) -> None:
    assert model.scorer.score_batch(batch_of(model, kit.rows)).tolist() == kit.expected()


@pytest.mark.parametrize("size", [1, 2, 7, 128, 129])
def test_chunking_does_not_change_a_bit(kit: Kit, model: Model, size: int) -> None:
    batch = batch_of(model, kit.rows[:150])
    scores = [
        score
        for start in range(0, batch.num_rows, size)
        for score in model.scorer.score_batch(batch.slice(start, size)).tolist()
    ]
    assert scores == kit.expected(kit.rows[:150])


def test_row_by_row_equals_the_batch(kit: Kit, model: Model) -> None:
    rows = [row_from_json(json.dumps(row).encode(), model.contract) for row in kit.rows[:150]]
    assert [model.scorer.score_rows([row])[0] for row in rows] == kit.expected(kit.rows[:150])
    assert model.scorer.score_rows(rows).tolist() == kit.expected(kit.rows[:150])


def test_a_missing_value_is_not_zero(kit: Kit, model: Model) -> None:
    rows = [{**row, "lowest": None, "highest": None} for row in make_rows(50, seed=9)]
    zeros = [{**row, "lowest": 0.0, "highest": 0.0} for row in rows]
    scores = model.scorer.score_batch(batch_of(model, rows)).tolist()
    assert scores == kit.expected(rows)
    assert scores != model.scorer.score_batch(batch_of(model, zeros)).tolist()


@pytest.fixture(scope="module")
def categories() -> pd.DataFrame:
    """Whole numbers, booleans and strange strings, all of them categories."""
    random = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "level": random.integers(-3, 4, 300),
            "owner": random.integers(0, 2, 300).astype(bool),
            "word": random.choice(["", "nan", "1", "é\x00z", "\U0001f600", " a"], 300).astype(object),
            "x": random.random(300),
        }
    )


def test_numbers_booleans_and_any_string_can_be_categories(categories: pd.DataFrame, tmp_path: Path) -> None:
    target = (categories["level"] > 0) ^ categories["owner"] ^ (categories["word"] > "a")
    classifier = fitted(categories, target.astype(int), cat_features=["level", "owner", "word"])
    kinds = {"level": "long", "owner": "boolean", "word": "string", "x": "double"}
    inputs = [{"name": name, "type": kind} for name, kind in kinds.items()]
    model = artifact.load(write_bare_artifact(tmp_path, classifier, inputs), "v")
    expected = classifier.predict_proba(categories)[:, 1].tolist()
    rows = json.loads(categories.to_json(orient="records", double_precision=15))
    rows = [row | {"x": x} for row, x in zip(rows, categories["x"].tolist(), strict=True)]
    assert len(set(expected)) > 10
    assert model.scorer.score_batch(batch_of(model, rows)).tolist() == expected
    assert model.scorer.score_rows(rows).tolist() == expected


@pytest.mark.parametrize("income", [1e308, 3.5e38, 1e-50])
def test_numbers_beyond_32_bits_score_as_catboost_scores_them(kit: Kit, model: Model, income: float) -> None:
    rows = [row | {"income": income} for row in kit.rows[:5]]
    assert model.scorer.score_batch(batch_of(model, rows)).tolist() == kit.expected(rows)
    assert model.scorer.score_rows(rows).tolist() == kit.expected(rows)


def test_a_large_whole_number_is_rounded_alike_in_any_company(tmp_path: Path) -> None:
    # The number lies where rounding to 64 bits first and then to 32 gives another float than rounding at once.
    low, high, between = 2**60, 2**60 + 2**37, 2**60 + 2**36 + 1
    data = pd.DataFrame({"n": [low, high] * 50})
    classifier = fitted(data, [0, 1] * 50)
    inputs = [{"name": "n", "type": "long", "required": False}]
    model = artifact.load(write_bare_artifact(tmp_path, classifier, inputs), "v")
    alone = model.scorer.score_rows([{"n": between}])[0]
    for company in ([], [{"n": None}], [{"n": 1}]):
        rows: list[dict[str, object]] = [{"n": between}, *company]
        assert model.scorer.score_batch(batch_of(model, rows))[0] == alone
        assert model.scorer.score_rows(rows)[0] == alone

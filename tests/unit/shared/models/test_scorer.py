"""Scores are CatBoost's own, to the last bit, however the rows come."""

import json

import pyarrow as pa
import pytest

from shared.formats import batches_from_json, row_from_json
from shared.models.artifact import Model
from tests.factories import Kit, make_rows


def batch_of(model: Model, rows: list[dict[str, object]]) -> pa.RecordBatch:
    return pa.concat_batches(batches_from_json(json.dumps(rows).encode(), model.contract))


def test_batch_equals_predict_proba(kit: Kit, model: Model) -> None:
    assert model.scorer.score_batch(batch_of(model, kit.rows)).tolist() == kit.expected()


@pytest.mark.parametrize("size", [1, 2, 7, 128, 129])
def test_chunking_does_not_change_a_bit(kit: Kit, model: Model, size: int) -> None:
    batch = batch_of(model, kit.rows)
    scores = [
        score
        for start in range(0, batch.num_rows, size)
        for score in model.scorer.score_batch(batch.slice(start, size)).tolist()
    ]
    assert scores == kit.expected()


def test_row_by_row_equals_the_batch(kit: Kit, model: Model) -> None:
    rows = [row_from_json(json.dumps(row).encode(), model.contract) for row in kit.rows]
    assert [model.scorer.score_rows([row])[0] for row in rows] == kit.expected()
    assert model.scorer.score_rows(rows).tolist() == kit.expected()


def test_a_missing_value_is_not_zero(kit: Kit, model: Model) -> None:
    rows = [{**row, "lowest": None, "highest": None} for row in make_rows(50, seed=9)]
    zeros = [{**row, "lowest": 0.0, "highest": 0.0} for row in rows]
    scores = model.scorer.score_batch(batch_of(model, rows)).tolist()
    assert scores == kit.expected(rows)
    assert scores != model.scorer.score_batch(batch_of(model, zeros)).tolist()

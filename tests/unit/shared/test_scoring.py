"""One door: whatever the rows come in, the scores are CatBoost's own, and the decision follows from them in one place."""

import json
from typing import Literal

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.schemas import Score
from shared.models.artifact import Model
from shared.scoring import PREDICTION_FIELDS, Answer, Counts, Decision, Predictions, StoredRows, score
from tests.factories import Kit


def predictions(*scores: float | None, threshold: float = 0.4) -> Predictions:
    return Predictions.of(pa.array(scores, pa.float64()), threshold, "v")


def test_a_handful_a_batch_and_stored_rows_are_scored_alike(kit: Kit, model: Model) -> None:
    batch = model.contract.to_batch(kit.rows)
    forms = (kit.rows, batch, StoredRows(model.scorer.encode(batch)))
    assert [score(model, rows).scores.tolist() for rows in forms] == [kit.expected()] * len(forms)


def test_threshold_and_version_are_the_models_unless_a_job_was_pinned_to_another_threshold(
    kit: Kit, model: Model
) -> None:
    made = score(model, kit.rows[:1])
    assert (made.threshold, made.model_version) == (model.threshold, model.version)
    assert score(model, kit.rows[:1], 0.0).counts()["refused"] == 1


def test_a_stored_row_that_is_not_to_be_scored_has_no_score(kit: Kit, model: Model) -> None:
    encoded = model.scorer.encode(model.contract.to_batch(kit.rows[:3]))
    made = score(model, StoredRows(encoded, pa.array([True, False, True])))
    expected = kit.expected(kit.rows[:3])
    assert made.column().to_pylist() == [expected[0], None, expected[2]]


def test_answer_and_documented_answer_have_the_same_fields_in_the_same_order() -> None:
    assert [field.name for field in msgspec.structs.fields(Answer)] == list(Score.model_fields)


@pytest.mark.parametrize(
    ("score", "threshold", "prediction", "decision"),
    [
        (0.4, 0.4, 1, "Refusé"),
        (0.39999999999999997, 0.4, 0, "Accordé"),
        (0.1 + 0.2, 0.3, 1, "Refusé"),
        (0.0, 0.0, 1, "Refusé"),
        (5e-324, 1.0, 0, "Accordé"),
        (1.0, 1.0, 1, "Refusé"),
    ],
)
def test_refused_begins_exactly_at_the_threshold(
    score: float, threshold: float, prediction: Literal[0, 1], decision: Decision
) -> None:
    made = predictions(score, threshold=threshold)
    expected = Score(
        score=score, threshold=threshold, prediction=prediction, decision=decision, model_version="v"
    ).model_dump()
    assert json.loads(msgspec.json.encode(made.answers())) == [expected]
    assert [column.to_pylist() for column in made.columns()] == [[score], [prediction], [decision]]


@given(st.lists(st.floats(0, 1)), st.floats(0, 1), st.sampled_from(["v", "0.0", 'local-"é",{"score":0.0,']))
def test_answers_that_are_written_without_objects_are_those_of_the_objects(
    scores: list[float], threshold: float, version: str
) -> None:
    made = Predictions.of(pa.array([*scores, *[threshold] * bool(scores)], pa.float64()), threshold, version)
    assert made.encoded_answers() == msgspec.json.encode(made.answers())


def test_columns_are_of_the_documented_types_and_null_without_a_score() -> None:
    columns = predictions(0.1, None, 0.9).columns()
    assert [column.type for column in columns] == [field.type for field in PREDICTION_FIELDS]
    assert [column.to_pylist()[1] for column in columns] == [None] * 3
    assert [column.to_pylist()[2] for column in columns] == [0.9, 1, "Refusé"]


@pytest.mark.parametrize(
    ("scores", "counts"),
    [
        ((0.1, 0.4, 0.9, None), Counts(granted=1, refused=2, invalid=1)),
        ((None, None), Counts(granted=0, refused=0, invalid=2)),
        ((), Counts(granted=0, refused=0, invalid=0)),
    ],
)
def test_rows_are_counted_by_what_became_of_them(scores: tuple[float | None, ...], counts: Counts) -> None:
    assert predictions(*scores).counts() == counts

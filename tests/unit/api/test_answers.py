"""The answer that is fast to write is the answer that the schema documents."""

import json

import msgspec
import pytest

from api.answers import Answer, answer, encode
from api.schemas import Score


def test_fast_answer_and_documented_answer_have_the_same_fields_in_the_same_order() -> None:
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
    score: float, threshold: float, prediction: int, decision: str
) -> None:
    written = json.loads(encode(answer(score, threshold, "v")))
    assert (
        written
        == Score(
            score=score,
            threshold=threshold,
            prediction=prediction,
            decision=decision,
            model_version="v",
        ).model_dump()
    )

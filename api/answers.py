"""Scores to answers. Many at a time, so they are written without a pydantic object each."""

from typing import Any

import msgspec

from shared.models.scorer import GRANTED, REFUSED


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The body `api.schemas.Score`, in the shape that is fastest to write; a test holds the two together."""

    score: float
    prediction: int
    threshold: float
    decision: str
    model_version: str


def answer(score: float, threshold: float, model_version: str) -> Answer:
    """Decide: refused from the threshold up."""
    refused = score >= threshold
    return Answer(score, int(refused), threshold, REFUSED if refused else GRANTED, model_version)


encode: Any = msgspec.json.Encoder().encode

"""The response body of one row of a job: part of the wire contract."""

from typing import Any, Literal

from pydantic import Field

from api.reason_schemas import ExplanationBody
from api.schemas import Body, InvalidInRow, ReasonOfScore
from shared.scoring import Decision


class JobRow(Body):
    """One row of a job: what was sent, and what came of it."""

    row: int = Field(description="Number of the row, from 0.")
    inputs: dict[str, float | int | bool | str | None] = Field(
        description="By feature, the value in the type of the feature, and null if it is missing; an invalid one as it was sent."
    )
    kept: dict[str, Any] = Field(description="The kept columns.")
    score: float | None = Field(description="Probability of class 1; None if the row breaks the feature contract.")
    prediction: Literal[0, 1] | None
    decision: Decision | None
    threshold: float
    model_version: str
    errors: list[InvalidInRow] = Field(description="With on_invalid=flag: the invalid values of the row.")
    reasons: list[ReasonOfScore] | None = Field(None, description="In a job with explain=K, as in its results.")
    explanation: ExplanationBody | None = Field(None, description="Only with `explain`; None if the row has no score.")

"""Response bodies about reasons: part of the wire contract."""

from typing import Any, Literal

from pydantic import Field

from api.schemas import Body, InvalidInRow, ReasonOfScore, Score
from shared.explanation import Direction
from shared.scoring import Decision


class ContributionBody(Body):
    """What one feature, or one group of features, adds to the raw score."""

    feature: str = Field(description="Name of the feature or group.")
    label: str = Field(description="What people call it, in the language of the response.")
    contribution: float = Field(
        description="In log-odds of the positive class, unrounded; negative if it lowers the risk."
    )
    direction: Direction
    reason: str = Field(
        description="The sentence of the model's notes if it raises the risk and there is one, else the label."
    )
    features: list[str] | None = Field(None, description="The features of a group; absent for a single feature.")


class ExplanationBody(Body):
    """Why the score is what it is: base_value, the contributions and other add up to raw_score."""

    base_value: float = Field(description="Average raw score over the training.")
    raw_score: float = Field(description="Log-odds of the score, which is 1 / (1 + exp(-raw_score)).")
    contributions: list[ContributionBody] = Field(description="Those asked for, the largest first.")
    other: float = Field(description="Sum of the contributions that are not listed.")
    left_out: int = Field(
        description="With `reasons=adverse`: how many that raise the risk are kept out of the list, being protected or "
        "beyond what the applicant can change. They still count in the sum."
    )


class ExplainedScore(Score):
    """The score and decision of one applicant, with the reasons if they were asked for."""

    explanation: ExplanationBody | None = Field(None, description="Only with `explain`.")


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

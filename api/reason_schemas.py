"""Response bodies about reasons: part of the wire contract."""

from pydantic import Field

from api.schemas import Body, Score
from shared.explanation import Direction


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

"""Response bodies about reasons: part of the wire contract."""

from pydantic import Field

from api.schemas import Body, Score
from shared.contract.text import Language
from shared.explanation import Direction
from shared.importance import Importance, Source
from shared.models.artifact import Model
from shared.segments import RangeFrom
from shared.what_if import Kind


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


class PointBody(Body):
    """The score that the applicant would have with this value."""

    value: float | bool | str | None = Field(description="None: missing, where that is allowed.")
    score: float


class CurveBody(Body):
    """How the score depends on one feature, all others being as they are."""

    feature: str
    label: str = Field(description="What people call it, in the language of the response.")
    kind: Kind
    value: float | bool | str | None = Field(description="The value that the applicant has.")
    points: list[PointBody] = Field(description="At most 100, in ascending order; a missing value comes last.")
    flips_at: float | bool | str | None = Field(
        description="The nearest value with which the decision is the other one, all else being equal; None if no value in "
        "the range has that effect."
    )
    range_from: RangeFrom = Field(
        description="Whether the contract of the model states the range or the values, or what the trees of the model ask, "
        "and the rows that it brings, show them."
    )


class WhatIfBody(Score):
    """The score of one applicant, and of others who differ in one feature."""

    features: list[CurveBody]


class FeatureImportance(Body):
    """How much one feature weighs."""

    feature: str
    label: str = Field(description="What people call it, in the language of the response.")
    group: str | None = Field(description="Name of its group, if it has one.")
    importance: float = Field(description="Mean of its absolute contributions, in log-odds.")


class GroupImportance(Body):
    """How much the features of a group weigh together."""

    group: str
    label: str
    importance: float = Field(
        description="Mean of the absolute sums of the contributions of its features, in log-odds."
    )


class ModelImportance(Body):
    """How much the features move the score of an applicant on average, the most important first."""

    model_version: str
    rows: int = Field(description="Number of rows that the means are over.")
    source: Source = Field(description="What rows these are: a sample of the training, or else the golden rows.")
    features: list[FeatureImportance]
    groups: list[GroupImportance]

    @classmethod
    def of(cls, importance: Importance, model: Model, language: Language) -> "ModelImportance":
        """Build the body."""
        features = [
            FeatureImportance(
                feature=feature.name,
                label=feature.named(language),
                group=feature.group,
                importance=importance.features[feature.name],
            )
            for feature in model.contract.features
        ]
        groups = [
            GroupImportance(group=group.name, label=group.named(language), importance=importance.groups[group.name])
            for group in model.contract.groups.values()
        ]
        return cls(
            model_version=model.version,
            rows=importance.rows,
            source=importance.source,
            features=sorted(features, key=lambda each: -each.importance),
            groups=sorted(groups, key=lambda each: -each.importance),
        )

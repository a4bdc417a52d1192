"""Scores and their reasons, as frozen dataclasses. Contributions are log-odds of the positive class; rows count from 0."""

from dataclasses import dataclass, field
from typing import Any

from pret.jobs import InvalidValue

RAISES = "raises_risk"
"""The direction of what speaks against the applicant; the other one is lowers_risk."""


@dataclass(frozen=True)
class Contribution:
    """What one feature, or a group of features, adds to the score of a row."""

    feature: str
    """Name of the feature or of the group."""
    contribution: float
    """Log-odds of the positive class."""
    direction: str
    """raises_risk or lowers_risk."""
    reason: str
    """For people, in the language asked for: the model's reason for a refusal if it raises the risk and has one, else the label."""
    label: str = ""
    """What people call the feature or the group."""
    features: tuple[str, ...] | None = None
    """The features of a group; None for a lone feature."""

    @property
    def raises_risk(self) -> bool:
        """Whether it speaks against the applicant."""
        return self.direction == RAISES


@dataclass(frozen=True)
class RowReason:
    """A contribution in the results of a job."""

    feature: str
    """Name of the feature or of the group."""
    contribution: float
    """Log-odds of the positive class."""


@dataclass(frozen=True)
class Explanation:
    """Why a row has its score: the base, all contributions and `other` add up to `raw_score`. All are log-odds."""

    base_value: float
    """The raw score of an average applicant of the training data."""
    raw_score: float
    """The score before the sigmoid."""
    contributions: tuple[Contribution, ...] = ()
    """The largest, by absolute value."""
    other: float = 0.0
    """The sum of those that are not listed."""
    left_out: int = 0
    """How many that raise the risk an applicant must not be told as reasons; they are in `other`."""


@dataclass(frozen=True)
class Score:
    """The result for one row. An invalid row has an `error` and no score."""

    score: float | None
    """Probability of class 1, from 0 to 1."""
    prediction: int | None
    decision: str | None
    threshold: float | None = None
    model_version: str | None = None
    error: str | None = None
    """Why the row has no score, for people: `age: Field required; income: …`."""
    errors: tuple[InvalidValue, ...] | None = None
    """The same for programs; None if the row is scored."""
    kept: dict[str, Any] = field(default_factory=dict)
    """The columns of the input that were asked for with `keep`."""
    explanation: Explanation | None = None
    """Why it has this score; None if that was not asked for."""
    reasons: tuple[RowReason, ...] | None = None
    """Of a job with `explain`: the largest contributions; None for other jobs and for invalid rows."""


@dataclass(frozen=True)
class ResultsPage:
    """Some of the results of a job, in the order of its rows."""

    job_id: str
    total: int
    offset: int
    next_offset: int | None
    results: tuple[Score, ...]
    rows: tuple[int, ...] | None = None
    """With `id`: the number of each row that was found."""


@dataclass(frozen=True)
class JobRow:
    """One row of a job: what was sent, and what came of it."""

    row: int
    inputs: dict[str, Any]
    """As they came, by feature."""
    kept: dict[str, Any] = field(default_factory=dict)
    score: float | None = None
    """None for an invalid row."""
    prediction: int | None = None
    decision: str | None = None
    threshold: float | None = None
    model_version: str | None = None
    errors: tuple[InvalidValue, ...] | None = None
    """What is invalid; None or empty if the row is scored."""
    explanation: Explanation | None = None


@dataclass(frozen=True)
class Point:
    """The score of a row with another value of one feature."""

    value: Any
    """None: the value is missing."""
    score: float


@dataclass(frozen=True)
class Curve:
    """The scores of a row over the range of one feature, all else unchanged."""

    feature: str
    label: str
    kind: str
    """number, whole_number, boolean or category."""
    value: Any
    """That of the row."""
    points: tuple[Point, ...] = ()
    flips_at: Any = None
    """The nearest value that changes the decision; None if there is none."""
    range_from: str | None = None
    """contract or model: whose bounds they are."""


@dataclass(frozen=True)
class WhatIf:
    """The score of a row, and what would become of it with other values."""

    score: float
    prediction: int
    threshold: float
    decision: str
    model_version: str
    features: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class FeatureImportance:
    """How much a feature moves the scores of a model."""

    feature: str
    importance: float
    """Mean absolute contribution, in log-odds."""
    label: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class GroupImportance:
    """How much a group of features moves the scores of a model."""

    group: str
    importance: float
    """Mean absolute contribution, in log-odds."""
    label: str | None = None


@dataclass(frozen=True)
class ModelImportance:
    """What weighs in the model as a whole, the largest first."""

    model_version: str
    rows: int
    """Rows of the sample that it was computed from."""
    source: str
    """training or golden rows."""
    features: tuple[FeatureImportance, ...] = ()
    groups: tuple[GroupImportance, ...] = ()

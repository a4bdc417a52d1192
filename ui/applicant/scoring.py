"""Scoring one applicant with the reasons, in the language of the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pret import Client, Explanation, JobRow, PretError, Rejected, Score
from ui.batch.lines import line_of

REASONS = 5
"""Reasons shown for a score."""
TOLD = 4
"""Reasons given to an applicant at most, as is usual in notices of a refusal."""
NOT_EXPLAINABLE = "explanation-"
"""How the types of what keeps a model from being explained begin."""


@dataclass(frozen=True)
class JobPlace:
    """Where a row of a portfolio is found; `row` counts from 0."""

    job_id: str
    row: int


@dataclass(frozen=True)
class Source:
    """A row of a portfolio: where it is found, and what people know it by."""

    place: JobPlace
    name: str
    """That of the portfolio."""
    line: int
    """Its number, as the portfolio shows it."""
    kept: Mapping[str, Any] = field(default_factory=dict)
    """The columns that are repeated beside the scores."""


@dataclass(frozen=True)
class Scored:
    """The values of an applicant by feature, their score, and its reasons."""

    row: dict[str, Any]
    score: Score
    language: str = "en"
    """That of the reasons."""
    adverse: Explanation | None = None
    """For a refusal: the reasons that the applicant may be told."""
    unexplained: PretError | None = None
    """Why there are no reasons."""
    source: Source | None = None
    """Of a row of a portfolio, scored by the model of its job."""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def scored(client: Client, row: dict[str, Any], language: str) -> Scored:
    """Score a row; raises PretError. A model that cannot be explained still scores."""
    try:
        score = client.score(row, explain=REASONS, language=language)
    except Rejected as error:
        if not _is_unexplained(error):
            raise
        return Scored(row, client.score(row), language, unexplained=error)
    return Scored(row, score, language, _adverse(client, row, score, language))


def scored_row(client: Client, place: JobPlace, language: str) -> Scored:
    """Get a row of a portfolio with its score, which is None if the row is invalid; raises PretError."""
    job = client.job(place.job_id)
    source = Source(place, job.name or job.id[:8], line_of(job.format, place.row))
    try:
        row = client.job_row(place.job_id, place.row, explain=REASONS, language=language)
    except Rejected as error:
        if not _is_unexplained(error):
            raise
        row = client.job_row(place.job_id, place.row)
        return Scored(row.inputs, _score_of(row), language, unexplained=error, source=replace(source, kept=row.kept))
    adverse = None
    if row.prediction == 1 and row.explanation is not None:
        told = client.job_row(place.job_id, place.row, explain=TOLD, reasons="adverse", language=language)
        adverse = told.explanation
    return Scored(row.inputs, _score_of(row), language, adverse, source=replace(source, kept=row.kept))


def _score_of(row: JobRow) -> Score:
    return Score(
        row.score,
        row.prediction,
        row.decision,
        row.threshold,
        row.model_version,
        errors=row.errors,
        explanation=row.explanation,
    )


def in_language(client: Client, known: Scored, language: str) -> Scored:
    """Return the same with its reasons in another language; without reasons, if the model is no longer the same."""
    if known.language == language or known.score.explanation is None:
        return known
    again = scored_row(client, known.source.place, language) if known.source else scored(client, known.row, language)
    if again.score.model_version != known.score.model_version:
        return replace(known, language=language, score=replace(known.score, explanation=None), adverse=None)
    return replace(again, at=known.at)


def _adverse(client: Client, row: dict[str, Any], score: Score, language: str) -> Explanation | None:
    if score.prediction != 1 or score.explanation is None:
        return None
    told = client.score(row, explain=TOLD, reasons="adverse", language=language)
    # In between, the model may have changed.
    return told.explanation if told.model_version == score.model_version else None


def _is_unexplained(error: Rejected) -> bool:
    return error.problem is not None and (error.problem.type or "").startswith(NOT_EXPLAINABLE)

"""Response bodies of the routes about the model and the fleet: a part of the wire contract."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas import Body, ReasonBody, moment
from shared.contract.contract import Contract, Nullability, Row
from shared.fleet.records import Candidate, HistoryEntry, ProcessReport
from shared.fleet.reload import ProcessOutcome, ReloadOutcome
from shared.models.artifact import Model


class ProcessBody(Body):
    """A live process of the service."""

    kind: Literal["api", "worker"]
    host: str
    pid: int
    version: str | None = Field(description="Version that it serves; a worker: that it has ready.")
    since: datetime
    error: ReasonBody | None = Field(description="Why it does not serve the active version.")

    @classmethod
    def of(cls, report: ProcessReport) -> "ProcessBody":
        """Show a report."""
        return cls(
            kind=report.kind,
            host=report.host,
            pid=report.pid,
            version=report.version,
            since=moment(report.since),
            error=ReasonBody.of(report.error),
        )


class CandidateBody(Body):
    """A version that is being made ready."""

    version: str
    by: str
    at: datetime

    @classmethod
    def of(cls, candidate: Candidate) -> "CandidateBody":
        """Show a candidate."""
        return cls(version=candidate.version.id, by=candidate.by, at=moment(candidate.at))


class ModelStatus(Body):
    """The model file and who serves it."""

    file_name: str
    path: str = Field(description="Path within the model folder.")
    size: int = Field(description="Bytes.")
    modified_at: datetime
    version: str = Field(description="Version that this process serves.")
    active_version: str | None = Field(description="Version that the whole fleet should serve; None if Redis is away.")
    candidate: CandidateBody | None = Field(description="Version that a reload is making ready now.")
    converged: bool | None = Field(description="Whether every process has the active version; None if Redis is away.")
    error: ReasonBody | None = Field(description="Why this process does not serve the active version.")
    processes: list[ProcessBody]


class VersionBody(Body):
    """One change of the active version, or an attempt."""

    version: str
    at: datetime
    by: str = Field(description="The admin key's name, or what asked for it.")
    outcome: Literal["activated", "rejected"]
    reason: ReasonBody | None = Field(description="Why it was rejected.")

    @classmethod
    def of(cls, entry: HistoryEntry) -> "VersionBody":
        """Show an entry of the history."""
        reason = ReasonBody.of(entry.reason)
        return cls(version=entry.version, at=moment(entry.at), by=entry.by, outcome=entry.outcome, reason=reason)


class ColumnBody(Body):
    """One feature."""

    name: str
    type: str
    required: bool = Field(description="Whether its key, or its column, must be there.")
    nullable: bool = Field(description="Whether its value may be missing.")
    nullable_because: Nullability = Field(description="Why it may, or may not.")
    description: str | None
    ge: float | None = Field(description="Lowest value accepted.")
    le: float | None = Field(description="Highest value accepted.")
    values: list[str | int] | None = Field(description="The only values accepted.")


class ModelSignature(Body):
    """The features that the model takes, in its order."""

    columns: list[ColumnBody]
    nb_features: int
    ordered: list[list[str]] = Field(description="Lists of features that must not decrease.")
    input_example: dict[str, Any] | None = Field(description="One applicant as the model takes it, or None.")

    @classmethod
    def of(cls, contract: Contract, input_example: Row | None) -> "ModelSignature":
        """Show a contract."""
        columns = [
            ColumnBody(
                name=feature.name,
                type=feature.type,
                required=feature.required,
                nullable=feature.nullable,
                nullable_because=feature.nullable_because,
                description=feature.description,
                ge=feature.ge,
                le=feature.le,
                values=list(feature.values) if feature.values else None,
            )
            for feature in contract.features
        ]
        return cls(
            columns=columns,
            nb_features=len(columns),
            ordered=[list(names) for names in contract.ordered],
            input_example=dict(input_example) if input_example is not None else None,
        )


class ModelInfo(Body):
    """Where the model comes from."""

    version: str
    created_at: datetime | None
    positive_class: str = Field(description="The class that the score is the probability of.")
    recommended_threshold: float
    threshold_origin: str = Field(description="Where the threshold was stated.", examples=["metadata.best_threshold"])
    model_type: str
    classes: list[Any] = Field(description="The two labels, in CatBoost's own order.")
    trees: int
    mlflow_run_id: str | None
    mlflow_model_id: str | None
    mlflow_version: str | None
    integrity: Literal["checksums", "golden rows", "none"] = Field(
        description="What shows that the files are those that were published."
    )
    notes: list[ReasonBody] = Field(description="What was assumed of the model, and what it lacks.")


class ReloadRequest(Body):
    """What to reload; without a body, what the configured revision stands for now."""

    model_config = ConfigDict(extra="forbid")

    revision: str | None = Field(
        None, max_length=200, description="Branch, tag or commit; `previous` for the version that was active before."
    )


class ReloadedProcess(Body):
    """What one process did."""

    kind: str
    host: str
    pid: int
    version_before: str | None
    version: str | None
    seconds: float | None = Field(description="Time until it had the version ready.")
    error: ReasonBody | None = Field(description="Why it could not get the version ready.")

    @classmethod
    def of(cls, outcome: ProcessOutcome) -> "ReloadedProcess":
        """Show what a process did."""
        return cls.model_validate({**vars(outcome), "error": ReasonBody.of(outcome.error)})


class Reload(Body):
    """What a reload did."""

    status: Literal["reloaded", "unchanged"]
    version_before: str | None
    version: str
    positive_class: str | None = Field(
        description="The class that scores are the probability of; None if this process lags behind."
    )
    threshold: float | None
    notes: list[ReasonBody] = Field(description="What was assumed of the model, and what it lacks.")
    processes: list[ReloadedProcess]

    @classmethod
    def of(cls, outcome: ReloadOutcome, model: Model) -> "Reload":
        """Show an outcome, with what this process knows of the model."""
        is_served = model.version == outcome.version
        return cls(
            status=outcome.status,
            version_before=outcome.version_before,
            version=outcome.version,
            positive_class=model.positive_class if is_served else None,
            threshold=model.threshold if is_served else None,
            notes=[ReasonBody.of(note) for note in model.notes] if is_served else [],
            processes=[ReloadedProcess.of(process) for process in outcome.processes],
        )

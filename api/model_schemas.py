"""Response bodies of the routes about the model and the fleet: a part of the wire contract."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas import Body, ReasonBody, moment
from shared.contract.contract import Contract, Row
from shared.fleet.records import Candidate, HistoryEntry, ProcessReport
from shared.fleet.reload import ProcessOutcome, ReloadOutcome


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
    required: bool = Field(description="False: the value may be null or left out.")
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
    recommended_threshold: float
    model_type: str
    classes: list[Any] = Field(description="Class 0 and class 1, as the model was trained.")
    trees: int
    mlflow_run_id: str | None
    mlflow_model_id: str | None
    mlflow_version: str | None


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
    processes: list[ReloadedProcess]

    @classmethod
    def of(cls, outcome: ReloadOutcome) -> "Reload":
        """Show an outcome."""
        processes = [ReloadedProcess.of(process) for process in outcome.processes]
        return cls.model_validate({**vars(outcome), "processes": processes})

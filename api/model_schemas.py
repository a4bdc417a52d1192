"""Response bodies of the model and fleet routes: part of the wire contract."""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.schemas import Body, ReasonBody, moment
from shared.contract.contract import Contract, Feature, Nullability, Row
from shared.contract.text import Language
from shared.fleet.records import Candidate, HistoryEntry, ProcessReport
from shared.fleet.reload import ProcessOutcome, ReloadOutcome
from shared.models.artifact import Model


class ProcessBody(Body):
    """A live process of the service."""

    kind: Literal["api", "worker"]
    host: str
    pid: int
    version: str | None = Field(description="Version that it serves; for a worker, the version that it has ready.")
    since: datetime
    error: ReasonBody | None = Field(description="Why the process does not serve the active version.")

    @classmethod
    def of(cls, report: ProcessReport) -> "ProcessBody":
        """Build the body from a report."""
        return cls(
            kind=report.kind,
            host=report.host,
            pid=report.pid,
            version=report.version,
            since=moment(report.since),
            error=ReasonBody.of(report.error),
        )


class CandidateBody(Body):
    """A version that is being prepared."""

    version: str
    by: str
    at: datetime

    @classmethod
    def of(cls, candidate: Candidate) -> "CandidateBody":
        """Build the body from a candidate."""
        return cls(version=candidate.version.id, by=candidate.by, at=moment(candidate.at))


class ModelStatus(Body):
    """The model file and the processes that serve it."""

    file_name: str
    path: str = Field(description="Path within the model folder.")
    size: int = Field(description="Bytes.")
    modified_at: datetime
    version: str = Field(description="Version that this process serves.")
    active_version: str | None = Field(
        description="Version that the whole fleet should serve; None if Redis is unavailable."
    )
    candidate: CandidateBody | None = Field(description="Version that a reload in progress is preparing.")
    converged: bool | None = Field(
        description="Whether every process has the active version; None if Redis is unavailable."
    )
    error: ReasonBody | None = Field(description="Why this process does not serve the active version.")
    processes: list[ProcessBody]


class VersionBody(Body):
    """One change of the active version, or one failed attempt."""

    version: str
    at: datetime
    by: str = Field(description="Name of the admin key, or the component that requested the change.")
    outcome: Literal["activated", "rejected"]
    reason: ReasonBody | None = Field(description="Why the version was rejected.")

    @classmethod
    def of(cls, entry: HistoryEntry) -> "VersionBody":
        """Build the body from an entry of the history."""
        reason = ReasonBody.of(entry.reason)
        return cls(version=entry.version, at=moment(entry.at), by=entry.by, outcome=entry.outcome, reason=reason)


class ColumnBody(Body):
    """One feature."""

    name: str
    type: str
    required: bool = Field(description="Whether the key or column must be present.")
    nullable: bool = Field(description="Whether the value may be missing.")
    nullable_because: Nullability = Field(description="Why the value may or may not be missing.")
    label: str | None = Field(description="What people call it, in the language of the response.")
    description: str | None
    group: str | None = Field(description="Name of the group whose contributions are told together.")
    group_label: str | None = Field(description="What people call the group.")
    actionable: bool = Field(description="Whether the applicant can do anything about it.")
    protected: bool = Field(description="Whether it is kept out of the reasons for a declined applicant.")
    ge: float | None = Field(description="Lowest value accepted.")
    le: float | None = Field(description="Highest value accepted.")
    values: list[str | int] | None = Field(description="The accepted values, if they are limited.")

    @classmethod
    def of(cls, feature: Feature, contract: Contract, language: Language) -> "ColumnBody":
        """Build the body from a feature."""
        group = contract.groups[feature.group] if feature.group else None
        return cls(
            name=feature.name,
            type=feature.type,
            required=feature.required,
            nullable=feature.nullable,
            nullable_because=feature.nullable_because,
            label=feature.label.said(language) if feature.label else None,
            description=feature.described(language),
            group=feature.group,
            group_label=group.label.said(language) if group and group.label else None,
            actionable=feature.actionable,
            protected=feature.protected,
            ge=feature.ge,
            le=feature.le,
            values=list(feature.values) if feature.values else None,
        )


class ModelSignature(Body):
    """The features of the model, in its order."""

    columns: list[ColumnBody]
    nb_features: int
    ordered: list[list[str]] = Field(
        description="Lists of features whose values must not decrease from one to the next."
    )
    input_example: dict[str, Any] | None = Field(description="An example applicant, or None.")

    @classmethod
    def of(cls, contract: Contract, input_example: Row | None, language: Language) -> "ModelSignature":
        """Build the body from a contract."""
        columns = [ColumnBody.of(feature, contract, language) for feature in contract.features]
        return cls(
            columns=columns,
            nb_features=len(columns),
            ordered=[list(names) for names in contract.ordered],
            input_example=dict(input_example) if input_example is not None else None,
        )


class EvaluatorBody(Body):
    """The library that evaluates the trees."""

    name: str = Field(description="The library and its version.", examples=["pylignum 0.3.0"])
    reason: ReasonBody = Field(description="Why this one scores the model; all give the same bits.")

    @classmethod
    def of(cls, model: Model) -> "EvaluatorBody":
        """Build the body from a model."""
        return cls(name=model.scorer.evaluator.name, reason=ReasonBody.model_validate(model.evaluation.as_dict()))


class ModelInfo(Body):
    """The origin of the model."""

    version: str
    created_at: datetime | None
    positive_class: str = Field(description="The class whose probability is the score.")
    recommended_threshold: float
    threshold_origin: str = Field(description="Where the threshold is defined.", examples=["metadata.best_threshold"])
    model_type: str
    classes: list[Any] = Field(description="The two labels, in CatBoost's own order.")
    trees: int
    mlflow_run_id: str | None
    mlflow_model_id: str | None
    mlflow_version: str | None
    integrity: Literal["checksums", "golden rows", "none"] = Field(
        description="How the files were verified to be the published ones."
    )
    evaluator: EvaluatorBody
    notes: list[ReasonBody] = Field(description="Assumptions made about the model, and what it lacks.")


class ReloadRequest(Body):
    """What to reload; without a body, the configured revision is resolved again."""

    model_config = ConfigDict(extra="forbid")

    revision: str | None = Field(
        None, max_length=200, description="Branch, tag or commit; `previous` for the previously active version."
    )


class ReloadedProcess(Body):
    """The outcome on one process."""

    kind: str
    host: str
    pid: int
    version_before: str | None
    version: str | None
    seconds: float | None = Field(description="Time taken to prepare the version.")
    error: ReasonBody | None = Field(description="Why the process could not prepare the version.")

    @classmethod
    def of(cls, outcome: ProcessOutcome) -> "ReloadedProcess":
        """Build the body from the outcome on one process."""
        return cls.model_validate({**vars(outcome), "error": ReasonBody.of(outcome.error)})


class Reload(Body):
    """The outcome of a reload."""

    status: Literal["reloaded", "unchanged"]
    version_before: str | None
    version: str
    positive_class: str | None = Field(
        description="The class whose probability is the score; None if this process lags behind."
    )
    threshold: float | None
    notes: list[ReasonBody] = Field(description="Assumptions made about the model, and what it lacks.")
    processes: list[ReloadedProcess]

    @classmethod
    def of(cls, outcome: ReloadOutcome, model: Model) -> "Reload":
        """Build the body from an outcome and what this process knows about the model."""
        is_served = model.version == outcome.version
        return cls(
            status=outcome.status,
            version_before=outcome.version_before,
            version=outcome.version,
            positive_class=model.positive_class if is_served else None,
            threshold=model.threshold if is_served else None,
            notes=ReasonBody.all_of(model.notes) if is_served else [],
            processes=[ReloadedProcess.of(process) for process in outcome.processes],
        )

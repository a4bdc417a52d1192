"""What the service answers of models, processes and itself, as frozen dataclasses, as `pret.jobs` has it of jobs.

Times are aware datetimes, durations are seconds, rows count from 0.
Fields that a newer service adds are ignored; fields that an older one leaves out have their default.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pret.formats import Encoding, Format
from pret.jobs import InvalidValue, Reason


@dataclass(frozen=True)
class Process:
    """A live process of the service and the version that it serves."""

    kind: str
    host: str
    pid: int
    version: str | None = None
    since: datetime | None = None
    error: Reason | None = None


@dataclass(frozen=True)
class Candidate:
    """A version that a reload is preparing."""

    version: str
    by: str
    at: datetime


@dataclass(frozen=True)
class ModelStatus:
    """The model file and who serves it."""

    file_name: str
    version: str
    path: str | None = None
    size: int | None = None
    """Bytes."""
    modified_at: datetime | None = None
    active_version: str | None = None
    candidate: Candidate | None = None
    converged: bool | None = None
    """Whether every process serves the active version; None if that is unknown."""
    error: Reason | None = None
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True)
class Column:
    """One feature of the model."""

    name: str
    type: str
    required: bool = True
    """Whether its key, or its column, must be there."""
    nullable: bool | None = None
    """Whether its value may be missing; None from a service that does not say it."""
    nullable_because: str | None = None
    """Why it may, or may not: stated, optional, gaps-in-training, no-gaps-in-training, missing-category, …"""
    label: str | None = None
    """Its name for people; None if the model has none."""
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    values: tuple[Any, ...] | None = None
    group: str | None = None
    """The group that its contributions are summed in."""
    group_label: str | None = None
    actionable: bool = True
    """Whether an applicant can do something about it."""
    protected: bool = False
    """Whether no reason given to an applicant may name it."""

    @property
    def may_be_missing(self) -> bool:
        """Whether a row may lack its value."""
        return not self.required if self.nullable is None else self.nullable


@dataclass(frozen=True)
class ModelSignature:
    """The features of the model, in its order."""

    columns: tuple[Column, ...]
    nb_features: int
    ordered: tuple[tuple[str, ...], ...] = ()
    """Lists of features whose values must not decrease."""
    input_example: dict[str, Any] | None = None
    """One applicant, by feature; None if the model comes without an example."""


@dataclass(frozen=True)
class Evaluator:
    """The library that evaluates the trees of the model; all give the same bits."""

    name: str
    """With its version, such as pylignum 0.3.0."""
    reason: Reason | None = None
    """Why it is this one."""


@dataclass(frozen=True)
class ModelInfo:
    """Where the model comes from."""

    version: str
    recommended_threshold: float | None = None
    created_at: datetime | None = None
    model_type: str | None = None
    classes: tuple[Any, ...] = ()
    trees: int | None = None
    mlflow_run_id: str | None = None
    mlflow_model_id: str | None = None
    mlflow_version: str | None = None
    threshold_origin: str | None = None
    """Where the threshold was stated, such as metadata.best_threshold; DEFAULT_THRESHOLD if nowhere."""
    positive_class: str | None = None
    """The class that the score is the probability of."""
    integrity: str | None = None
    """What shows that the files are those that were published: checksums, golden rows or none."""
    evaluator: Evaluator | None = None
    notes: tuple[Reason, ...] = ()
    """What was assumed of the model, and what it lacks."""


@dataclass(frozen=True)
class Version:
    """One change of the active version, or an attempt at one."""

    version: str
    at: datetime
    by: str
    outcome: str
    """activated or rejected."""
    reason: Reason | None = None


@dataclass(frozen=True)
class Caller:
    """The holder of a key."""

    name: str
    scopes: tuple[str, ...] = ()
    """score, jobs, read or admin, with what these imply."""


@dataclass(frozen=True)
class AuditEntry:
    """A change, or a request that was not let in."""

    at: datetime
    who: str
    what: str
    outcome: str
    """done, or the type of the problem."""
    about: str | None = None
    """The version, the job or the key that it is about."""
    request_id: str | None = None


@dataclass(frozen=True)
class AuditPage:
    """Some of the entries of the audit, newest first."""

    entries: tuple[AuditEntry, ...]
    total: int
    next_offset: int | None = None


@dataclass(frozen=True)
class ReloadedProcess:
    """What one process did in a reload."""

    kind: str
    host: str
    pid: int
    version_before: str | None = None
    version: str | None = None
    seconds: float | None = None
    error: Reason | None = None


@dataclass(frozen=True)
class Reload:
    """The outcome of a reload."""

    status: str
    """reloaded or unchanged."""
    version: str
    version_before: str | None = None
    processes: tuple[ReloadedProcess, ...] = ()


@dataclass(frozen=True)
class Part:
    """One part of the service."""

    status: str
    """ok or down."""
    detail: str | None = None
    """A sentence for people."""
    type: str | None = None
    """Such as workers-running or redis-unavailable."""
    params: dict[str, Any] = field(default_factory=dict)
    """The facts in the detail, such as `count`."""


@dataclass(frozen=True)
class Health:
    """The state of the service: ready, degraded (only single scoring works) or not ready."""

    status: str
    parts: dict[str, Part]
    queues: dict[str, int] | None = None
    """Waiting tasks by queue (quick, chunks, files); None while Redis is down."""


@dataclass(frozen=True)
class ServiceVersion:
    """The version of the service."""

    version: str


@dataclass(frozen=True)
class Limits:
    """What the service accepts at most; None if it does not say."""

    keep: int | None = None
    """Columns beside the scores."""
    page: int | None = None
    """Rows of a page of results."""
    jobs_page: int | None = None
    wait: float | None = None
    """Seconds that a call may wait for its scores."""
    body_bytes: int | None = None
    """Of a JSON body."""
    file_bytes: int | None = None
    """Of a file, before and after decompression."""
    row_bytes: int | None = None


@dataclass(frozen=True)
class Capabilities:
    """What the service can do."""

    version: str
    formats: tuple[Format, ...] = ()
    encodings: tuple[Encoding, ...] = ()
    result_columns: tuple[str, ...] = ()
    """Names that no kept column may have."""
    limits: Limits = Limits()
    on_invalid: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """An error response (RFC 9457)."""

    status: int
    type: str | None = None
    """Such as unknown-job; None if the response is not one of the service."""
    detail: Any = None
    """A sentence, or a list of `{loc, msg, type}` for invalid rows and parameters."""
    params: dict[str, Any] = field(default_factory=dict)
    """The facts in the sentence, such as `limit`."""
    request_id: str | None = None
    """Names the request in the logs of the service."""
    errors: tuple[InvalidValue, ...] = ()
    """Of invalid rows: the first invalid values."""
    invalid_rows: int | None = None
    invalid_values: int | None = None
    processes: tuple[ReloadedProcess, ...] = ()
    """Of a rejected reload: what each process did."""
    retry_after: float | None = None
    """Seconds after which to try again."""

"""What the service answers, as frozen dataclasses: times are aware datetimes, durations seconds, rows count from 0.

What a newer service adds is ignored, and what an older one leaves out is None.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class RowError:
    """Why a row is refused; without `row` it is the only one, or all of them are meant."""

    reason: str
    row: int | None = None
    column: str | None = None
    type: str | None = None


@dataclass(frozen=True)
class Report:
    """Why a file was refused: the first errors of `total`."""

    total: int
    errors: tuple[RowError, ...] = ()


@dataclass(frozen=True)
class Job:
    """A batch and its progress."""

    id: str
    state: str
    """queued, running, succeeded, failed or cancelled."""
    stage: str | None = None
    """reading, scoring or writing: what it does or waits for; None when it has ended."""
    name: str | None = None
    format: str | None = None
    model_version: str | None = None
    threshold: float | None = None
    on_invalid: str | None = None
    keep: tuple[str, ...] = ()
    rows: int | None = None
    """Rows of the input; None until it is read."""
    rows_read: int = 0
    rows_done: int = 0
    granted: int = 0
    refused: int = 0
    invalid: int = 0
    """Rows that the contract of the model refuses, with `on_invalid="flag"`."""
    chunks: int | None = None
    rows_per_second: float | None = None
    eta_seconds: float | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    seconds: float | None = None
    """From submission to the end; None while it lasts."""
    error: str | None = None
    report: Report | None = None
    """Only where this one job was asked for."""

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL_STATES


@dataclass(frozen=True)
class JobPage:
    """Some of the jobs, newest first."""

    jobs: tuple[Job, ...]
    total: int
    next_offset: int | None = None


@dataclass(frozen=True)
class Score:
    """The answer for one row. Flagged rows have an `error` and no score."""

    score: float | None
    """Probability of class 1, from 0 to 1."""
    prediction: int | None
    decision: str | None
    threshold: float | None = None
    model_version: str | None = None
    error: str | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    """The columns of the input that were to be kept."""


@dataclass(frozen=True)
class ResultsPage:
    """Some of the results of a job, in the order of its rows."""

    job_id: str
    total: int
    offset: int
    next_offset: int | None
    results: tuple[Score, ...]


@dataclass(frozen=True)
class Process:
    """A live process of the service and the version that it serves."""

    kind: str
    host: str
    pid: int
    version: str | None = None
    since: datetime | None = None
    error: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A version that a reload is making ready."""

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
    """Whether every process has the active version; None if that is not known."""
    error: str | None = None
    processes: tuple[Process, ...] = ()


@dataclass(frozen=True)
class Column:
    """One feature of the model; it may be missing unless it is required."""

    name: str
    type: str
    required: bool = True
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    values: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class ModelSignature:
    """The features that the model takes, in its order."""

    columns: tuple[Column, ...]
    nb_features: int
    ordered: tuple[tuple[str, ...], ...] = ()
    """Lists of features that must not decrease."""
    input_example: dict[str, Any] | None = None
    """One applicant as the model takes it, by feature; None where the model brings none along."""


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


@dataclass(frozen=True)
class Version:
    """One change of the active version, or an attempt."""

    version: str
    at: datetime
    by: str
    outcome: str
    """activated or refused."""
    reason: str | None = None


@dataclass(frozen=True)
class ReloadedProcess:
    """What one process did in a reload."""

    kind: str
    host: str
    pid: int
    version_before: str | None = None
    version: str | None = None
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Reload:
    """What a reload did."""

    status: str
    """reloaded or unchanged."""
    version: str
    version_before: str | None = None
    processes: tuple[ReloadedProcess, ...] = ()


@dataclass(frozen=True)
class Part:
    """One part of the service."""

    status: str
    detail: str | None = None


@dataclass(frozen=True)
class Health:
    """What is up: ready, degraded (single scoring works) or not ready."""

    status: str
    parts: dict[str, Part]
    queues: dict[str, int] | None = None
    """Tasks that wait, by queue (quick, chunks, files); None while Redis is away."""


@dataclass(frozen=True)
class ServiceVersion:
    """Which version of the service answers."""

    version: str


@dataclass(frozen=True)
class Problem:
    """An answer that is an error (RFC 9457)."""

    status: int
    kind: str | None = None
    """The last part of its `type`, such as unknown-job."""
    detail: Any = None
    total: int | None = None
    retry_after: float | None = None
    """Seconds after which the service wants to be asked again."""
    processes: tuple[ReloadedProcess, ...] = ()
    """Of a refused reload: what each process did."""

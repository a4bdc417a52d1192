"""Response bodies: the wire contract."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contract.contract import Contract, Row
from shared.errors import RowError
from shared.fleet.records import Candidate, HistoryEntry, ProcessReport
from shared.fleet.reload import ReloadOutcome
from shared.formats.format import Format
from shared.jobs.job import Job, JobState, OnInvalid, Stage
from shared.scoring import Decision


class Body(BaseModel):
    """Base of all bodies."""

    model_config = ConfigDict(protected_namespaces=())


class Score(Body):
    """The answer for one applicant."""

    score: float = Field(description="Probability of class 1, from 0 to 1, unrounded.", examples=[0.1234])
    prediction: Literal[0, 1] = Field(description="1 if the score reaches the threshold, else 0.")
    threshold: float = Field(description="Threshold of the model version.", examples=[0.5])
    decision: Decision = Field(description="Accordé for prediction 0, Refusé for 1.")
    model_version: str = Field(description="Model version that scored.", examples=["local-0123456789ab"])


class RefusedRow(Body):
    """One reason why a row of a file is refused."""

    row: int | None = Field(description="Number of the row, from 0.")
    column: str | None
    reason: str

    @classmethod
    def of(cls, error: RowError) -> "RefusedRow":
        """Show an error."""
        return cls(row=error.row, column=error.feature, reason=error.reason)


class Report(Body):
    """The refused rows of a job."""

    total: int = Field(description="Number of refusals; a row may have several.")
    errors: list[RefusedRow] = Field(description="The first ones.")


class JobBody(Body):
    """A job and its progress."""

    id: str
    state: JobState = Field(description="queued, running, succeeded, failed or cancelled.")
    stage: Stage | None = Field(description="What an open job waits for or does: reading, scoring or writing.")
    name: str | None = Field(description="Name of the file.")
    format: Format = Field(description="What the rows came in.")
    model_version: str = Field(description="Model version that scores every row of the job.")
    threshold: float
    on_invalid: OnInvalid = Field(description="reject: bad rows fail the job; flag: they get a reason and no score.")
    keep: list[str] = Field(description="Columns that are repeated in the results.")
    rows: int | None = Field(description="Rows submitted; None until the file is read.")
    rows_read: int = Field(description="Rows read so far.")
    rows_done: int = Field(description="Rows scored or flagged so far.")
    granted: int = Field(description="Of these, rows below the threshold.")
    refused: int = Field(description="Of these, rows from the threshold up.")
    invalid: int = Field(description="Of these, rows that break the feature contract and have no score.")
    chunks: int | None = Field(description="Pieces that the workers score one by one; None until the file is read.")
    rows_per_second: float | None = Field(description="Speed of the scoring so far.")
    eta_seconds: float | None = Field(description="Time until all rows are scored, at this speed; None if unknown.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When the job and its results are removed.")
    seconds: float | None = Field(description="From submission to the end, or None while it lasts.")
    error: str | None = Field(description="Why the job failed.")
    report: Report | None = Field(None, description="The refused rows; in the answer about this one job only.")

    @classmethod
    def of(cls, job: Job, report: Report | None = None) -> "JobBody":
        """Show a job."""
        same = {name: getattr(job, name) for name in cls.model_fields.keys() & Job.__dataclass_fields__.keys()}
        times = {name: moment(same[name]) if same[name] else None for name in same if name.endswith("_at")}
        speed, eta = _speed(job)
        own = {
            "stage": None if job.state.is_final else job.stage,
            "keep": list(job.keep),
            "chunks": job.chunks,
            "rows_per_second": speed,
            "eta_seconds": eta,
            "seconds": job.finished_at - job.created_at if job.finished_at else None,
            "report": report,
        }
        return cls.model_validate(same | times | own)


def _speed(job: Job) -> tuple[float | None, float | None]:
    """Give rows a second since the first chunk was begun, and the seconds that the rest takes at that speed."""
    if job.scoring_at is None or not job.rows_done or job.rows is None:
        return None, None
    seconds = (job.finished_at or time.time()) - job.scoring_at
    if seconds <= 0:
        return None, None
    speed = job.rows_done / seconds
    return round(speed, 1), None if job.state.is_final else round((job.rows - job.rows_done) / speed, 1)


class JobsPage(Body):
    """Some of the jobs, newest first."""

    jobs: list[JobBody]
    total: int = Field(description="Jobs in all, of the state that was asked for.")
    next_offset: int | None = Field(description="Where the next page begins, or None at the end.")


class Result(Body):
    """The answer for one row of a job; before it come the columns that were asked to be kept."""

    model_config = ConfigDict(protected_namespaces=(), extra="allow")

    score: float | None = Field(description="Probability of class 1; None if the row breaks the feature contract.")
    prediction: Literal[0, 1] | None
    threshold: float
    decision: Decision | None
    model_version: str
    error: str | None = Field(None, description="With on_invalid=flag: why the row has no score.")


class ResultsPage(Body):
    """Some of the results of a job, in the order of its rows."""

    job_id: str
    total: int = Field(description="Rows of the whole job.")
    offset: int = Field(description="Number of the first row here, from 0.")
    next_offset: int | None = Field(description="Where the next page begins, or None at the end.")
    results: list[Result]


class Health(Body):
    """The process answers."""

    status: Literal["ok"] = "ok"
    version: str = Field(description="Version of the service.")


class ServiceVersion(Body):
    """Which version of the service answers."""

    version: str = Field(examples=["0.1.0"])


class FormatBody(Body):
    """One format of rows and results."""

    name: Format
    media_types: list[str] = Field(description="As HTTP names it; results are sent as the first one.")
    endings: list[str] = Field(description="Of files' names.")
    readable: bool
    writable: bool = Field(description="Whether the results come in it as one file; JSON comes in pages.")


class EncodingBody(Body):
    """One compression of bodies and files."""

    name: str
    endings: list[str]


class LimitsBody(Body):
    """Numbers that this service does not go beyond."""

    keep: int = Field(description="Columns that are kept.")
    page: int = Field(description="Rows in a page of results.")
    jobs_page: int = Field(description="Jobs in a page.")
    wait: float = Field(description="Seconds of `Prefer: wait`.")
    row_bytes: int = Field(description="Bytes of a single row.")
    body_bytes: int = Field(description="Bytes of a JSON body.")
    file_bytes: int = Field(description="Bytes of a file, before and after decompression.")


class Capabilities(Body):
    """What this service takes and gives, for clients that would else keep such lists themselves."""

    version: str
    formats: list[FormatBody]
    encodings: list[EncodingBody]
    result_columns: list[str] = Field(description="Names of the results' own columns, which no kept column can have.")
    on_invalid: list[OnInvalid]
    limits: LimitsBody


class Part(Body):
    """One part of the service."""

    status: Literal["ok", "down"]
    detail: str | None = None


class Readiness(Body):
    """What is up. `ready` asks for a model only: single scoring works without the rest."""

    status: Literal["ready", "degraded", "not ready"]
    parts: dict[str, Part]
    queues: dict[str, int] | None = Field(description="Tasks that wait, by queue; None while Redis is away.")


class ProcessBody(Body):
    """A live process of the service."""

    kind: Literal["api", "worker"]
    host: str
    pid: int
    version: str | None = Field(description="Version that it serves; a worker: that it has ready.")
    since: datetime
    error: str | None = Field(description="Why it does not serve the active version.")

    @classmethod
    def of(cls, report: ProcessReport) -> "ProcessBody":
        """Show a report."""
        return cls(
            kind=report.kind,
            host=report.host,
            pid=report.pid,
            version=report.version,
            since=moment(report.since),
            error=report.error,
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
    error: str | None = Field(description="Why this process does not serve the active version.")
    processes: list[ProcessBody]


class VersionBody(Body):
    """One change of the active version, or an attempt."""

    version: str
    at: datetime
    by: str = Field(description="The admin key's name, or what asked for it.")
    outcome: Literal["activated", "refused"]
    reason: str | None

    @classmethod
    def of(cls, entry: HistoryEntry) -> "VersionBody":
        """Show an entry of the history."""
        return cls(version=entry.version, at=moment(entry.at), by=entry.by, outcome=entry.outcome, reason=entry.reason)


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
    error: str | None


class Reload(Body):
    """What a reload did."""

    status: Literal["reloaded", "unchanged"]
    version_before: str | None
    version: str
    processes: list[ReloadedProcess]

    @classmethod
    def of(cls, outcome: ReloadOutcome) -> "Reload":
        """Show an outcome."""
        return cls.model_validate(asdict(outcome))


def moment(seconds: float) -> datetime:
    """Turn seconds since the epoch into a UTC time."""
    return datetime.fromtimestamp(seconds, UTC)

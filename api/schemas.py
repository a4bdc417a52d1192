"""Response bodies: the wire contract. Those about the model stand in `api.model_schemas`."""

import time
from datetime import UTC, datetime
from typing import Any, Literal, overload

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Report
from shared.formats.format import Format
from shared.jobs.job import Job, JobState, OnInvalid, Stage
from shared.reasons import INVALID_VALUES, REASONS, Reason
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


class ReasonBody(Body):
    """Why something is not as it should be."""

    type: str = Field(
        description="A stable name, one of `x-types`.",
        examples=["storage-full"],
        json_schema_extra={"x-types": list(REASONS)},
    )
    message: str = Field(description="A sentence for people.")
    params: dict[str, Any] = Field(
        description="What the sentence is made with: numbers, texts, lists of names, or a reason within the reason."
    )

    @overload
    @classmethod
    def of(cls, reason: Reason) -> "ReasonBody": ...

    @overload
    @classmethod
    def of(cls, reason: None) -> None: ...

    @classmethod
    def of(cls, reason: Reason | None) -> "ReasonBody | None":
        """Show a reason, if there is one."""
        return None if reason is None else cls.model_validate(reason.as_dict())


VALUE_TYPE = Field(
    description="A stable name, one of `x-types`.",
    examples=["greater_than_equal"],
    json_schema_extra={"x-types": list(INVALID_VALUES)},
)
VALUE_PARAMS = Field(description="What the message is made with, such as `limit`; never the value itself.")


class InvalidValueBody(Body):
    """A value that breaks the feature contract."""

    row: int | None = Field(description="Number of the row, from 0; None for a lone row.")
    column: str | None = Field(description="None where no one column is meant.")
    type: str = VALUE_TYPE
    message: str
    params: dict[str, Any] = VALUE_PARAMS


class InvalidInRow(Body):
    """The same, in the results of the row."""

    column: str | None
    type: str = VALUE_TYPE
    message: str
    params: dict[str, Any] = VALUE_PARAMS


class ReportBody(Body):
    """What is invalid in the rows of a job."""

    invalid_rows: int = Field(
        description="Number of invalid rows. If rows are rejected as they come, as JSON, counting may stop at a million "
        "invalid values: then at least so many are invalid."
    )
    invalid_values: int = Field(description="Number of invalid values; a row may have several.")
    errors: list[InvalidValueBody] = Field(description="The first 100 invalid values.")

    @classmethod
    def of(cls, report: Report) -> "ReportBody | None":
        """Show a report, if there is anything to report."""
        return cls.model_validate(report.as_dict()) if report.invalid_values else None


class JobBody(Body):
    """A job and its progress."""

    id: str
    state: JobState = Field(description="queued, running, succeeded, failed or cancelled.")
    stage: Stage | None = Field(description="What an open job waits for or does: reading, scoring or writing.")
    name: str | None = Field(description="Name of the file.")
    format: Format = Field(description="What the rows came in.")
    model_version: str = Field(description="Model version that scores every row of the job.")
    threshold: float
    on_invalid: OnInvalid = Field(
        description="reject: invalid rows fail the job; flag: they are reported and have no score."
    )
    keep: list[str] = Field(description="Columns that are repeated in the results.")
    rows: int | None = Field(description="Rows submitted; None until the file is read.")
    rows_read: int = Field(description="Rows read so far.")
    rows_done: int = Field(description="Rows scored or flagged so far.")
    granted: int = Field(description="Of these, rows below the threshold.")
    refused: int = Field(description="Of these, rows from the threshold up.")
    invalid: int = Field(description="Of these, rows that break the feature contract and so have no score.")
    chunks: int | None = Field(description="Pieces that the workers score one by one; None until the file is read.")
    rows_per_second: float | None = Field(description="Speed of the scoring so far.")
    eta_seconds: float | None = Field(description="Time until all rows are scored, at this speed; None if unknown.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When the job and its results are removed.")
    seconds: float | None = Field(description="From submission to the end, or None while it lasts.")
    error: ReasonBody | None = Field(description="Why the job failed.")
    report: ReportBody | None = Field(None, description="What is invalid; in the answer about this one job only.")

    @classmethod
    def of(cls, job: Job, report: ReportBody | None = None) -> "JobBody":
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
            "error": ReasonBody.of(job.error),
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
    error: str | None = Field(None, description="With on_invalid=flag: why the row has no score, for people.")
    errors: list[InvalidInRow] | None = Field(None, description="With on_invalid=flag: the invalid values of the row.")


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
    detail: str | None = Field(description="A sentence for people.")
    type: str = Field(description="A stable name for it, as in `ReasonBody`.", examples=["workers-running"])
    params: dict[str, Any] = Field(description="What the sentence is made with, such as `count`.")

    @classmethod
    def of(cls, status: Literal["ok", "down"], reason: Reason) -> "Part":
        """Show a part that is up or down."""
        return cls(status=status, detail=reason.message, type=reason.type, params=dict(reason.params))


class Readiness(Body):
    """What is up. `ready` asks for a model only: single scoring works without the rest."""

    status: Literal["ready", "degraded", "not ready"]
    parts: dict[str, Part]
    queues: dict[str, int] | None = Field(description="Tasks that wait, by queue; None while Redis is away.")


def moment(seconds: float) -> datetime:
    """Turn seconds since the epoch into a UTC time."""
    return datetime.fromtimestamp(seconds, UTC)

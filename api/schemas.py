"""Response bodies: the wire contract. Those about the model are in `api.model_schemas`."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.audit import Entry
from shared.errors import Report
from shared.formats.format import Format
from shared.jobs.job import Job, JobState, OnInvalid, Stage
from shared.keys import Scope
from shared.reasons import Reason
from shared.scoring import Decision
from shared.sentences import INVALID_VALUES, REASONS


class Body(BaseModel):
    """Base class of all bodies."""

    model_config = ConfigDict(protected_namespaces=())


class Score(Body):
    """The score and decision of one applicant."""

    score: float = Field(description="Probability of class 1, from 0 to 1, unrounded.", examples=[0.1234])
    prediction: Literal[0, 1] = Field(description="1 if the score reaches the threshold, else 0.")
    threshold: float = Field(description="Threshold of the model version.", examples=[0.5])
    decision: Decision = Field(description="Accordé for prediction 0, Refusé for 1.")
    model_version: str = Field(description="Model version that computed the score.", examples=["local-0123456789ab"])


class ReasonBody(Body):
    """Why something failed or is invalid."""

    type: str = Field(
        description="A stable name, one of `x-types`.",
        examples=["storage-full"],
        json_schema_extra={"x-types": list(REASONS)},
    )
    message: str = Field(description="A sentence for people.")
    params: dict[str, Any] = Field(
        description="Parameters of the sentence: numbers, strings, lists of names, or a nested reason."
    )

    @classmethod
    def of(cls, reason: Reason | None) -> "ReasonBody | None":
        """Build the body from a reason, if there is one."""
        return None if reason is None else cls.model_validate(reason.as_dict())

    @classmethod
    def all_of(cls, reasons: Iterable[Reason]) -> "list[ReasonBody]":
        """Show several."""
        return [cls.model_validate(reason.as_dict()) for reason in reasons]


VALUE_TYPE = Field(
    description="A stable name, one of `x-types`.",
    examples=["greater_than_equal"],
    json_schema_extra={"x-types": list(INVALID_VALUES)},
)
VALUE_PARAMS = Field(description="Parameters of the message, such as `limit`; never the value itself.")


class InvalidValueBody(Body):
    """A value that breaks the feature contract."""

    row: int | None = Field(description="Row number, from 0; None for a single applicant.")
    column: str | None = Field(description="Column name; None if the error is not about a single column.")
    type: str = VALUE_TYPE
    message: str
    params: dict[str, Any] = VALUE_PARAMS


class InvalidInRow(Body):
    """An invalid value, in the results of its row."""

    column: str | None
    type: str = VALUE_TYPE
    message: str
    params: dict[str, Any] = VALUE_PARAMS


class ReportBody(Body):
    """The invalid rows and values of a job."""

    invalid_rows: int = Field(
        description="Number of invalid rows. For JSON submissions that are rejected at once, counting may stop at a million "
        "invalid values; the number is then a lower bound."
    )
    invalid_values: int = Field(description="Number of invalid values; a row may have several.")
    errors: list[InvalidValueBody] = Field(description="The first 100 invalid values.")

    @classmethod
    def of(cls, report: Report) -> "ReportBody | None":
        """Build the body from a report, if there is anything to report."""
        return cls.model_validate(report.as_dict()) if report.invalid_values else None


class JobBody(Body):
    """A job and its progress."""

    id: str
    state: JobState = Field(description="queued, running, succeeded, failed or cancelled.")
    stage: Stage | None = Field(description="Current stage of an open job: reading, scoring or writing.")
    owner: str | None = Field(description="Name of the key that submitted it; None if it came without one.")
    name: str | None = Field(description="Name of the file.")
    format: Format = Field(description="Format of the submitted rows.")
    model_version: str = Field(description="Model version that scores every row of the job.")
    threshold: float
    on_invalid: OnInvalid = Field(
        description="reject: invalid rows fail the job; flag: invalid rows are reported and not scored."
    )
    keep: list[str] = Field(description="Columns repeated in the results.")
    explain: int | None = Field(description="Reasons given for each score; None without reasons.")
    rows: int | None = Field(description="Number of submitted rows; None until the file has been read.")
    rows_read: int = Field(description="Rows read so far.")
    rows_done: int = Field(description="Rows scored or flagged so far.")
    granted: int = Field(description="Of these, rows with a score below the threshold.")
    refused: int = Field(description="Of these, rows with a score at or above the threshold.")
    invalid: int = Field(description="Of these, rows that break the feature contract and therefore have no score.")
    unseen_categories: dict[str, int] = Field(
        description="By category feature, of the rows scored those with a category that was not in the training of the "
        "model, which scores all such categories alike. Features of which the model cannot tell are left out."
    )
    chunks: int | None = Field(
        description="Number of chunks that the workers score; None until the file has been read."
    )
    rows_per_second: float | None = Field(description="Average scoring speed so far.")
    eta_seconds: float | None = Field(description="Estimated time until all rows are scored; None if unknown.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When the job and its results are removed.")
    seconds: float | None = Field(description="Time from submission to the end; None until the job has ended.")
    error: ReasonBody | None = Field(description="Why the job failed.")
    report: ReportBody | None = Field(None, description="Invalid rows; only in the response for a single job.")

    @classmethod
    def of(cls, job: Job, report: ReportBody | None = None) -> "JobBody":
        """Build the body from a job."""
        same = {name: getattr(job, name) for name in cls.model_fields.keys() & Job.__dataclass_fields__.keys()}
        times = {name: moment(same[name]) if same[name] else None for name in same if name.endswith("_at")}
        speed, eta = _speed(job)
        own = {
            "stage": None if job.state.is_final else job.stage,
            "keep": list(job.keep),
            "unseen_categories": dict(job.unseen_categories),
            "chunks": job.chunks,
            "rows_per_second": speed,
            "eta_seconds": eta,
            "seconds": job.finished_at - job.created_at if job.finished_at else None,
            "error": ReasonBody.of(job.error),
            "report": report,
        }
        return cls.model_validate(same | times | own)


def _speed(job: Job) -> tuple[float | None, float | None]:
    """Return the rows per second since the first chunk was started, and the seconds left at that speed."""
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
    total: int = Field(description="Total number of jobs in the requested state.")
    next_offset: int | None = Field(description="Where the next page begins, or None at the end.")


class ReasonOfScore(Body):
    """What a feature, or a group of them, contributes to a score."""

    feature: str = Field(description="Name of the feature or group.")
    contribution: float = Field(description="In log-odds of the positive class, unrounded; above 0 it raises the risk.")


class ReasonedScore(Score):
    """The score and decision of one applicant of a batch, with the reasons if they are wanted."""

    reasons: list[ReasonOfScore] | None = Field(
        None, description="Only with explain=K: what contributes most, largest first."
    )


class Result(Body):
    """The result of one row of a job; kept columns come first."""

    model_config = ConfigDict(protected_namespaces=(), extra="allow")

    score: float | None = Field(description="Probability of class 1; None if the row breaks the feature contract.")
    prediction: Literal[0, 1] | None
    threshold: float
    decision: Decision | None
    model_version: str
    reasons: list[ReasonOfScore] | None = Field(
        None, description="With explain=K: what contributes most, largest first; None if the row has no score."
    )
    error: str | None = Field(None, description="With on_invalid=flag: why the row has no score, as a sentence.")
    errors: list[InvalidInRow] | None = Field(None, description="With on_invalid=flag: the invalid values of the row.")


class ResultsPage(Body):
    """Some of the results of a job, in the order of its rows."""

    job_id: str
    total: int = Field(description="Total number of rows of the job.")
    offset: int = Field(description="Row number of the first result on this page, from 0.")
    next_offset: int | None = Field(description="Where the next page begins, or None at the end.")
    rows: list[int] | None = Field(None, description="With `id`: the numbers of the rows found, one for each result.")
    results: list[Result]


class CallerBody(Body):
    """The caller of this request."""

    name: str = Field(description="Name of its key; `anybody` or `anonymous` without one.")
    scopes: list[Scope] = Field(description="What it may do, with what its scopes imply.")


class AuditEntry(Body):
    """A change, or a request that was not let in."""

    at: datetime
    who: str = Field(
        description="Name of the key; `anonymous` or `anybody` without one, `operator` for the keys themselves."
    )
    what: str = Field(description="What was done or asked for.", examples=["reload", "key added", "POST /jobs"])
    about: str | None = Field(description="The version, the job or the key that it is about.")
    outcome: str = Field(description="`done`, or the type of the problem.", examples=["done", "not-authenticated"])
    request_id: str | None

    @classmethod
    def of(cls, entry: Entry) -> "AuditEntry":
        """Build the body from an entry."""
        return cls.model_validate({**entry, "at": moment(entry["at"])})


class AuditPage(Body):
    """Some of the entries, newest first."""

    entries: list[AuditEntry]
    total: int = Field(description="Number of entries that are kept.")
    next_offset: int | None = Field(description="Where the next page begins, or None at the end.")


class Health(Body):
    """The process responds."""

    status: Literal["ok"] = "ok"
    version: str = Field(description="Version of the service.")


class ServiceVersion(Body):
    """The version of the service."""

    version: str = Field(examples=["0.1.0"])


class FormatBody(Body):
    """One format of rows and results."""

    name: Format
    media_types: list[str] = Field(description="Media types; results are sent as the first one.")
    endings: list[str] = Field(description="File extensions.")
    readable: bool
    writable: bool = Field(description="Whether results can be downloaded as one file; JSON comes in pages.")


class EncodingBody(Body):
    """One compression method of bodies and files."""

    name: str
    endings: list[str]


class LimitsBody(Body):
    """The limits of this service."""

    keep: int = Field(description="Kept columns per job.")
    page: int = Field(description="Rows per page of results.")
    jobs_page: int = Field(description="Jobs per page.")
    wait: float = Field(description="Seconds for `Prefer: wait`.")
    row_bytes: int = Field(description="Bytes per row.")
    body_bytes: int = Field(description="Bytes per JSON body.")
    file_bytes: int = Field(description="Bytes per file, both before and after decompression.")


class Capabilities(Body):
    """The formats, names and limits of this service, so that clients need not hard-code them."""

    version: str
    formats: list[FormatBody]
    encodings: list[EncodingBody]
    result_columns: list[str] = Field(description="Reserved names of the result columns; kept columns cannot use them.")
    on_invalid: list[OnInvalid]
    limits: LimitsBody


class Part(Body):
    """One component of the service."""

    status: Literal["ok", "down"]
    detail: str | None = Field(description="A sentence for people.")
    type: str = Field(description="A stable name for the state, as in `ReasonBody`.", examples=["workers-running"])
    params: dict[str, Any] = Field(description="Parameters of the sentence, such as `count`.")

    @classmethod
    def of(cls, status: Literal["ok", "down"], reason: Reason) -> "Part":
        """Build the body of a component that is up or down."""
        return cls(status=status, detail=reason.message, type=reason.type, params=dict(reason.params))


class Readiness(Body):
    """The state of the components. `ready` requires only a model: single scoring works without the rest."""

    status: Literal["ready", "degraded", "not ready"]
    parts: dict[str, Part]
    queues: dict[str, int] | None = Field(description="Waiting tasks by queue; None if Redis is unavailable.")


def moment(seconds: float) -> datetime:
    """Convert seconds since the epoch to a UTC time."""
    return datetime.fromtimestamp(seconds, UTC)

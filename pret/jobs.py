"""Jobs, and what is wrong with values, as frozen dataclasses; see `pret.models`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class Reason:
    """Why something failed, as a stable type for programs and a sentence for people."""

    type: str
    """Such as storage-full; decide by it, not by the message."""
    message: str
    params: dict[str, Any] = field(default_factory=dict)
    """The facts in the message, such as `limit` or `columns`."""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class InvalidValue:
    """One value that does not fit the model's contract."""

    type: str
    """Such as missing or greater_than_equal."""
    message: str
    row: int | None = None
    """None for a lone row."""
    column: str | None = None
    """None if the whole row is invalid."""
    params: dict[str, Any] = field(default_factory=dict)
    """The facts in the message, such as `limit`."""


@dataclass(frozen=True)
class Report:
    """The invalid values of a job, counted, and the first of them."""

    invalid_rows: int
    invalid_values: int
    """A row may have several."""
    errors: tuple[InvalidValue, ...] = ()


@dataclass(frozen=True)
class Job:
    """A batch and its progress."""

    id: str
    state: str
    """queued, running, succeeded, failed or cancelled."""
    stage: str | None = None
    """reading, scoring or writing: what the job is doing or waiting for; None once it has ended."""
    owner: str | None = None
    """Name of the key that submitted it; None if it came without one."""
    name: str | None = None
    format: str | None = None
    model_version: str | None = None
    threshold: float | None = None
    on_invalid: str | None = None
    explain: int | None = None
    """How many reasons its results have for each row; None for none."""
    keep: tuple[str, ...] = ()
    rows: int | None = None
    """Rows of the input; None until they are counted."""
    rows_read: int = 0
    rows_done: int = 0
    granted: int = 0
    refused: int = 0
    invalid: int = 0
    """Rows without a score, because they do not fit the model's contract (with `on_invalid="flag"`)."""
    unseen_categories: dict[str, int] = field(default_factory=dict)
    """By category feature, the scored rows with a category that was not in the training of the model, which scores all of
    them alike. Features of which the model cannot tell are left out."""
    chunks: int | None = None
    rows_per_second: float | None = None
    eta_seconds: float | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    seconds: float | None = None
    """From submission to the end; None until then."""
    error: Reason | None = None
    report: Report | None = None
    """Only when a single job is asked for."""

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.state in FINAL_STATES


@dataclass(frozen=True)
class JobPage:
    """Some of the jobs, newest first."""

    jobs: tuple[Job, ...]
    total: int
    next_offset: int | None = None

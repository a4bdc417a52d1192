"""Every error that the service raises on purpose.

PretError
├── InputError            the caller sent something that cannot be scored
│   ├── MalformedInput
│   ├── WrongColumns
│   ├── InvalidRows
│   ├── InputTooLarge
│   └── UnsupportedInput
├── ModelError            there is no model, or it cannot serve
│   ├── NoModel
│   ├── BadArtifact
│   ├── VersionUnavailable
│   └── UnknownRevision
├── ReloadError           the fleet keeps the model that it has
│   ├── ReloadInProgress
│   ├── ReloadFailed
│   │   ├── ReloadTimedOut
│   │   └── ReloadSourceFailed
│   └── NoPreviousVersion
├── JobError              the job is not there, or not in the state that the call needs
│   ├── UnknownJob
│   ├── JobConflict
│   └── IdempotencyConflict
└── Unavailable           something that the service rests on does not answer
    ├── QueueFull
    ├── RedisUnavailable
    ├── StorageUnavailable
    ├── SourceUnavailable
    └── SourceRefused

Each class is a sentence: its docstring is the message where none is given. Messages name places and reasons, never values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_REPORTED_ROW_ERRORS = 100

MAX_NAME_LENGTH = 100
"""A name that the caller made up is cut to this many characters in an error."""


class PretError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class InputError(PretError):
    """The input cannot be scored."""


class MalformedInput(InputError):
    """The body is not what its content type says."""


class WrongColumns(InputError):
    """The columns are not those that the model takes."""


class InputTooLarge(InputError):
    """The body is larger than this service accepts."""


class UnsupportedInput(InputError):
    """The body is of a type that this service does not read."""


def cut(name: str) -> str:
    """Shorten a name that the caller made up."""
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[:MAX_NAME_LENGTH]}…"


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row is refused; `row` counts from 0 and is None for a lone row, `feature` is None where no one feature is meant."""

    row: int | None
    feature: str | None
    reason: str
    type: str


class InvalidRows(InputError):
    """Some rows break the feature contract."""

    def __init__(self, errors: list[RowError], total: int | None = None) -> None:
        self.errors = errors[:MAX_REPORTED_ROW_ERRORS]
        self.total = len(errors) if total is None else total
        super().__init__(f"The rows break the feature contract {self.total} time(s); the report names the first.")


class ModelError(PretError):
    """The model cannot serve."""


class NoModel(ModelError):
    """No model is loaded yet."""


class BadArtifact(ModelError):
    """The folder does not hold a model that can be served."""


class VersionUnavailable(ModelError):
    """This machine has no copy of the model version."""


class UnknownRevision(ModelError):
    """The model source has no such revision."""


class ReloadError(PretError):
    """The model was not changed."""


class ReloadInProgress(ReloadError):
    """Another reload is under way; try again when it has ended."""


class ReloadFailed(ReloadError):
    """A process could not take the new model, so none did."""

    def __init__(self, message: str, processes: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.processes = processes
        """What each process said, as `shared.fleet.reload.ProcessOutcome`."""


class ReloadTimedOut(ReloadFailed):
    """A process did not answer in time, so none took the new model."""


class ReloadSourceFailed(ReloadFailed):
    """A process could not fetch the new model, so none took it."""


class NoPreviousVersion(ReloadError):
    """There is no earlier version to return to."""


class JobError(PretError):
    """The job cannot do that."""


class UnknownJob(JobError):
    """There is no such job, or it has expired."""


class JobConflict(JobError):
    """The job is not in a state that allows this."""


class IdempotencyConflict(JobError):
    """This Idempotency-Key was used for another submission in the last 24 hours; take a new key."""


class Unavailable(PretError):
    """A part of the service does not answer."""


class QueueFull(Unavailable):
    """Too many rows wait to be scored already; try again later."""


class RedisUnavailable(Unavailable):
    """Redis does not answer; jobs are not available until it does. Single scoring still works."""


class StorageUnavailable(Unavailable):
    """The storage for jobs does not answer or is full."""


class SourceUnavailable(Unavailable):
    """The place that models come from does not answer."""


class SourceRefused(Unavailable):
    """The place that models come from refuses access."""

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
│   ├── NotExplainable
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
│   ├── UnknownRow
│   ├── JobConflict
│   └── IdempotencyConflict
└── Unavailable           something that the service rests on does not answer
    ├── QueueFull
    ├── QuotaExceeded
    ├── RowDelayed
    ├── RedisUnavailable
    │   └── RedisDenied
    ├── StorageUnavailable
    ├── SourceUnavailable
    └── SourceDenied

Each carries a reason, whose type and sentence stand in `shared.sentences`, as in
`raise InputTooLarge("too-many-rows", limit=limits.rows)`. The class says what one can do about it, the type what is wrong. A
class that is raised without a type has a `default` one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from shared.reasons import MAX_REPORTED, InvalidValue, Reason


class PretError(Exception):
    """Something went wrong."""

    default: ClassVar[str | None] = None

    def __init__(self, type: str | None = None, /, **params: Any) -> None:
        chosen = type or self.default
        if chosen is None:
            raise TypeError(f"{self.__class__.__name__} has no default type; say what is wrong")
        self.reason = Reason(chosen, {name: _plain(value) for name, value in params.items()})
        super().__init__(self.reason.message)

    @classmethod
    def of(cls, reason: Reason) -> Self:
        """Make an error for a reason that comes from elsewhere: another process, or another error."""
        return cls(reason.type, **reason.params)

    def __reduce__(self) -> tuple[Any, ...]:
        # Celery hands errors from process to process.
        return _restored, (type(self), self.args, self.__dict__)


def _plain(value: Any) -> Any:
    """Write a reason within a reason as JSON has it."""
    return value.as_dict() if isinstance(value, Reason) else value


def _restored(kind: type[PretError], args: tuple[Any, ...], facts: dict[str, Any]) -> PretError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class InputError(PretError):
    """The input cannot be scored."""


class MalformedInput(InputError):
    """The input is not what it is said to be."""


class WrongColumns(InputError):
    """The columns are not those that the model takes."""


class InputTooLarge(InputError):
    """The input is larger than this service accepts."""


class UnsupportedInput(InputError):
    """The input is of a type that this service does not read."""


@dataclass(frozen=True)
class Report:
    """What is invalid among some rows: numbers of rows and of values, and the first values.

    Where counting was stopped early (`Tally.enough`), both numbers are those up to there: at least so many are invalid.
    """

    invalid_rows: int = 0
    invalid_values: int = 0
    """A row may have several."""
    errors: tuple[InvalidValue, ...] = ()
    """At most MAX_REPORTED."""

    @classmethod
    def of_row(cls, errors: Sequence[InvalidValue], more: int = 0) -> Self:
        """Report on one row that has these invalid values, and so many more."""
        return cls(1, len(errors) + more, tuple(errors[:MAX_REPORTED]))

    def joined(self, following: Self) -> Self:
        """Report on these rows and those that follow them."""
        return replace(
            self,
            invalid_rows=self.invalid_rows + following.invalid_rows,
            invalid_values=self.invalid_values + following.invalid_values,
            errors=(*self.errors, *following.errors[: MAX_REPORTED - len(self.errors)]),
        )

    def moved(self, rows: int) -> Self:
        """Report on the same rows where so many more stand before them."""
        errors = tuple(replace(error, row=rows + (error.row or 0)) for error in self.errors)
        return replace(self, errors=errors)

    def as_dict(self) -> dict[str, Any]:
        """Give what JSON can hold."""
        counts = {"invalid_rows": self.invalid_rows, "invalid_values": self.invalid_values}
        return {**counts, "errors": [error.as_dict() for error in self.errors]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read it again."""
        errors = tuple(map(InvalidValue.from_dict, content["errors"]))
        return cls(content["invalid_rows"], content["invalid_values"], errors)


ALL_VALID = Report()


class InvalidRows(InputError):
    """Some rows break the feature contract."""

    default = "invalid-rows"

    def __init__(self, report: Report) -> None:
        super().__init__(count=report.invalid_values, limit=MAX_REPORTED)
        self.report = report


class ModelError(PretError):
    """The model cannot serve."""


class NoModel(ModelError):
    """No model is loaded."""

    default = "no-model"


class BadArtifact(ModelError):
    """The folder does not hold a model that can be served."""


class NotExplainable(ModelError):
    """The model scores, but its scores cannot be explained."""


class VersionUnavailable(ModelError):
    """The model version is not to be had."""


class UnknownRevision(ModelError):
    """The model source has no such revision."""


class ReloadError(PretError):
    """The model was not changed."""


class ReloadInProgress(ReloadError):
    """Another reload is in progress."""

    default = "reload-in-progress"


class ReloadInterrupted(ReloadError):
    """The process that ran the reload ended before the new model was active."""

    default = "reload-interrupted"


class ReloadFailed(ReloadError):
    """A process could not take the new model, so none did."""

    def __init__(self, type: str, /, *, processes: Sequence[Any] = (), **params: Any) -> None:
        super().__init__(type, **params)
        self.processes = processes
        """What each process said, as `shared.fleet.reload.ProcessOutcome`."""


class ReloadTimedOut(ReloadFailed):
    """A process did not answer in time, so none took the new model."""


class ReloadSourceFailed(ReloadFailed):
    """A process could not fetch the new model, so none took it."""


class NoPreviousVersion(ReloadError):
    """There is no earlier version to return to."""

    default = "no-previous-version"


class JobError(PretError):
    """The job cannot do that."""


class UnknownJob(JobError):
    """There is no such job, or it has expired or been removed."""

    default = "unknown-job"


class UnknownRow(JobError):
    """The job has no such row."""

    default = "unknown-row"


class JobConflict(JobError):
    """The job is not in a state that allows this."""


class IdempotencyConflict(JobError):
    """The key of this submission was used for another one."""

    default = "idempotency-conflict"


class Unavailable(PretError):
    """A part of the service does not answer."""


class QueueFull(Unavailable):
    """Too much is waiting already."""

    default = "queue-full"


class QuotaExceeded(Unavailable):
    """The caller has used up what its key allows; there is more in `seconds`, a parameter of the reason."""


class RowDelayed(Unavailable):
    """The workers are busy or away, so a row was not read in time."""

    default = "row-delayed"


class RedisUnavailable(Unavailable):
    """Redis does not answer."""

    default = "redis-unavailable"


class RedisDenied(RedisUnavailable):
    """Redis does not accept the login; to wait does not help."""

    default = "redis-access-denied"


class StorageUnavailable(Unavailable):
    """The storage for jobs does not answer or is full."""

    default = "storage-unavailable"


class SourceUnavailable(Unavailable):
    """The place that models come from does not answer."""


class SourceDenied(Unavailable):
    """The place that models come from denies access."""

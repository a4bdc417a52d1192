"""What can go wrong, by what one can do about it.

    PretError
    ├── NotReachable            nothing answers, or the connection broke
    ├── Refused                 the service does not take the request: a reason is given
    │   ├── InvalidRows         rows break the model's contract: `errors` names them
    │   ├── UnknownJob
    │   └── NotAuthenticated
    ├── Busy                    not now: `problem.retry_after` says when
    ├── ServerFault             a fault of the service, or something else answers at that address
    ├── JobFailed               a job that was waited for failed or was cancelled: `job`
    └── TimedOut                a job that was waited for has not ended yet: `job`

The text of each is a sentence for the person who made the request.
"""

from pret.models import Job, Problem, RowError


class PretError(Exception):
    """Base of all errors of the client; `problem` is what the service answered, if it did."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem


class NotReachable(PretError):
    """Nothing answers, or the connection broke; `sent` tells whether the request may have arrived nevertheless."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Refused(PretError):
    """The service does not take the request."""


class InvalidRows(Refused):
    """Rows break the contract of the model: `errors` are the first of `total`."""

    def __init__(self, message: str, problem: Problem, errors: tuple[RowError, ...]) -> None:
        super().__init__(message, problem)
        self.errors = errors
        self.total = problem.total if problem.total is not None else len(errors)


class UnknownJob(Refused):
    """There is no such job, or no longer."""


class NotAuthenticated(Refused):
    """This needs a key."""


class Busy(PretError):
    """The service cannot take this now; later it may."""


class ServerFault(PretError):
    """A fault of the service, or the answer of something else."""


class JobFailed(PretError):
    """The job ended without results."""

    def __init__(self, message: str, job: Job) -> None:
        super().__init__(message)
        self.job = job


class TimedOut(PretError, TimeoutError):
    """The job goes on, but the time to wait for it is over; without `job`, nothing was heard of it."""

    def __init__(self, message: str, job: Job | None) -> None:
        super().__init__(message)
        self.job = job

"""What can go wrong, by what to do about it.

    PretError
    ├── NotReachable            no connection, or it broke
    ├── Rejected                the service does not accept the request
    │   ├── InvalidRows         rows do not fit the model's contract: `errors`
    │   ├── UnknownJob
    │   └── NotAuthenticated
    ├── Busy                    not now: `problem.retry_after` says when
    ├── ServerFault             a fault of the service, or something else answers at its address
    ├── JobFailed               a job that was waited for failed or was cancelled: `job`
    └── TimedOut                a job that was waited for has not ended yet: `job`

The text of each is a sentence for the person who made the request; `problem.type` is for programs.
"""

from pret.models import InvalidValue, Job, Problem


class PretError(Exception):
    """Base of all errors of the client. `problem` is the response of the service, if there was one."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem


class NotReachable(PretError):
    """There is no connection, or it broke. `sent` says whether the request may have arrived."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Rejected(PretError):
    """The service does not accept the request."""


class InvalidRows(Rejected):
    """Rows do not fit the model's contract. `errors` are the first of `invalid_values`."""

    def __init__(self, message: str, problem: Problem) -> None:
        super().__init__(message, problem)
        self.errors: tuple[InvalidValue, ...] = problem.errors
        count = problem.invalid_values
        self.invalid_values = len(problem.errors) if count is None else count


class UnknownJob(Rejected):
    """There is no such job, or no longer."""


class NotAuthenticated(Rejected):
    """The request needs a key."""


class Busy(PretError):
    """The service cannot take the request now."""


class ServerFault(PretError):
    """The service failed, or something else answered."""


class JobFailed(PretError):
    """The job ended without results."""

    def __init__(self, message: str, job: Job) -> None:
        super().__init__(message)
        self.job = job


class TimedOut(PretError, TimeoutError):
    """The job has not ended in time; it continues. `job` is None if nothing was heard of it."""

    def __init__(self, message: str, job: Job | None) -> None:
        super().__init__(message)
        self.job = job

"""The errors of the client, by how to handle them.

    PretError
    ├── NotReachable            the connection failed or was lost
    ├── Rejected                the service does not accept the request
    │   ├── InvalidRows         rows do not fit the model's contract: `errors`
    │   ├── UnknownJob
    │   └── NotAuthenticated
    ├── Busy                    try again later: `problem.retry_after` says when
    ├── ServerFault             a fault of the service, or something else answers at its address
    ├── JobFailed               a job that was waited for failed or was cancelled: `job`
    └── TimedOut                a job that was waited for has not ended yet: `job`

The text of each is a sentence for the person who made the request; `problem.type` is for programs.
"""

from pret.jobs import InvalidValue, Job
from pret.models import Problem


class PretError(Exception):
    """Base of all errors of the client. `problem` is the response of the service, if there was one."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem


class NotReachable(PretError):
    """The connection failed or was lost. `sent` says whether the request may have arrived."""

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
    """The job does not exist, or no longer exists."""


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
    """The job has not ended in time; it continues. `job` is None if its state was never received."""

    def __init__(self, message: str, job: Job | None) -> None:
        super().__init__(message)
        self.job = job

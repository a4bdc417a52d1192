"""Responses: models and errors from status and body, and when to retry."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import msgspec

from pret.errors import Busy, InvalidRows, NotAuthenticated, NotReachable, PretError, Rejected, ServerFault, UnknownJob
from pret.jobs import InvalidValue
from pret.models import Problem
from pret.requests import Request
from pret.scores import ResultsPage, Score

T = TypeVar("T")

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0
"""Seconds before the first retry, and at most; each delay is twice the one before."""
LONGEST_RETRY_AFTER = 60.0
"""Seconds; if the service asks for a longer pause, the request is not retried."""

RETRIED = frozenset({409, 429, 503})
"""Statuses that mean, together with Retry-After, that nothing was done and that it may work later."""

PROBLEM_TYPE = "urn:pret-a-depenser:"
"""Prefix of the service's own problem types."""

SCORE_FIELDS = frozenset(field.name for field in fields(Score)) - {"kept", "explanation"}


@dataclass(frozen=True)
class Response:
    """A response; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    url: str
    content: bytes = b""

    def is_success(self, request: Request) -> bool:
        """Whether it answers the request, rather than being an error."""
        return 200 <= self.status < 300 or self.status in request.expected


@dataclass(frozen=True)
class _RawPage:
    job_id: str
    total: int
    offset: int
    next_offset: int | None
    results: list[dict[str, Any]]
    rows: tuple[int, ...] | None = None


def parse(kind: type[T], response: Response) -> T:
    """Decode the body; raises ServerFault if it is not what was expected."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.ValidationError as error:
        raise _unexpected(response, str(error)) from error
    except ValueError as error:
        raise _unexpected(response, "not JSON") from error


def parse_markdown(response: Response) -> str:
    """Decode Markdown text; raises ServerFault if the response is anything else."""
    if not response.headers.get("content-type", "").startswith("text/markdown"):
        raise _unexpected(response, "not Markdown")
    return response.content.decode("utf-8", "replace")


def parse_page(response: Response) -> ResultsPage:
    """Decode a page of results; columns that are not part of a score are the kept ones."""
    page = parse(_RawPage, response)
    try:
        results = tuple(map(_score_of, page.results))
    except msgspec.ValidationError as error:
        raise _unexpected(response, str(error)) from error
    return ResultsPage(page.job_id, page.total, page.offset, page.next_offset, results, page.rows)


def error_of(response: Response) -> PretError:
    """Return the error for an unsuccessful response."""
    problem = _problem_of(response)
    if problem.type is None:
        if response.status == 503:
            return Busy(f"The service at {response.url} is unavailable (status 503).", problem)
        return _unexpected(response, f"status {response.status}", problem)
    if problem.type == "invalid-rows":
        return InvalidRows(_summary(problem), problem)
    sentence = _sentence(problem)
    if problem.type == "unknown-job":
        return UnknownJob(sentence, problem)
    if response.status in (401, 403):
        return NotAuthenticated(f"{sentence} Set PRET_KEY, or give key= or --key.", problem)
    if response.status in (429, 503):
        return Busy(sentence, problem)
    if response.status < 500:
        return Rejected(sentence, problem)
    named = f" (request {problem.request_id})." if problem.request_id else "."
    return ServerFault(f"{sentence.removesuffix('.')}{named}", problem)


def retry_delay(attempt: int, error: PretError, request: Request, retries: int) -> float | None:
    """Return the seconds to wait after failed attempt number `attempt`, from 0; None if there is no further attempt."""
    if attempt >= retries or (request.body and not request.body.can_be_sent):
        return None
    if isinstance(error, NotReachable):
        return backoff(attempt) if request.idempotent or not error.sent else None
    problem = error.problem
    if problem is None or problem.status not in RETRIED or not request.retry_if_busy:
        return None
    after = problem.retry_after
    return after if after is not None and after <= LONGEST_RETRY_AFTER else None


def backoff(failures: int) -> float:
    """Return the seconds to wait after this many consecutive failures, from 0."""
    return min(FIRST_DELAY * 2.0 ** min(failures, 10), LONGEST_DELAY)


def _score_of(row: dict[str, Any]) -> Score:
    own = {name: row[name] for name in row.keys() & SCORE_FIELDS}
    return msgspec.convert(own | {"kept": {name: row[name] for name in row if name not in own}}, Score)


def _problem_of(response: Response) -> Problem:
    retry_after = _seconds(response.headers.get("retry-after"))
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except ValueError:
        return Problem(response.status, retry_after=retry_after)
    type = (problem.type or "").removeprefix(PROBLEM_TYPE)
    is_ours = bool(type) and type != problem.type
    return replace(problem, status=response.status, type=type if is_ours else None, retry_after=retry_after)


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None


def _summary(problem: Problem) -> str:
    """Say how many values are invalid, and which is the first."""
    if not problem.errors:
        return "The rows are invalid."
    count = max(len(problem.errors), problem.invalid_values or 0)
    first = f"{_place(problem.errors[0])}{problem.errors[0].message}"
    return f"1 value is invalid: {first}." if count == 1 else f"{count} values are invalid; the first is {first}."


def _place(value: InvalidValue) -> str:
    parts = [f"{name} {part}" for name, part in (("row", value.row), ("column", value.column)) if part is not None]
    return f"{', '.join(parts)}: " if parts else ""


def _sentence(problem: Problem) -> str:
    if isinstance(problem.detail, list):
        return "; ".join(map(_parameter, problem.detail)) + "."
    return str(problem.detail or f"The service answered with status {problem.status}.")


def _parameter(detail: Any) -> str:
    """Say what is wrong with a parameter, from `{"loc": ["query", name], "msg"}`."""
    known = detail if isinstance(detail, dict) else {}
    message, place = str(known.get("msg", "invalid")), known.get("loc")
    names = [part for part in place[1:] if isinstance(part, str)] if isinstance(place, list) else []
    return f"{names[-1]}: {message}" if names else message


def _unexpected(response: Response, what: str, problem: Problem | None = None) -> ServerFault:
    return ServerFault(
        f"The response from {response.url} is not one of the scoring service ({what}). Check the address, and whether "
        "a proxy answers in its place.",
        problem or Problem(response.status),
    )

"""What is answered: bodies and errors from status and bytes, and when it is worth asking again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from pret.decode import WrongShape, decode
from pret.errors import Busy, InvalidRows, NotAuthenticated, NotReachable, PretError, Refused, ServerFault, UnknownJob
from pret.models import Problem, ReloadedProcess, ResultsPage, RowError, Score
from pret.requests import Request

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before the first further attempt; each pause is twice the one before, up to the second number."""
LONGEST_RETRY_AFTER = 60.0
"""A service that wants to be left alone for more seconds than this is not waited for."""

ASK_AGAIN = frozenset({409, 429, 503})
"""Statuses that say with Retry-After that nothing was done, and that it may be later."""

SCORE_FIELDS = frozenset(field.name for field in fields(Score)) - {"kept"}


@dataclass(frozen=True)
class Answer:
    """An answer; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    url: str
    content: bytes = b""

    def is_good(self, request: Request) -> bool:
        """Whether it is what was asked for."""
        return 200 <= self.status < 300 or self.status in request.answers


def parse(kind: type[T], answer: Answer) -> T:
    """Read the body; raises ServerFault if it is something else."""
    try:
        return decode(kind, json_of(answer))
    except WrongShape as error:
        raise _not_this_service(answer, str(error)) from error


def json_of(answer: Answer) -> Any:
    """Read the body as it is; raises ServerFault if it is not JSON."""
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise _not_this_service(answer, "no JSON") from error


def markdown_of(answer: Answer) -> str:
    """Read a text in Markdown; raises ServerFault if it is something else."""
    if not answer.headers.get("content-type", "").startswith("text/markdown"):
        raise _not_this_service(answer, "no Markdown")
    return answer.content.decode("utf-8", "replace")


def parse_page(answer: Answer) -> ResultsPage:
    """Read a page of results; what is not the score's own are the kept columns."""
    try:
        body = decode(dict[str, Any], json_of(answer))
        rows = decode(list[dict[str, Any]], body.get("results"))
        return replace(decode(ResultsPage, body | {"results": []}), results=tuple(map(_score_of, rows)))
    except WrongShape as error:
        raise _not_this_service(answer, str(error)) from error


def _score_of(row: dict[str, Any]) -> Score:
    kept = {name: value for name, value in row.items() if name not in SCORE_FIELDS}
    return decode(Score, {name: value for name, value in row.items() if name in SCORE_FIELDS} | {"kept": kept})


def error_of(answer: Answer) -> PretError:
    """Make the error that an answer stands for."""
    problem = _problem(answer)
    if problem.kind is None:
        if answer.status == 503:
            return Busy(f"{answer.url} answers 503: the service is not available.", problem)
        return _not_this_service(answer, f"status {answer.status}", problem)
    if problem.kind == "invalid-rows" and isinstance(problem.detail, list):
        errors = tuple(map(_row_error, problem.detail))
        return InvalidRows(_counted(errors, problem.total), problem, errors)
    sentence = _sentence(problem)
    if problem.kind == "unknown-job":
        return UnknownJob(sentence, problem)
    if answer.status in (401, 403):
        return NotAuthenticated(f"{sentence} Set PRET_KEY, or give key= or --key.", problem)
    if answer.status in (429, 503):
        return Busy(sentence, problem)
    return (Refused if answer.status < 500 else ServerFault)(sentence, problem)


def pause_before(attempt: int, error: PretError, request: Request, most: int) -> float | None:
    """Tell how many seconds after failed attempt number `attempt` to ask again; None: not at all."""
    if attempt >= most or (request.body and not request.body.can_be_sent):
        return None
    if isinstance(error, NotReachable):
        return backoff(attempt) if request.repeatable or not error.sent else None
    problem = error.problem
    if problem is None or problem.status not in ASK_AGAIN or not request.patient:
        return None
    after = problem.retry_after
    return after if after is not None and after <= LONGEST_RETRY_AFTER else None


def backoff(attempt: int) -> float:
    """Seconds to wait after so many failures in a row, from 0."""
    return min(FIRST_PAUSE * 2.0 ** min(attempt, 10), LONGEST_PAUSE)


def _problem(answer: Answer) -> Problem:
    retry_after = _seconds(answer.headers.get("retry-after"))
    try:
        body = decode(dict[str, Any], json.loads(answer.content))
        kind = decode(str, body["type"]).rpartition(":")[2]
        processes = decode(tuple[ReloadedProcess, ...], body.get("processes", []))
        total = decode(int | None, body.get("total"))  # type: ignore[arg-type]
    except (ValueError, KeyError):
        return Problem(answer.status, retry_after=retry_after)
    return Problem(answer.status, kind, body.get("detail"), total, retry_after, processes)


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None


def _row_error(detail: Any) -> RowError:
    """Read `{"loc": ["body", row, feature], "msg", "type"}`, of which row and feature may be left out."""
    known = detail if isinstance(detail, dict) else {}
    place = known.get("loc")
    parts = place[1:] if isinstance(place, list) else []
    row = next((part for part in parts if isinstance(part, int)), None)
    column = next((part for part in parts if isinstance(part, str)), None)
    return RowError(str(known.get("msg", "refused")), row, column, known.get("type"))


def _counted(errors: tuple[RowError, ...], total: int | None) -> str:
    if not errors:
        return "The rows are refused."
    first, count = errors[0], max(len(errors), total or 0)
    place = ", ".join(
        f"{what} {part}" for what, part in (("row", first.row), ("column", first.column)) if part is not None
    )
    start = "1 value is refused:" if count == 1 else f"{count} values are refused; the first is"
    return f"{start} {place}: {first.reason}." if place else f"{start} {first.reason}."


def _sentence(problem: Problem) -> str:
    if isinstance(problem.detail, list):
        errors = map(_row_error, problem.detail)
        return "; ".join(f"{error.column}: {error.reason}" if error.column else error.reason for error in errors) + "."
    return str(problem.detail or f"The service answers {problem.status}.")


def _not_this_service(answer: Answer, what: str, problem: Problem | None = None) -> ServerFault:
    return ServerFault(
        f"What answers at {answer.url} is not the answer of a scoring service ({what}). Is the address right, "
        "and nothing but the service between?",
        problem or Problem(answer.status),
    )

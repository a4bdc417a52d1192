"""From domain errors to HTTP: the only place that knows which error has which status (RFC 9457, problem+json)."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from api.access.errors import ForeignOrigin, NotAllowed, NotAuthenticated, UnknownHost
from api.model_schemas import ReloadedProcess
from shared.errors import (
    BadArtifact,
    IdempotencyConflict,
    InputTooLarge,
    InvalidRows,
    JobConflict,
    MalformedInput,
    ModelError,
    NoModel,
    NoPreviousVersion,
    NotExplainable,
    PretError,
    QueueFull,
    QuotaExceeded,
    RedisDenied,
    RedisUnavailable,
    ReloadFailed,
    ReloadInProgress,
    ReloadInterrupted,
    ReloadSourceFailed,
    ReloadTimedOut,
    Report,
    RowDelayed,
    SourceDenied,
    SourceUnavailable,
    StorageUnavailable,
    UnknownJob,
    UnknownRevision,
    UnknownRow,
    UnsupportedInput,
    VersionUnavailable,
    WrongColumns,
)
from shared.logging import request_id
from shared.reasons import MAX_REPORTED, Reason, cut

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
URN = "urn:pret-a-depenser:"
"""Before the type of a reason, in a problem."""
HEADERS = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "15"},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
}


class ModelNotFound(ModelError):
    """There is no model to tell about."""


class NoModelCard(ModelError):
    """The model has no card."""

    default = "no-model-card"


class InvalidParameters(PretError):
    """A parameter of the request has a value that is not allowed; `details` are FastAPI's or pydantic's, perhaps not all."""

    default = "invalid-parameters"

    def __init__(self, details: list[dict[str, Any]], total: int | None = None) -> None:
        super().__init__()
        self.details = details
        self.total = len(details) if total is None else total


class ShuttingDown(PretError):
    """The process ends, and does not wait for this request any longer."""

    default = "shutting-down"


class NotAcceptable(PretError):
    """There is no such format."""


class RangeNotSatisfiable(PretError):
    """The file has no such bytes."""

    default = "range-not-satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(size=size)
        self.size = size


STATUS: dict[type[PretError], HTTPStatus] = {
    MalformedInput: HTTPStatus.BAD_REQUEST,
    WrongColumns: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidRows: HTTPStatus.UNPROCESSABLE_ENTITY,
    InputTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedInput: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ModelNotFound: HTTPStatus.NOT_FOUND,
    NoModelCard: HTTPStatus.NOT_FOUND,
    NoModel: HTTPStatus.SERVICE_UNAVAILABLE,
    BadArtifact: HTTPStatus.CONFLICT,
    NotExplainable: HTTPStatus.UNPROCESSABLE_ENTITY,
    VersionUnavailable: HTTPStatus.CONFLICT,
    UnknownRevision: HTTPStatus.NOT_FOUND,
    SourceDenied: HTTPStatus.BAD_GATEWAY,
    SourceUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ReloadInProgress: HTTPStatus.CONFLICT,
    ReloadFailed: HTTPStatus.CONFLICT,
    ReloadInterrupted: HTTPStatus.SERVICE_UNAVAILABLE,
    ReloadTimedOut: HTTPStatus.GATEWAY_TIMEOUT,
    ReloadSourceFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    NoPreviousVersion: HTTPStatus.CONFLICT,
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    ShuttingDown: HTTPStatus.SERVICE_UNAVAILABLE,
    NotAllowed: HTTPStatus.FORBIDDEN,
    ForeignOrigin: HTTPStatus.FORBIDDEN,
    UnknownHost: HTTPStatus.MISDIRECTED_REQUEST,
    NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    InvalidParameters: HTTPStatus.UNPROCESSABLE_ENTITY,
    IdempotencyConflict: HTTPStatus.UNPROCESSABLE_ENTITY,
    QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    QuotaExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    RowDelayed: HTTPStatus.SERVICE_UNAVAILABLE,
    UnknownJob: HTTPStatus.NOT_FOUND,
    UnknownRow: HTTPStatus.NOT_FOUND,
    JobConflict: HTTPStatus.CONFLICT,
    RedisUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    RedisDenied: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


METHODS = ("DELETE", "GET", "POST")
"""Those of the routes; where there is GET, there is HEAD (`api.edge`)."""

OF_FRAMEWORK: dict[int, Reason] = {
    HTTPStatus.NOT_FOUND: Reason("not-found"),
    HTTPStatus.METHOD_NOT_ALLOWED: Reason("method-not-allowed"),
}
"""What the router answers by itself."""


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(PretError, _any_error)
    app.add_exception_handler(RequestValidationError, _bad_parameters)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _client_is_gone)
    app.add_exception_handler(Exception, _any_error)


def problem(status: int, reason: Reason, headers: Mapping[str, str] | None = None, **more: Any) -> Response:
    """Make a problem document; `more` adds members, or replaces the sentence in `detail`."""
    body = {
        "type": f"{URN}{reason.type}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": reason.message,
        "request_id": request_id.get() or None,
        "params": reason.params,
        **more,
    }
    return Response(msgspec.json.encode(body), status, headers, PROBLEM_TYPE)


def response_to(error: Exception) -> Response:
    """Make the answer to an error: what it says if it is one of ours, else 500 and a line in the log."""
    if not isinstance(error, PretError):
        logger.error("A request failed with %s", type(error).__name__, exc_info=error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, Reason("unexpected"))
    if isinstance(error, InvalidParameters):
        return _parameters_problem(error.details, error.total)
    status = STATUS[type(error)]
    if isinstance(error, InvalidRows):
        return problem(status, error.reason, **_invalid_rows(error.report))
    if isinstance(error, RangeNotSatisfiable):
        return problem(status, error.reason, {"Content-Range": f"bytes */{error.size}"})
    if isinstance(error, ReloadFailed):
        processes = [ReloadedProcess.of(process).model_dump() for process in error.processes]
        return problem(status, error.reason, HEADERS.get(status), processes=processes)
    if isinstance(error, QuotaExceeded):
        return problem(status, error.reason, {"Retry-After": str(error.reason.params["seconds"])})
    return problem(status, error.reason, HEADERS.get(status))


async def _any_error(_: Request, error: Exception) -> Response:
    return response_to(error)


async def _client_is_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)


def _invalid_rows(report: Report) -> dict[str, Any]:
    """Tell what is invalid, as in the report of a job, and in `detail` as FastAPI would."""
    detail = [
        {
            "loc": ["body", *(part for part in (value.row, value.column) if part is not None)],
            "msg": value.message,
            "type": value.type,
        }
        for value in report.errors
    ]
    return {"detail": detail, "total": report.invalid_values, **report.as_dict()}


async def _bad_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler is registered for no other
    details = error.errors()
    return _parameters_problem(details, len(details))


def _parameters_problem(errors: Sequence[Any], total: int) -> Response:
    details = [
        {"loc": [cut(part) if isinstance(part, str) else part for part in detail["loc"]]}
        | {"msg": detail["msg"], "type": detail["type"]}
        for detail in errors[:MAX_REPORTED]
    ]
    return problem(STATUS[InvalidParameters], Reason("invalid-parameters"), detail=details, total=total)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for no other
    status = error.status_code
    headers = error.headers if status != HTTPStatus.METHOD_NOT_ALLOWED else {"Allow": _allowed(request)}
    return problem(status, OF_FRAMEWORK.get(status, Reason("request-rejected", {"status": status})), headers)


def _allowed(request: Request) -> str:
    """List the methods of a path; the router knows only those of the first route that has it."""
    found = [method for method in METHODS if _is_routed(request, method)]
    return ", ".join([*found, "HEAD"] if "GET" in found else found)


def _is_routed(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

"""From domain errors to HTTP: the only place that knows which error has which status (RFC 9457, problem+json)."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from shared.errors import (
    MAX_REPORTED_ROW_ERRORS,
    BadArtifact,
    IdempotencyConflict,
    InputTooLarge,
    InvalidRows,
    JobConflict,
    MalformedInput,
    ModelError,
    NoModel,
    NoPreviousVersion,
    PretError,
    QueueFull,
    RedisUnavailable,
    ReloadFailed,
    ReloadInProgress,
    ReloadSourceFailed,
    ReloadTimedOut,
    RowError,
    SourceRefused,
    SourceUnavailable,
    StorageUnavailable,
    UnknownJob,
    UnknownRevision,
    UnsupportedInput,
    VersionUnavailable,
    WrongColumns,
    cut,
)
from shared.logging import request_id

logger = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
HEADERS = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"},
    HTTPStatus.TOO_MANY_REQUESTS: {"Retry-After": "15"},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
}


class ModelNotFound(ModelError):
    """There is no model to tell about."""


class NoModelCard(ModelError):
    """The model brings no card (README.md) along."""


class NotAuthenticated(PretError):
    """This needs an admin key: send it as 'Authorization: Bearer KEY'."""


class InvalidParameters(PretError):
    """A parameter of the request has a value that is not allowed."""

    def __init__(self, details: list[dict[str, Any]]) -> None:
        super().__init__()
        self.details = details


class NotAcceptable(PretError):
    """There is no such format."""


class RangeNotSatisfiable(PretError):
    """The file has no such bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
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
    VersionUnavailable: HTTPStatus.CONFLICT,
    UnknownRevision: HTTPStatus.NOT_FOUND,
    SourceRefused: HTTPStatus.BAD_GATEWAY,
    SourceUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ReloadInProgress: HTTPStatus.CONFLICT,
    ReloadFailed: HTTPStatus.CONFLICT,
    ReloadTimedOut: HTTPStatus.GATEWAY_TIMEOUT,
    ReloadSourceFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    NoPreviousVersion: HTTPStatus.CONFLICT,
    NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    NotAcceptable: HTTPStatus.NOT_ACCEPTABLE,
    RangeNotSatisfiable: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    InvalidParameters: HTTPStatus.UNPROCESSABLE_ENTITY,
    IdempotencyConflict: HTTPStatus.UNPROCESSABLE_ENTITY,
    QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    UnknownJob: HTTPStatus.NOT_FOUND,
    JobConflict: HTTPStatus.CONFLICT,
    RedisUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StorageUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def install(app: FastAPI) -> None:
    """Make every error of the app a problem document."""
    app.add_exception_handler(PretError, _any_error)
    app.add_exception_handler(RequestValidationError, _bad_parameters)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _client_is_gone)
    app.add_exception_handler(Exception, _any_error)


def problem(
    status: int, kind: str, detail: str | list[dict[str, Any]], headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """Make a problem document; `kind` is the last part of its `type`."""
    body = {
        "type": f"urn:pret-a-depenser:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "request_id": request_id.get() or None,
        **more,
    }
    return Response(msgspec.json.encode(body), status, headers, PROBLEM_TYPE)


def response_to(error: Exception) -> Response:
    """Make the answer to an error: what it says if it is one of ours, else 500 and a line in the log."""
    if not isinstance(error, PretError):
        logger.error("A request failed with %s", type(error).__name__, exc_info=error)
        return problem(500, "unexpected", "This is a fault of the service, not of the request; its log says more.")
    if isinstance(error, InvalidParameters):
        return _parameters_problem(error.details)
    status = STATUS[type(error)]
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()
    if isinstance(error, InvalidRows):
        return problem(status, kind, [_row_detail(row) for row in error.errors], total=error.total)
    if isinstance(error, RangeNotSatisfiable):
        return problem(status, kind, str(error), {"Content-Range": f"bytes */{error.size}"})
    more = {"processes": [asdict(row) for row in error.processes]} if isinstance(error, ReloadFailed) else {}
    return problem(status, kind, str(error), HEADERS.get(status), **more)


async def _any_error(_: Request, error: Exception) -> Response:
    return response_to(error)


async def _client_is_gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)


def _row_detail(error: RowError) -> dict[str, Any]:
    return {
        "loc": ["body", *(part for part in (error.row, error.feature) if part is not None)],
        "msg": error.reason,
        "type": error.type,
    }


async def _bad_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler is registered for no other
    return _parameters_problem(error.errors())


def _parameters_problem(errors: Sequence[Any]) -> Response:
    details = [
        {"loc": [cut(part) if isinstance(part, str) else part for part in detail["loc"]]}
        | {"msg": detail["msg"].removeprefix("Value error, "), "type": detail["type"]}
        for detail in errors
    ]
    return problem(422, "invalid-parameters", details[:MAX_REPORTED_ROW_ERRORS], total=len(details))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for no other
    status = HTTPStatus(error.status_code)
    kind = status.phrase.lower().replace(" ", "-")
    return problem(
        status, kind, f"{request.method} on this path: {status.description or status.phrase}.", error.headers
    )

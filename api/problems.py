"""OpenAPI documentation of problems (RFC 9457): their schema, and the error statuses of each route."""

from http import HTTPStatus
from typing import Any

from pydantic import Field

from api.errors import HEADERS, PROBLEM_TYPE, URN
from api.model_schemas import ReloadedProcess
from api.schemas import Body, InvalidValueBody
from shared.sentences import REASONS

MEANING = {
    HTTPStatus.BAD_REQUEST: "The body does not match its Content-Type.",
    HTTPStatus.UNAUTHORIZED: "A key is required.",
    HTTPStatus.FORBIDDEN: "The caller may not do this.",
    HTTPStatus.MISDIRECTED_REQUEST: "The request is for another host name.",
    HTTPStatus.NOT_FOUND: "The resource does not exist.",
    HTTPStatus.NOT_ACCEPTABLE: "The results are not available in the requested format.",
    HTTPStatus.CONFLICT: "The state of the resource does not allow this.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this service accepts.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The media type or content encoding of the body is not supported.",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "The requested range lies outside the file.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Rows or parameters are invalid.",
    HTTPStatus.TOO_MANY_REQUESTS: "The queue is full, or a quota is used up. Retry later.",
    HTTPStatus.BAD_GATEWAY: "The model source denied access.",
    HTTPStatus.SERVICE_UNAVAILABLE: "A dependency is unavailable: model, Redis, storage or model source.",
    HTTPStatus.GATEWAY_TIMEOUT: "A process did not respond in time.",
}


class ProblemDetail(Body):
    """One invalid value or parameter, in FastAPI's format; the value itself is never repeated."""

    loc: list[str | int] = Field(description="Location: `body` or `query`, then the row number, then the name.")
    msg: str
    type: str


class Problem(Body):
    """Why a request failed (RFC 9457)."""

    type: str = Field(
        description=f"`{URN}` and a stable type, one of `x-types`.",
        examples=[f"{URN}unknown-job"],
        json_schema_extra={"x-types": list(REASONS)},
    )
    title: str = Field(description="The reason phrase of the status.")
    status: int
    detail: str | list[ProblemDetail] = Field(
        description="A sentence; for invalid rows or parameters, a list of the first ones."
    )
    request_id: str | None = Field(
        None, description="Identifies the request in the service's logs; same as the header `X-Request-ID`."
    )
    params: dict[str, Any] = Field(description="Parameters of the sentence, as in `ReasonBody`.")
    errors: list[InvalidValueBody] | None = Field(None, description="For `invalid-rows`, the first invalid values.")
    total: int | None = Field(None, description="If `detail` is a list, the total number of errors.")
    invalid_rows: int | None = Field(None, description="Number of invalid rows, as in `Report`.")
    invalid_values: int | None = Field(None, description="Number of invalid values; a row may have several.")
    processes: list[ReloadedProcess] | None = Field(
        None, description="For a failed reload, the outcome on each process."
    )


PROBLEM_REF = {"$ref": f"#/components/schemas/{Problem.__name__}"}
PROBLEM_CONTENT = {PROBLEM_TYPE: {"schema": PROBLEM_REF}}

DEFAULT: dict[int | str, dict[str, Any]] = {
    "default": {"description": "The request was not let in, or the service failed.", "content": PROBLEM_CONTENT}
}
"""For every route; declaring it keeps FastAPI from adding its own 422 schema."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problem statuses of a route, for its `responses`."""
    return {status: _response(HTTPStatus(status)) for status in statuses}


def _response(status: HTTPStatus) -> dict[str, Any]:
    headers = {
        name: {"schema": {"type": "string"}, "example": value} for name, value in HEADERS.get(status, {}).items()
    }
    return {"description": MEANING[status], "content": PROBLEM_CONTENT} | ({"headers": headers} if headers else {})

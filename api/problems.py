"""What the documentation says of problems (RFC 9457): their shape, and which statuses a route answers with."""

from http import HTTPStatus
from typing import Any

from pydantic import Field

from api.errors import HEADERS, PROBLEM_TYPE, URN
from api.model_schemas import ReloadedProcess
from api.schemas import Body, InvalidValueBody
from shared.reasons import REASONS

MEANING = {
    HTTPStatus.BAD_REQUEST: "The body does not match its Content-Type.",
    HTTPStatus.UNAUTHORIZED: "This needs an admin key.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.NOT_ACCEPTABLE: "There is no such format.",
    HTTPStatus.CONFLICT: "Its state does not allow this.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is larger than this service accepts.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of a type that this route does not read.",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "The file has no such bytes.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Rows break the contract of the model, or a parameter is invalid.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much is waiting to be done already.",
    HTTPStatus.BAD_GATEWAY: "The source of models denies access.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that this needs is not available: model, Redis, storage, source of models.",
    HTTPStatus.GATEWAY_TIMEOUT: "A process did not answer in time.",
}


class ProblemDetail(Body):
    """One invalid value or parameter, as FastAPI tells it; the value itself is never repeated."""

    loc: list[str | int] = Field(description="Where: `body` or `query`, then the number of the row, then the name.")
    msg: str
    type: str


class Problem(Body):
    """Why a request was not served (RFC 9457)."""

    type: str = Field(
        description=f"`{URN}` and a stable type, one of `x-types`.",
        examples=[f"{URN}unknown-job"],
        json_schema_extra={"x-types": list(REASONS)},
    )
    title: str = Field(description="The phrase of the status.")
    status: int
    detail: str | list[ProblemDetail] = Field(
        description="A sentence; of invalid rows or parameters a list of the first."
    )
    request_id: str | None = Field(
        None, description="Names the request in the service's logs, as the header `X-Request-ID` does."
    )
    params: dict[str, Any] = Field(description="What the sentence is made with, as in `ReasonBody`.")
    errors: list[InvalidValueBody] | None = Field(None, description="The first invalid values, of `invalid-rows`.")
    total: int | None = Field(None, description="Where `detail` is a list: how many there are in all.")
    invalid_rows: int | None = Field(None, description="Number of invalid rows, as in `Report`.")
    invalid_values: int | None = Field(None, description="Number of invalid values; a row may have several.")
    processes: list[ReloadedProcess] | None = Field(None, description="Of a failed reload: what each process did.")


PROBLEM_REF = {"$ref": f"#/components/schemas/{Problem.__name__}"}
PROBLEM_CONTENT = {PROBLEM_TYPE: {"schema": PROBLEM_REF}}

DEFAULT: dict[int | str, dict[str, Any]] = {
    "default": {"description": "A fault of the service.", "content": PROBLEM_CONTENT}
}
"""For every route; where it is declared, FastAPI does not add its own form of 422."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the statuses with which a route answers as problems, for its `responses`."""
    return {status: _response(HTTPStatus(status)) for status in statuses}


def _response(status: HTTPStatus) -> dict[str, Any]:
    headers = {
        name: {"schema": {"type": "string"}, "example": value} for name, value in HEADERS.get(status, {}).items()
    }
    return {"description": MEANING[status], "content": PROBLEM_CONTENT} | ({"headers": headers} if headers else {})

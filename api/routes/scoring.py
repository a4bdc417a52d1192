"""Synchronous scoring of one applicant."""

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api.errors import response_to
from api.intake.body import JSON, read_json
from api.parameters import check_no_query
from api.services import Services
from shared.formats.json_extract import MAX_ROW_BYTES
from shared.formats.json_rows import row_from_json

INDIVIDUAL_SCORE = "/individual_score"


class IndividualScore:
    """`POST /individual_score` as a raw ASGI endpoint: bytes in, bytes out, no thread, no Redis.

    FastAPI's request handling would cost more than the scoring itself; `api.openapi` documents the route.
    """

    path = INDIVIDUAL_SCORE
    """As routes have it: the template of the path."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with the score of the row in the body, or with a problem."""
        try:
            body = await self._score(scope, receive)
        except ClientDisconnect:
            return
        except Exception as error:
            await response_to(error)(scope, receive, send)
            return
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _score(self, scope: Scope, receive: Receive) -> bytes:
        if scope["query_string"]:
            check_no_query(scope["query_string"])
        model = self._services.member.model
        body = await read_json(scope, receive, min(MAX_ROW_BYTES, self._services.settings.max_body_bytes))
        answer = await self._services.batcher.score(model, row_from_json(body, model.contract))
        return msgspec.json.encode(answer)

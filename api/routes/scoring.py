"""One applicant in the call itself."""

from fastapi import Request, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.answers import answer, encode
from api.body import JSON, read_json
from api.services import Services
from shared.formats import row_from_json

INDIVIDUAL_SCORE = "/individual_score"


class IndividualScore:
    """`POST /individual_score` as a bare ASGI endpoint: bytes in, bytes out, no thread, no Redis.

    FastAPI's own handling of a request would cost more than all of the scoring; `api.openapi` documents the route.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Score the row in the body."""
        model = self._services.member.model
        body = await read_json(Request(scope, receive), self._services.settings.max_body_bytes)
        score = await self._services.batcher.score(model, row_from_json(body, model.contract))
        response = Response(encode(answer(score, model.threshold, model.version)), media_type=JSON)
        await response(scope, receive, send)


def individual_score_route(services: Services) -> Route:
    """Make the route."""
    return Route(INDIVIDUAL_SCORE, IndividualScore(services), methods=["POST"])

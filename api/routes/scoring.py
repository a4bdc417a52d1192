"""Synchronous scoring of one applicant."""

import msgspec
import numpy as np
from anyio import to_thread
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from api.errors import response_to
from api.intake.body import JSON, read_json
from api.language import encoded, language_headers
from api.reason_options import wanted_in
from api.services import Services
from shared.explanation import Wanted
from shared.formats.json_pieces import MAX_ROW_BYTES
from shared.formats.json_rows import row_from_json, values_from_json
from shared.scoring import explain

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
        headers = [(b"content-type", JSON.encode())]
        try:
            wanted = wanted_in(scope) if scope["query_string"] else None
            if wanted is None:
                body = await self._score(scope, receive)
            else:
                body = await self._explain(scope, receive, wanted)
                headers += encoded(language_headers(wanted.language))
        except ClientDisconnect:
            return
        except Exception as error:
            await response_to(error)(scope, receive, send)
            return
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _score(self, scope: Scope, receive: Receive) -> bytes:
        model = self._services.member.model
        row = values_from_json(await self._body(scope, receive), model.contract)
        answer = await self._services.batcher.score(model, row)
        return msgspec.json.encode(answer)

    async def _explain(self, scope: Scope, receive: Receive, wanted: Wanted) -> bytes:
        model = self._services.member.model
        row = row_from_json(await self._body(scope, receive), model.contract)
        # In a thread: of some models, an explanation takes milliseconds.
        limiter = self._services.explaining_limiter
        [answer] = await to_thread.run_sync(explain, model, [row], wanted, limiter=limiter)
        self._services.traffic.scored(model, np.array([answer.score]))
        return msgspec.json.encode(answer)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        return await read_json(scope, receive, min(MAX_ROW_BYTES, self._services.settings.max_body_bytes))

"""The outermost ASGI app: every request passes through it first, whichever route it takes.

The fast routes are called directly from here: middleware and router would take a quarter of their time. Anything that applies
to all requests belongs here.
"""

import logging
import re
from asyncio import CancelledError
from collections.abc import Mapping
from random import getrandbits

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.callers import Callers
from api.errors import ShuttingDown, response_to
from shared.logging import request_id

logger = logging.getLogger(__name__)

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
"""Request IDs accepted from a caller: they are echoed in a header and logged, so only plain characters are allowed."""

ID_BITS = 64

FastRoutes = Mapping[tuple[str, str], ASGIApp]
"""Endpoints by method and path."""


class Edge:
    """The ASGI app that the server runs: identifies each request and its caller, then passes it on."""

    def __init__(self, app: FastAPI, fast_routes: FastRoutes, callers: Callers) -> None:
        self.app = app
        self._fast_routes = fast_routes
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = authorization = b""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
            elif name == b"authorization":
                authorization = value
        named = given if given and REQUEST_ID.fullmatch(given) else b"%016x" % getrandbits(ID_BITS)
        request_id.set(named.decode())
        scope.setdefault("state", {})["caller"] = self._callers.identify(authorization)

        has_started = False

        async def send_named(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                message["headers"] = [*message["headers"], (b"x-request-id", named)]
            await send(message)

        app = self._fast_routes.get((scope["method"], scope["path"]), self.app)
        answer: Send = send_named
        if scope["method"] == "HEAD":
            scope, answer = {**scope, "method": "GET"}, without_body(send_named)
        try:
            await app(scope, receive, answer)
        except CancelledError:
            # At its end the server waits some seconds for the requests under way, and then cancels them.
            logger.warning("A request was cut off by the end of the process")
            if not has_started:
                await response_to(ShuttingDown())(scope, receive, answer)


def without_body(send: Send) -> Send:
    """End a response with its headers; the application, which makes it as for GET, is then told that the client is gone."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head

"""The outermost ASGI app: every request passes through it first, whichever route it takes.

The fast routes are called directly from here: middleware and router would take a quarter of their time. Anything that applies
to all requests belongs here.
"""

import logging
import re
from asyncio import CancelledError
from collections.abc import Iterable, Mapping
from random import getrandbits
from time import perf_counter

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.audit import Audit
from api.access.browsers import readable_from, security_headers
from api.access.gate import Gate
from api.access.log import AccessLog
from api.access.quotas import Quotas
from api.errors import ShuttingDown, response_to
from api.traced import traced
from api.traffic import CLOSED, NO_ROUTE, Traffic
from shared.errors import PretError
from shared.logging import request_id

logger = logging.getLogger(__name__)

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,100}")
"""Request IDs accepted from a caller: they are echoed in a header and logged, so only plain characters are allowed."""

ID_BITS = 64
DENIED = (401, 403)

FastRoutes = Mapping[tuple[str, str], ASGIApp]
"""Endpoints by method and path."""


class Edge:
    """The ASGI app that the server runs: identifies each request, lets it in or not, and passes it on."""

    def __init__(
        self,
        app: FastAPI,
        fast_routes: FastRoutes,
        gate: Gate,
        quotas: Quotas,
        audit: Audit,
        traffic: Traffic,
        access_log: AccessLog,
        origins: Iterable[str],
    ) -> None:
        self.app = app
        self._fast_routes = fast_routes
        self._gate = gate
        self._quotas = quotas
        self._audit = audit
        self._traffic = traffic
        self._access_log = access_log
        self._enter = traced(readable_from(origins, self._let_in))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        # Of a header that is sent twice, the last one counts.
        given = dict(scope["headers"]).get(b"x-request-id")
        named = given if given and REQUEST_ID.fullmatch(given) else b"%016x" % getrandbits(ID_BITS)
        request_id.set(named.decode())
        own = [(b"x-request-id", named), *security_headers(scope["path"])]
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *own]
            await send(message)

        answer: Send = send_named
        method = scope["method"]
        if method == "HEAD":
            scope, answer = {**scope, "method": "GET"}, without_body(send_named)
        self._traffic.in_flight += 1
        try:
            await self._enter(scope, receive, answer)
        except CancelledError:
            # At its end the server waits some seconds for the requests under way, and then cancels them.
            logger.warning("A request was cut off by the end of the process")
            if not status:
                await response_to(ShuttingDown())(scope, receive, answer)
        finally:
            self._traffic.in_flight -= 1
            # As `route_of` has it, without the call.
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            status, seconds = status or CLOSED, perf_counter() - began
            self._traffic.answered(method, route, status, seconds)
            self._access_log.answered(scope, method, route, status, seconds)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = self._gate.admit(scope, dict(scope["headers"]))
            if caller.limits is not None:
                send = self._quotas.told(caller, caller.limits, send)
                await self._quotas.admit(caller, caller.limits, scope["method"], scope["path"])
        except PretError as error:
            response = response_to(error)
            if response.status_code in DENIED:
                who = scope["state"]["caller"].name
                self._audit.denied(who, scope["method"], scope["path"], error.reason.type)
            await response(scope, receive, send)
            return
        app = self._fast_routes.get((scope["method"], scope["path"]), self.app)
        if app is not self.app:
            scope["route"] = app
        await app(scope, receive, send)


def without_body(send: Send) -> Send:
    """End a response with its headers; the application, which makes it as for GET, is then told that the client is gone."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head

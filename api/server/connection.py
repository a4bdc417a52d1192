"""One connection: uvicorn's protocol for httptools, with bounds on what it leaves open.

What is refused here has not reached the application: the answer is written to the connection, which then ends.
"""

import asyncio
from functools import cache
from http import HTTPStatus
from math import inf
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.access.browsers import OF_API
from api.errors import HEADERS, problem
from api.server.connections import Connections
from api.server.exchange import Exchange
from api.server.limits import KEPT_OPEN, MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED, SLOWEST, Limits
from shared.reasons import Reason
from shared.settings import settings_or_exit

LINGER = 2.0
"""Seconds for which a refused client may go on sending: closed at once, it might not see the answer."""

OFFERS = (b"upgrade", b"http2-settings")
"""Headers that offer another protocol. There is none here, so they are ignored (RFC 9110, 7.8)."""


class Connection(HttpToolsProtocol):
    """A connection to a client."""

    cycle: Exchange

    def __init__(self, *arguments: Any, connections: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._others = connections
        self._limits = connections.limits
        self._is_refused = False
        self._silent = 0
        """Bytes that have come since anything of a request was complete: of a head, of trailers, or between chunks."""
        self._longest_head = 0
        """Bytes that a head may have that ends in what has come now; most need not be counted."""
        self._head_since: float | None = None
        """When the head that is waited for began; None while there is no hurry."""
        self._idle_since = 0.0
        self._body = self._body_then = 0
        """Bytes of bodies that have come, and those at the time of `_body_since`."""
        self._body_since = 0.0
        self._stuck_since = inf
        """Since when the client has not taken what is written."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take in the connection, unless there are too many."""
        super().connection_made(transport)
        self._head_since = self._others.now
        if not self._others.add(self):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, Reason("connections-full"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._others.remove(self)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._is_refused:
            return
        if self._head_since is None and self._is_idle:
            self._head_since = self._others.now
        self._silent += len(data)
        self._longest_head = self._silent
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(HTTPStatus.BAD_REQUEST, Reason("request-not-http"))
        if self._silent > MAX_HEAD_BYTES:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """Begin with a request, unless its head is too large; one that offers another protocol is read again without."""
        if self.parser.should_upgrade() or self._is_refused:
            return
        self._silent = 0
        if len(self.headers) > MAX_HEADERS or (
            self._longest_head > MAX_HEAD_BYTES and self._head_bytes > MAX_HEAD_BYTES
        ):
            self._refuse_head()
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, Reason("too-many-pipelined", {"limit": MAX_PIPELINED}))
            return
        self._head_since = None
        self._body_since, self._body_then = self._others.now, self._body
        self._others.begin(self)
        self._hand_over()
        # What stands in trailers must not join the headers, which the application has already.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._silent = 0
        self._body += len(body)
        if not (self._is_refused or self.cycle.response_complete):
            self.cycle.take(body)

    def on_message_complete(self) -> None:
        """End a body."""
        if self.parser.should_upgrade() or self._is_refused:
            return
        self._silent = 0
        if self.cycle.response_complete:
            # Answered before its body had come: nothing else limits how long the next request may take.
            self._head_since = self._others.now
        else:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Begin with the next request, or wait for it; as uvicorn does, but for a timer each time, which `look` makes needless."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
        if self._is_idle:
            self._others.end(self)
            self._idle_since = self._others.now
            if self.cycle.more_body:
                self._head_since = self._others.now

    def pause_writing(self) -> None:
        """Note that the client takes nothing more."""
        self._stuck_since = self._others.now
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client takes more."""
        self._stuck_since = inf
        super().resume_writing()

    def look(self) -> None:
        """End the connection if the client takes too long."""
        now = self._others.now
        if now - self._stuck_since > self._limits.stall:
            self.transport.abort()
        elif self._head_since is not None:
            if now - self._head_since > self._limits.head:
                self._give_up(Reason("head-timed-out", {"limit": self._limits.head}))
        elif self._is_idle:
            if now - self._idle_since > KEPT_OPEN:
                self.transport.close()
        elif self._is_body_slow(now):
            self._give_up(Reason("body-timed-out", {"limit": SLOWEST}))

    @property
    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _is_body_slow(self, now: float) -> bool:
        """Whether the body has come too slowly for `stall` seconds, in which the application has waited for it."""
        waits = self.cycle.more_body and not self.flow.read_paused and not self.cycle.waiting_for_100_continue
        if waits and now - self._body_since < self._limits.stall:
            return False
        is_slow = waits and self._body - self._body_then < SLOWEST * (now - self._body_since)
        self._body_since, self._body_then = now, self._body
        return is_slow

    def _feed(self, data: bytes) -> None:
        while data and not self._is_refused:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                method = self.parser.get_method()
                if method == b"CONNECT":
                    raise httptools.HttpParserInvalidMethodError from None
                # httptools takes what follows such a head for the other protocol, and so drops the body.
                data = self._head_without_offers(method) + data[offer.args[0] :]
                self.parser = httptools.HttpRequestParser(self)

    def _hand_over(self) -> None:
        """Give the request to the application, once those before it are answered.

        In place of uvicorn's own; `root_path`, `limit_concurrency` and `access_log` have no effect.
        """
        parser, scope = self.parser, self.scope
        url, version = httptools.parse_url(self.url), parser.get_http_version()
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["raw_path"], scope["query_string"] = url.path, url.query or b""
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        is_free = self._is_idle
        self.cycle = Exchange(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        if is_free:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _head_without_offers(self, method: bytes) -> bytes:
        lines = [b"%s %s HTTP/%s" % (method, self.url, self.parser.get_http_version().encode())]
        lines += [b"%s: %s" % (name, value) for name, value in self.headers if name not in OFFERS]
        return b"\r\n".join([*lines, b"", b""])

    def _refuse_head(self) -> None:
        params = {"limit": MAX_HEAD_BYTES, "count": MAX_HEADERS}
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Reason("head-too-large", params))

    def _give_up(self, reason: Reason) -> None:
        """End a connection that takes too long; one that has sent nothing of a request, without a word."""
        if self._is_idle and not self._silent:
            self.transport.close()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, reason)

    def _refuse(self, status: HTTPStatus, reason: Reason) -> None:
        """Answer in place of the application, if that has not begun to, and end the connection."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        self._head_since = None
        has_begun = False
        if not self._is_idle:
            # The application is told that the client is gone.
            has_begun, self.cycle.disconnected = self.cycle.response_started, True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        if has_begun:
            self.transport.close()
            return
        answer = problem(status, reason, HEADERS.get(status))
        headers = [*self.server_state.default_headers, *answer.raw_headers, *OF_API, (b"connection", b"close")]
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(answer.body))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)


def connect(**options: Any) -> Connection:
    """Make the protocol of a new connection, as uvicorn asks for one."""
    return Connection(connections=_connections(), **options)


@cache
def _connections() -> Connections:
    """Return the connections of this process."""
    return Connections(Limits.from_settings(settings_or_exit()))

"""A request and its response: uvicorn's cycle for httptools, which writes a short response at once.

uvicorn looks at each header on its own, and writes the head before the body. Each of the two takes longer than the trees of a
single score.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

JOINED_BYTES = 2**14
"""Pieces of a body up to this length are written together with the head; to copy longer ones would take longer."""

WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)

FORBIDDEN = bytes(code for code in (*range(0x20), 0x7F) if code != ord("\t"))
"""Characters that no header may contain (RFC 9110, 5.5)."""

Headers = Iterable[tuple[bytes, bytes]]


class Exchange(RequestResponseCycle):
    """A request under way.

    Names of headers must be lower case, as ASGI demands; of them no more is checked than that they have no control characters.
    The application gives a Content-Length, or its body is sent in chunks.
    """

    _head = b""
    """What waits for the first piece of the body. Until then the response has not started, and may still become another one."""

    async def send(self, message: Any) -> None:
        """Take a message of the application; raises RuntimeError for one that does not belong here."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            self._begin(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and (self._head or self.response_started) and not self.response_complete:
            self._go_on(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"The ASGI message '{kind}' is not expected here.")

    def take(self, piece: bytes) -> None:
        """Take a piece of the body; while the application has much of it still to take, nothing more is read."""
        if not self.body:
            # The application gets most pieces before the next one comes, so they need not be copied.
            self.body = piece  # type: ignore[assignment]
        else:
            if isinstance(self.body, bytes):
                self.body = bytearray(self.body)
            self.body += piece
        if len(self.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.message_event.set()

    async def receive(self) -> Any:
        """Return the next piece of the body, or that the client is gone."""
        if self.more_body or self.disconnected or self.response_complete or not self.message_event.is_set():
            return await super().receive()
        # Most bodies have come as a whole before the application asks.
        self.waiting_for_100_continue = False
        self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    def _begin(self, status: int, given: Headers) -> None:
        self.waiting_for_100_continue = False
        headers = [*self.default_headers, *given]
        fields = dict(headers)
        length = fields.get(b"content-length")
        self.expected_content_length = int(length or 0)
        self.chunked_encoding = length is None and self.scope["method"] != "HEAD" and status not in WITHOUT_BODY
        if b"transfer-encoding" in fields:
            raise RuntimeError("How a body is sent is for the server to say.")
        if self.chunked_encoding:
            headers.append((b"transfer-encoding", b"chunked"))
        if b"close" in fields.get(b"connection", b"").lower():
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        lines = [b": ".join(header) for header in headers]
        text = b"".join(lines)
        # A line break in a value would begin a header of its own.
        if len(text.translate(None, FORBIDDEN)) < len(text):
            raise RuntimeError("A header contains a forbidden character.")
        self._head = STATUS_LINE[status] + b"\r\n".join(lines) + b"\r\n\r\n"
        if self.chunked_encoding:
            # The first piece may take its time, and whoever waits for events wants to know that they will come.
            self._write(b"")

    def _go_on(self, body: bytes, more_body: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""
        elif self.chunked_encoding:
            body = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            if not more_body:
                body += b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0 or (self.expected_content_length and not more_body):
                raise RuntimeError("The body is not as long as Content-Length says.")
        self._write(body)
        if not more_body:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _write(self, body: bytes) -> None:
        head, self._head = self._head, b""
        self.response_started = True
        if len(body) <= JOINED_BYTES:
            self.transport.write(head + body)
        else:
            if head:
                self.transport.write(head)
            self.transport.write(body)

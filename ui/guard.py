"""What stands before every page of the console: it answers to its own names alone, and no other site can frame it."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]

VARIABLE = "UI_ALLOWED_HOSTS"
LOOPBACK = "localhost,127.0.0.1,[::1]"
ANY = "*"
MISDIRECTED = 421
WRONG_NAME = f"The console does not answer to this host name. {VARIABLE} lists its names.".encode()

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    # Some parts of a page are frames of its own.
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"referrer-policy", b"same-origin"),
)


class Guard:
    """The outermost ASGI app of the console."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        listed = os.environ.get(VARIABLE) or LOOPBACK
        self._hosts = frozenset(name.strip().lower() for name in listed.split(","))

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection; one for another name ends here, as a site may give its own name our address."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif self._hosts.isdisjoint((ANY, _name_in(dict(scope["headers"]).get(b"host", b"")))):
            await _reject(scope["type"], send)
        else:
            await self._app(scope, receive, _with_headers(send))


def _name_in(host: bytes) -> str:
    text = host.decode("latin-1").lower()
    return text if text.endswith("]") else text.rpartition(":")[0] or text


def _with_headers(send: Send) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
        await send(message)

    return send_with


async def _reject(kind: str, send: Send) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain"), *HEADERS]
    await send({"type": "http.response.start", "status": MISDIRECTED, "headers": headers})
    await send({"type": "http.response.body", "body": WRONG_NAME})

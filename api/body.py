"""Reading request bodies within limits; straight from ASGI, since the busiest route passes here."""

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from shared.errors import InputTooLarge, MalformedInput, UnsupportedInput

JSON = "application/json"


async def read_json(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read the body of a JSON request, at most `limit` bytes whatever its headers say.

    Raises UnsupportedInput for another content type or a content encoding, InputTooLarge past the limit.
    """
    _check_headers(dict(scope["headers"]), limit)
    return await _read(receive, limit)


async def read_optional_json(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read the body of a request that may have none, like `read_json`; without one the headers do not matter."""
    body = await _read(receive, limit)
    if body:
        _check_headers(dict(scope["headers"]), limit)
    return body


async def _read(receive: Receive, limit: int) -> bytes:
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _check_headers(headers: dict[bytes, bytes], limit: int) -> None:
    content_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if content_type != JSON.encode():
        raise UnsupportedInput(f"The body must be JSON: send it with the header 'Content-Type: {JSON}'.")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedInput("The body must not be compressed.")
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit():
        raise MalformedInput("The header Content-Length is not a number.")
    if int(declared[:20]) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> InputTooLarge:
    return InputTooLarge(f"The body is larger than the {limit} bytes that this service accepts.")

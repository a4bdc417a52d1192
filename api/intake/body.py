"""Read request bodies within limits, directly from ASGI since the busiest route uses it."""

from collections.abc import AsyncIterator, Callable, Sequence

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from shared.errors import InputTooLarge, MalformedInput, UnsupportedInput
from shared.formats.format import ENCODING_ALIASES, ENCODINGS, Encoding

JSON = "application/json"


async def read_json(scope: Scope, receive: Receive, limit: int, take: Callable[[int], object] = int) -> bytes:
    """Read the body of a JSON request, at most `limit` bytes whatever its headers say; calls `take` with the size of each chunk.

    Raises UnsupportedInput for another content type or a content encoding, InputTooLarge past the limit.
    """
    _check_json(scope, limit)
    return await read(receive, limit, take)


async def read_optional_json(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read an optional body, like `read_json`; without a body, the headers are ignored."""
    body = await read(receive, limit)
    if body:
        _check_json(scope, limit)
    return body


async def read(receive: Receive, limit: int, take: Callable[[int], object] = int) -> bytes:
    """Read a whole body; raises InputTooLarge past the limit. Calls `take` with the size of each chunk."""
    parts = []
    async for piece in pieces(receive, limit):
        take(len(piece))
        parts.append(piece)
    return b"".join(parts)


async def pieces(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """Read a body in chunks; raises InputTooLarge past the limit, ClientDisconnect if it ends early."""
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        yield piece
        more = message.get("more_body", False)


def content_type(scope: Scope) -> str:
    """Return the media type of the body, in lower case and without parameters; empty if there is no Content-Type."""
    return header(scope, b"content-type").partition(";")[0].strip().lower()


def content_encoding(scope: Scope, accepted: Sequence[Encoding] = ENCODINGS) -> Encoding | None:
    """Return the compression of the body; raises UnsupportedInput for an unsupported content encoding."""
    given = header(scope, b"content-encoding").strip().lower()
    if given in ("", "identity"):
        return None
    for encoding in accepted:
        if encoding in (given, ENCODING_ALIASES.get(given)):
            return encoding
    raise UnsupportedInput("compression-unsupported", accepted=list(accepted))


def declared_length(scope: Scope, limit: int) -> int | None:
    """Return the announced Content-Length; raises InputTooLarge past the limit, before anything is read."""
    declared = header(scope, b"content-length")
    if not declared:
        return None
    if not (declared.isascii() and declared.isdigit()):
        raise MalformedInput("content-length-invalid")
    length = int(declared[:20])
    if length > limit:
        raise _too_large(limit)
    return length


def header(scope: Scope, name: bytes) -> str:
    """Return the value of a header, or an empty string."""
    value: bytes = dict(scope["headers"]).get(name, b"")
    return value.decode("latin-1")


def _check_json(scope: Scope, limit: int) -> None:
    if content_type(scope) != JSON:
        raise UnsupportedInput("json-required")
    if header(scope, b"content-encoding").lower() not in ("", "identity"):
        raise UnsupportedInput("compression-not-allowed")
    declared_length(scope, limit)


def _too_large(limit: int) -> InputTooLarge:
    return InputTooLarge("body-too-large", limit=limit)

"""Reading request bodies within limits."""

from fastapi import Request

from shared.errors import InputTooLarge, MalformedInput, UnsupportedInput

JSON = "application/json"


async def read_json(request: Request, limit: int) -> bytes:
    """Read the body of a JSON request, at most `limit` bytes whatever its headers say.

    Raises UnsupportedInput for another content type or a content encoding, InputTooLarge past the limit.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != JSON:
        raise UnsupportedInput(f"The body must be JSON: send it with the header 'Content-Type: {JSON}'.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedInput("The body must not be compressed.")
    if (declared := _declared_length(request)) is not None and declared > limit:
        raise _too_large(limit)
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _declared_length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise MalformedInput("The header Content-Length is not a number.")
    return int(text[:20])


def _too_large(limit: int) -> InputTooLarge:
    return InputTooLarge(f"The body is larger than the {limit} bytes that this service accepts.")

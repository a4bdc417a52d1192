"""Read request bodies within limits, directly from ASGI since the busiest route uses it."""

from collections.abc import AsyncIterator, Callable, Sequence
from io import BytesIO

from anyio import to_thread
from multipart import parse_options_header
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from shared.errors import InputTooLarge, MalformedInput, UnsupportedInput
from shared.formats.charset import CHARSETS, UTF8, Charset, as_utf8, charset_of
from shared.formats.format import ENCODING_ALIASES, ENCODINGS, Encoding

JSON = "application/json"


async def read_json(scope: Scope, receive: Receive, limit: int, take: Callable[[int], object] = int) -> bytes:
    """Read the body of a JSON request, at most `limit` bytes whatever its headers say; calls `take` with the size of each chunk.

    It comes as UTF-8. Raises UnsupportedInput for another content type or charset or a content encoding, MalformedInput
    where it is not in its charset, InputTooLarge past the limit.
    """
    charset = _check_json(scope, limit)
    return await utf8(await read(receive, limit, take), charset, take)


async def read_optional_json(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read an optional body, like `read_json`; without a body, the headers are ignored."""
    body = await read(receive, limit)
    return await utf8(body, _check_json(scope, limit)) if body else body


async def read(receive: Receive, limit: int, take: Callable[[int], object] = int) -> bytes:
    """Read a whole body; raises InputTooLarge past the limit. Calls `take` with the size of each chunk."""
    # Not by `pieces`: the busiest route would pay a microsecond for the generator.
    size, more, whole = 0, True, BytesIO()
    while more:
        piece, more = _piece_in(await receive())
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        take(len(piece))
        if size == len(piece) and not more:
            return piece
        # Pieces that are joined at the end would all be copied at once, into new memory; this mostly grows in place.
        whole.write(piece)
    return whole.getvalue()


async def pieces(receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """Read a body in chunks; raises InputTooLarge past the limit, ClientDisconnect if it ends early."""
    size, more = 0, True
    while more:
        piece, more = _piece_in(await receive())
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        yield piece


def content_type(scope: Scope) -> str:
    """Return the media type of the body, in lower case and without parameters; empty if there is no Content-Type."""
    return _media_type_in(header(scope, b"content-type"))


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
    return _length_in(dict(scope["headers"]).get(b"content-length", b""), limit)


def header(scope: Scope, name: bytes) -> str:
    """Return the value of a header, or an empty string; of a header that is sent twice, the last one counts."""
    value: bytes = dict(scope["headers"]).get(name, b"")
    return value.decode("latin-1")


async def utf8(body: bytes, charset: Charset, take: Callable[[int], object] = int) -> bytes:
    """Write a whole body as UTF-8 without a byte order mark; `take` is told of what that takes beside the body."""
    if charset == UTF8:
        return as_utf8(body, charset)
    take(2 * len(body))
    return await to_thread.run_sync(as_utf8, body, charset)


def charset_name(scope: Scope) -> str | None:
    """Return the charset that the body is said to be in, as it is written."""
    name: str | None = parse_options_header(header(scope, b"content-type"))[1].get("charset")
    return name


def charset_of_body(scope: Scope) -> Charset:
    """Tell what the text of the body is said to be in; raises UnsupportedInput for what is not read here."""
    return _charset_in(header(scope, b"content-type"))


def known_charset(name: str | None) -> Charset:
    """Give the charset of this name, UTF-8 without one; raises UnsupportedInput."""
    charset = charset_of(name) if name else UTF8
    if charset is None:
        raise UnsupportedInput("charset-unsupported", accepted=list(CHARSETS))
    return charset


def _piece_in(message: Message) -> tuple[bytes, bool]:
    """Return the next chunk of a body, and whether more follows; raises ClientDisconnect."""
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def _check_json(scope: Scope, limit: int) -> Charset:
    """Check the headers of a JSON body, and tell its charset."""
    # Not by `header`, which the busiest route would call three times.
    headers = dict(scope["headers"])
    said = headers.get(b"content-type", b"").decode("latin-1")
    if _media_type_in(said) != JSON:
        raise UnsupportedInput("json-required")
    if headers.get(b"content-encoding", b"").lower() not in (b"", b"identity"):
        raise UnsupportedInput("compression-not-allowed")
    _length_in(headers.get(b"content-length", b""), limit)
    return _charset_in(said)


def _length_in(declared: bytes, limit: int) -> int | None:
    """Parse a Content-Length; None if it is empty. Raises MalformedInput, and InputTooLarge past the limit."""
    if not declared:
        return None
    if not declared.isdigit():
        raise MalformedInput("content-length-invalid")
    length = int(declared[:20])
    if length > limit:
        raise _too_large(limit)
    return length


def _media_type_in(said: str) -> str:
    return said.partition(";")[0].strip().lower()


def _charset_in(said: str) -> Charset:
    # Most bodies of the busiest route do not say; parsing would take time.
    return known_charset(parse_options_header(said)[1].get("charset")) if ";" in said else UTF8


def _too_large(limit: int) -> InputTooLarge:
    return InputTooLarge("body-too-large", limit=limit)

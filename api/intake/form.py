"""Streaming reader of browser forms (`multipart/form-data`): some fields, then one file."""

from collections import defaultdict
from collections.abc import AsyncIterator

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from shared.errors import InputTooLarge, MalformedInput

FORM = "multipart/form-data"
MAX_FIELD_BYTES = 10_000
MAX_FIELDS = 200


class FormReader:
    """Reads one form: `fields` up to the start of the file, then the file with `file_pieces`."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(content_type)
        try:
            self._parser = PushMultipartParser(options.get("boundary", ""), max_segment_count=MAX_FIELDS + 1)
        except (MultipartError, ValueError):
            raise MalformedInput("form-boundary-invalid") from None
        self._events = self._read(body)
        self.filename = ""
        self.content_type = ""
        self.charset: str | None = None
        """Of the file, where its part says."""

    async def fields(self) -> dict[str, list[str]]:
        """Read the fields before the file; raises MalformedInput if there is no file."""
        found: dict[str, list[str]] = defaultdict(list)
        name, content = "", b""
        async for event in self._events:
            if isinstance(event, MultipartSegment):
                if event.filename is not None:
                    self.filename, self.content_type = event.filename, event.content_type or ""
                    self.charset = event.charset
                    return found
                name, content = event.name or "", b""
            elif event is None:
                found[name].append(content.decode("utf-8", "replace"))
            else:
                content += event
                if len(content) > MAX_FIELD_BYTES:
                    raise _too_large()
        raise MalformedInput("form-without-file")

    async def file_pieces(self) -> AsyncIterator[bytes]:
        """Yield the content of the file; raises MalformedInput if it ends early or anything follows it."""
        async for event in self._events:
            if isinstance(event, MultipartSegment):
                raise MalformedInput("form-file-not-last")
            if event is not None:
                yield bytes(event)

    async def _read(self, body: AsyncIterator[bytes]) -> AsyncIterator[MultipartSegment | bytes | bytearray | None]:
        """Yield the head of each part, then its chunks, then None."""
        try:
            async for piece in body:
                if piece:
                    for event in self._parser.parse(piece):
                        yield event
            self._parser.close()
        except ParserLimitReached:
            raise _too_large() from None
        except (MultipartError, ValueError, LookupError):
            # The last two are headers in a character set that does not fit, or that there is not.
            raise MalformedInput("form-damaged") from None


def _too_large() -> InputTooLarge:
    return InputTooLarge("form-fields-too-large", count=MAX_FIELDS, limit=MAX_FIELD_BYTES)

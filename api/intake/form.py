"""Forms as browsers send them (`multipart/form-data`), read as they come: some fields, then one file."""

from collections import defaultdict
from collections.abc import AsyncIterator

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from shared.errors import InputTooLarge, MalformedInput

FORM = "multipart/form-data"
MAX_FIELD_BYTES = 10_000
MAX_FIELDS = 200


class FormReader:
    """Reads one form: first `fields`, until the file begins, then the file by `file_pieces`."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(content_type)
        try:
            self._parser = PushMultipartParser(options.get("boundary", ""), max_segment_count=MAX_FIELDS + 1)
        except (MultipartError, ValueError):
            raise MalformedInput("The boundary that the header Content-Type names cannot be one.") from None
        self._events = self._read(body)
        self.filename = ""
        self.content_type = ""

    async def fields(self) -> dict[str, list[str]]:
        """Read the fields that stand before the file; raises MalformedInput if there is no file."""
        found: dict[str, list[str]] = defaultdict(list)
        name, content = "", b""
        async for event in self._events:
            if isinstance(event, MultipartSegment):
                if event.filename is not None:
                    self.filename, self.content_type = event.filename, event.content_type or ""
                    return found
                name, content = event.name or "", b""
            elif event is None:
                found[name].append(content.decode("utf-8", "replace"))
            else:
                content += event
                if len(content) > MAX_FIELD_BYTES:
                    raise InputTooLarge("The form has too many or too long fields.")
        raise MalformedInput("The form has no file; send the file in a part with a file name.")

    async def file_pieces(self) -> AsyncIterator[bytes]:
        """Give the content of the file; raises MalformedInput if it ends too early or anything follows it."""
        async for event in self._events:
            if isinstance(event, MultipartSegment):
                raise MalformedInput("The form has something after its file; send the fields first, and one file.")
            if event is not None:
                yield bytes(event)

    async def _read(self, body: AsyncIterator[bytes]) -> AsyncIterator[MultipartSegment | bytes | bytearray | None]:
        """Give each part's head, then its pieces, then None."""
        try:
            async for piece in body:
                if piece:
                    for event in self._parser.parse(piece):
                        yield event
            self._parser.close()
        except ParserLimitReached:
            raise InputTooLarge("The form has too many or too long fields.") from None
        except (MultipartError, ValueError):
            # A ValueError is a header in a character set that nobody knows.
            raise MalformedInput("The body is not a form as its Content-Type says, or it ends too early.") from None

"""Forms as browsers send them (`multipart/form-data`), read as they come: some fields, then one file."""

from collections import defaultdict
from collections.abc import AsyncIterator
from email.message import Message
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.errors import InputTooLarge, MalformedInput

FORM = "multipart/form-data"
MAX_FIELD_BYTES = 10_000
MAX_FIELDS = 200


class _Part:
    """One part of a form, as far as it has come."""

    def __init__(self) -> None:
        self.headers = Message()
        self.content = b""
        self._name = self._value = b""

    def take(self, event: str, data: bytes) -> None:
        """Add what came."""
        match event:
            case "header_field":
                self._name += data
            case "header_value":
                self._value += data
            case "header_end":
                self.headers[self._name.decode("latin-1")] = self._value.decode("utf-8", "replace")
                self._name = self._value = b""
            case "part_data":
                self.content += data


class FormReader:
    """Reads one form: first `fields`, until the file begins, then the file by `file_pieces`."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        _, parameters = parse_options_header(content_type)
        boundary = parameters.get(b"boundary")
        if not boundary:
            raise MalformedInput("The header Content-Type names no boundary.")
        self._body = body
        self._events: list[tuple[str, bytes]] = []
        names = (
            "part_begin",
            "part_data",
            "part_end",
            "header_field",
            "header_value",
            "header_end",
            "headers_finished",
        )
        callbacks: Any = {f"on_{name}": self._noted(name) for name in (*names, "end")}
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError:
            raise MalformedInput("The boundary that the header Content-Type names cannot be one.") from None
        self.filename: str | None = None
        self.content_type = ""

    async def fields(self) -> dict[str, list[str]]:
        """Read the fields that stand before the file; raises MalformedInput if there is no file."""
        found: dict[str, list[str]] = defaultdict(list)
        part = _Part()
        parts = 0
        async for event, data in self._read():
            if event == "part_begin":
                part = _Part()
                parts += 1
            part.take(event, data)
            if event == "headers_finished" and part.headers.get_filename() is not None:
                self.filename = part.headers.get_filename()
                self.content_type = part.headers.get_content_type() if "content-type" in part.headers else ""
                return found
            if event == "part_end":
                name = part.headers.get_param("name", "", "content-disposition")
                found[str(name)].append(part.content.decode("utf-8", "replace"))
            if len(part.content) > MAX_FIELD_BYTES or parts > MAX_FIELDS:
                raise InputTooLarge("The form has too many or too long fields.")
        raise MalformedInput("The form has no file; send the file in a part with a file name.")

    async def file_pieces(self) -> AsyncIterator[bytes]:
        """Give the content of the file; raises MalformedInput if it ends too early or anything follows it."""
        ended = False
        async for event, data in self._read():
            if event == "part_data" and not ended:
                yield data
            elif event == "part_end":
                ended = True
            elif event == "part_begin":
                raise MalformedInput("The form has something after its file; send the fields first, and one file.")
            elif event == "end":
                return
        raise MalformedInput("The form ends too early.")

    async def _read(self) -> AsyncIterator[tuple[str, bytes]]:
        while True:
            while self._events:
                yield self._events.pop(0)
            try:
                piece = await anext(self._body)
            except StopAsyncIteration:
                return
            try:
                self._parser.write(piece)
            except FormParserError:
                raise MalformedInput("The body is not a form as its Content-Type says.") from None

    def _noted(self, name: str) -> Any:
        if name.endswith(("data", "field", "value")):
            return lambda data, start, end: self._events.append((name, data[start:end]))
        return lambda: self._events.append((name, b""))

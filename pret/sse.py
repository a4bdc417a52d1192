"""Server-sent events from the pieces of a stream, however it is cut."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One event: its name and its data, lines joined with newlines."""

    name: str
    data: str


@dataclass
class EventParser:
    """Takes pieces, gives the events that are complete."""

    _rest: bytes = b""
    _name: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, piece: bytes) -> list[Event]:
        """Take a piece."""
        self._rest += piece
        # A carriage return at the end may be half of a line's end.
        whole, held = (self._rest[:-1], b"\r") if self._rest.endswith(b"\r") else (self._rest, b"")
        *lines, rest = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = rest + held
        return [event for line in lines if (event := self._line(line.decode(errors="replace")))]

    def _line(self, line: str) -> Event | None:
        if not line:
            event = Event(self._name or "message", "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        return None

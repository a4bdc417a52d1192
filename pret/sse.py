"""Server-sent events from a stream in pieces, wherever it is cut."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One event: its name, and its data with lines joined by newlines."""

    name: str
    data: str


@dataclass
class EventParser:
    """Collects pieces and returns the events that they complete."""

    _rest: bytes = b""
    _name: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, piece: bytes) -> list[Event]:
        """Take a piece and return the events that it completes."""
        self._rest += piece
        # A carriage return at the end may be the first half of a line break.
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

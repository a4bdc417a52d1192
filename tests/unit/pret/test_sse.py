"""Server-sent events, however the stream is cut."""

import pytest

from pret.sse import Event, EventParser

STREAM = 'event: progress\r\ndata: {"a":\r\ndata: "é"}\r\n\r\n: comment\n\nid: 3\ndata:two\n\nevent: empty\n\ndata: half'.encode()
EVENTS = [Event("progress", '{"a":\n"é"}'), Event("message", "two")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_come_whole_from_pieces_of_any_size(size: int) -> None:
    parser = EventParser()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert [event for piece in pieces for event in parser.feed(piece)] == EVENTS


def test_a_lone_carriage_return_ends_a_line() -> None:
    assert EventParser().feed(b"data: a\r\rdata: b\r\r.") == [Event("message", "a"), Event("message", "b")]

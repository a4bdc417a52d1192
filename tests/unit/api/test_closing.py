"""What has no end of its own ends when the process is to end."""

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from api.closing import Closing


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The signals that the server's own handler gets."""
    heard: list[int] = []

    def handler(number: int, _: FrameType | None) -> None:
        heard.append(number)

    before = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT)}
    yield heard
    for number, old in before.items():
        signal.signal(number, old)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_passed_on(heard: list[int], number: signal.Signals) -> None:
    closing = Closing()
    closing.watch()
    assert not closing
    signal.raise_signal(number)
    assert closing
    assert heard == [number]


def test_a_signal_that_nobody_handles_is_left_alone() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        closing = Closing()
        closing.watch()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)

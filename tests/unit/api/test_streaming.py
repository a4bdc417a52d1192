"""A response whose rest cannot be made is never taken for a complete one."""

import asyncio
import logging
from collections.abc import Iterator

import pytest
from starlette.types import Message

from api.streaming import Streamed, begun
from shared.errors import StorageUnavailable


def sent(response: Streamed) -> list[Message]:
    """Send a response to a client that stays; give what the server was told."""
    messages: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        messages.append(message)

    asyncio.run(response({"type": "http"}, receive, send))
    return messages


def failing(error: Exception) -> Iterator[bytes]:
    yield b"row 1\n"
    raise error


def test_it_is_left_incomplete_with_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    messages = sent(Streamed(begun(failing(StorageUnavailable("storage-file-missing")))))
    assert [message.get("body") for message in messages] == [None, b"row 1\n"]
    assert messages[-1]["more_body"]
    [record] = caplog.records
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert record.message == "A response was cut off: The storage has no such file."


def test_what_nobody_expects_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        sent(Streamed(failing(ZeroDivisionError())))


def test_what_fails_before_the_first_piece_has_no_response_yet() -> None:
    pieces = failing(StorageUnavailable())
    next(pieces)
    with pytest.raises(StorageUnavailable):
        begun(pieces)


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"a", b"b"]])
def test_all_pieces_are_sent_in_their_order(pieces: list[bytes]) -> None:
    messages = sent(Streamed(begun(iter(pieces))))
    assert b"".join(message.get("body", b"") for message in messages) == b"".join(pieces)
    assert not messages[-1]["more_body"]

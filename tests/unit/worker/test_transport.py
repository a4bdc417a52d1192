"""What a worker has taken is put back at an orderly end, and is nobody's trouble where that cannot be."""

import logging
from typing import Any

import kombu
import pytest
from kombu.transport import memory, virtual

from worker.transport import Taken, Transport, put_back

typed: Any = kombu
BROKER, QUEUE, CONSUMER = typed.Connection, typed.Queue, typed.Consumer


class Channel(memory.Channel):
    """kombu's own broker in memory, with what is taken kept as here; its queues outlast the channel."""

    QoS = Taken
    do_restore = True

    def close(self) -> None:
        virtual.Channel.close(self)  # type: ignore[no-untyped-call]


class Broker(memory.Transport):
    Channel = Channel


@pytest.fixture
def connection() -> Any:
    with BROKER(transport=Broker) as made:
        yield made


def take(connection: Any, bodies: list[str]) -> tuple[Any, list[Any]]:
    """Publish messages and take them; gives the channel and the messages."""
    channel = connection.channel()
    queue = QUEUE("quick")(channel)
    queue.declare()
    queue.purge()
    producer = connection.Producer(channel)
    for body in bodies:
        producer.publish(body, routing_key="quick")
    taken: list[Any] = []
    with CONSUMER(channel, queue, on_message=taken.append):
        for _ in bodies:
            connection.drain_events(timeout=1)
    return channel, taken


def test_what_was_not_begun_is_put_back_and_what_is_done_is_not(connection: Any) -> None:
    channel, taken = take(connection, ["a", "b", "c"])
    taken[1].ack()
    channel.close()
    other = connection.channel()
    found = [other.basic_get("quick").payload for _ in range(2)]
    assert sorted(found) == ["a", "c"]
    assert other.basic_get("quick") is None


def test_what_cannot_be_put_back_is_at_the_next_connection(
    connection: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError

    channel, taken = take(connection, ["a"])
    monkeypatch.setattr(channel, "_put", refuse)
    with caplog.at_level(logging.WARNING):
        channel.close()
    assert caplog.text == ""
    assert capfd.readouterr().err == ""
    # A task that ends later on does no harm.
    taken[0].ack()
    monkeypatch.undo()
    other = connection.channel()
    for expected in (1, 0):
        put_back(other)
        assert sum(other.basic_get("quick") is not None for _ in range(2)) == expected


def test_nothing_about_a_message_is_written_to_redis() -> None:
    assert Transport.Channel.ack_emulation is False

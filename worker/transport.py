"""How a worker takes messages from Redis: what it has taken is kept in its memory only.

kombu's own way is to note each message under way in Redis until it is acknowledged, and to put it back some time later if it is
not. Here a message is a hint (docs/decisions/0019), and the reconciler finds what is lost. So the notes would only cost: four
writes a task, a lock that survives a frozen worker by five minutes, and acknowledgements over connections that are gone, which
end the worker.
"""

from typing import Any, ClassVar

from kombu.transport import TRANSPORT_ALIASES, redis, virtual

SCHEMES = ("redis", "rediss")


class Taken(virtual.QoS):
    """The messages that this process has taken and not yet done."""

    left: ClassVar[list[Any]] = []
    """What could not be put back at the end of a connection, as it was lost; it is put back at the next one."""

    def restore_unacked(self) -> list[Any]:
        """Put back what is not done. Another worker that takes what is being done here finds it claimed."""
        self.left.extend(message for _, message in super().restore_unacked())  # type: ignore[no-untyped-call]
        return []


class Channel(redis.Channel):
    """A channel that writes nothing about the messages it takes."""

    ack_emulation = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.QoS = Taken  # type: ignore[assignment]


class Transport(redis.Transport):
    """kombu's transport with such channels."""

    Channel = Channel
    brpop_timeout = 0.5  # type: ignore[assignment]
    """Seconds that one question for messages may take, and so the end of a worker."""


def put_back(channel: Any) -> None:
    """Put back what was left at the end of the last connection; once more is not tried, since the reconciler finds the rest."""
    left, Taken.left[:] = list(Taken.left), []
    for message in left:
        channel._restore(message)


def use() -> None:
    """Have this process connect to Redis in this way."""
    TRANSPORT_ALIASES.update(dict.fromkeys(SCHEMES, f"{__name__}:Transport"))

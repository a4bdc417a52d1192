"""The way to a Redis in memory, on which chosen commands are disturbed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

import fakeredis
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shared.jobs.job_scripts import SCRIPTS

LOST, LATE = "answer lost", "carried out late"


@dataclass
class Plan:
    """What is to befall the `nth` of the commands that run a script, or of all commands; and the next ones, `times` in all."""

    disturbance: str
    nth: int
    script: str | None
    times: int

    def takes(self, command: bytes) -> bool:
        """Count a command, and tell whether it is disturbed."""
        if self.script and sha1(SCRIPTS[self.script].encode()).hexdigest().encode() not in command:  # noqa: S324
            return False
        self.nth -= 1
        self.times -= self.nth <= 0
        return self.nth <= 0 <= self.times


class WireInMemory:
    """A client whose connections lose the answer to a command, or hold the command back until all others are through."""

    disturbances = (LOST, LATE)

    def __init__(self, server: fakeredis.FakeServer) -> None:
        self.count = 0
        self.plan: Plan | None = None
        self.held: list[list[bytes]] = []
        wire = self

        class Connection(fakeredis.FakeRedisConnection):
            is_answer_lost = False

            def send_packed_command(self, command: Iterable[bytes], check_health: bool = True) -> None:
                parts = list(command)
                disturbance = wire.befalls(b"".join(parts))
                if disturbance == LATE:
                    wire.held.append(parts)
                    raise redis.TimeoutError
                super().send_packed_command(parts, check_health)  # type: ignore[no-untyped-call]
                self.is_answer_lost = disturbance == LOST

            def read_response(self, *arguments: Any, **options: Any) -> Any:
                if self.is_answer_lost:
                    self.is_answer_lost = False
                    raise redis.ConnectionError
                return super().read_response(*arguments, **options)

        options: dict[str, Any] = {"server": server, "decode_responses": True}
        self.direct = fakeredis.FakeRedis(**options)
        self.client = fakeredis.FakeRedis(**options, connection_class=Connection)
        # As often as a client of the service that is not patient.
        self.client.set_retry(Retry(NoBackoff(), 1))

    def befalls(self, command: bytes) -> str | None:
        """Count a command, and tell what befalls it."""
        self.count += 1
        return self.plan.disturbance if self.plan is not None and self.plan.takes(command) else None

    def sent(self) -> int:
        return self.count

    @contextmanager
    def disturbed(self, disturbance: str, nth: int = 1, script: str | None = None, times: int = 1) -> Iterator[None]:
        if script:
            # A command that the server does not know yet is not carried out.
            self.direct.script_load(SCRIPTS[script])
        self.plan = Plan(disturbance, nth, script, times)
        yield
        assert self.plan.times <= 0, "nothing was disturbed"
        self.plan = None
        self.deliver()

    def deliver(self) -> None:
        """Let the server carry out what was held back."""
        for command in self.held:
            connection = self.direct.connection_pool.get_connection()
            connection.send_packed_command(command)  # type: ignore[no-untyped-call]
            connection.disconnect()  # type: ignore[no-untyped-call]
        self.held.clear()

"""The connections of one process: how many there are, which of them wait for a request, and which take too long."""

import asyncio
from typing import Protocol

from api.server.limits import Limits

LOOK_INTERVAL = 0.5
"""Seconds between two looks at all connections: one timer, and none for each request."""


class Connection(Protocol):
    """What is asked of a connection."""

    transport: asyncio.Transport

    def look(self) -> None:
        """End the connection if the client takes too long."""


class Connections:
    """All connections of a process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._all: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        """Those without a request under way, the one that has waited longest first."""
        self._looking: asyncio.TimerHandle | None = None
        self._looked_at = 0.0
        self.now = 0.0
        """Seconds in which this process was awake, as of the last look: a client is not to blame for others."""

    def add(self, connection: Connection) -> bool:
        """Take in a new connection, for which an idle one has to go if there are too many. False if all others are busy."""
        self._all.add(connection)
        has_room = len(self._all) <= self.limits.connections or self._close_idle()
        self._idle[connection] = None
        if self._looking is None:
            self._look()
        return has_room

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._all.discard(connection)
        self._idle.pop(connection, None)

    def begin(self, connection: Connection) -> None:
        """Note that a connection has a request under way."""
        self._idle.pop(connection, None)

    def end(self, connection: Connection) -> None:
        """Note that a connection waits for its next request."""
        self._idle[connection] = None

    def _close_idle(self) -> bool:
        for connection in self._idle:
            self.remove(connection)
            connection.transport.abort()
            return True
        return False

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        time = loop.time()
        self.now += min(time - self._looked_at, 2 * LOOK_INTERVAL)
        self._looked_at = time
        for connection in tuple(self._all):
            connection.look()
        self._looking = loop.call_later(LOOK_INTERVAL, self._look) if self._all else None

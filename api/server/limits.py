"""The limits of connections, and the open files that they take."""

import logging
import resource
from dataclasses import dataclass
from typing import Self

from shared.settings import Settings

logger = logging.getLogger(__name__)

MAX_HEAD_BYTES = 64 * 2**10
"""Bytes of a request's head: its first line and its headers."""

MAX_HEADERS = 100

MAX_PIPELINED = 100
"""Requests that a client may send ahead of their answers."""

SLOWEST = 500
"""Bytes per second that a body must bring on average."""

KEPT_OPEN = 5.0
"""Seconds for which a connection waits for its next request."""

RESERVED_FILES = 256
"""Open files of a process beside its connections: Redis, storage, models, the event loop."""


@dataclass(frozen=True)
class Limits:
    """The limits of the connections of one process; times are in seconds."""

    connections: int
    head: float
    """From the first byte of a request, or from the beginning of the connection, to the end of the headers."""
    stall: float
    """For a body below SLOWEST, and for a response that the client does not take."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Take the limits from the settings, and raise the limit of open files to what they need."""
        connections = files_for(settings.max_connections)
        return cls(connections, settings.head_timeout, settings.stall_timeout)


def files_for(connections: int) -> int:
    """Raise the limit of open files as far as is needed and allowed; return how many connections it is enough for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + RESERVED_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        connections = max(1, allowed - RESERVED_FILES)
        logger.warning("Only %d connections at once: the system allows this process %d open files", connections, hard)
    return connections

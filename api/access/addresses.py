"""Which addresses only this machine reaches, and at which ones this process listens."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from stat import S_ISSOCK

from shared.reasons import Reason

logger = logging.getLogger(__name__)

OPEN_FILES = Path("/dev/fd")
PAUSE = 0.05
PATIENCE = 10.0
"""Seconds in which a server begins to listen once the app has started."""

NO_KEYS = Reason("no-keys")


def is_local(server: tuple[str, int | None] | None) -> bool:
    """Whether only this machine reaches this address of a connection, as ASGI has it; one that is not known counts as open."""
    if server is None:
        return False
    host, port = server
    # Without a port it is the path of a Unix socket.
    return _is_loopback(host) or (port is None and host.startswith("/"))


def listening_at() -> Iterator[str]:
    """Yield the IP addresses that this process listens at.

    The system is asked, because every server has its own ways to be told: options, variables, sockets that it inherits.
    """
    for number in [int(path.name) for path in OPEN_FILES.iterdir()]:
        with suppress(OSError):
            if S_ISSOCK(os.fstat(number).st_mode):
                with socket.socket(fileno=os.dup(number)) as copy:
                    if _is_listening(copy):
                        yield copy.getsockname()[0]


async def end_if_open() -> None:
    """Wait until the server listens, and end this process with a sentence if others than this machine reach it."""
    for _ in range(int(PATIENCE / PAUSE)):
        found = list(listening_at())
        if not all(map(_is_loopback, found)):
            logger.critical(NO_KEYS.message)
            signal.raise_signal(signal.SIGTERM)
        if found:
            return
        await asyncio.sleep(PAUSE)


@lru_cache(maxsize=1024)
def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_listening(found: socket.socket) -> bool:
    is_of_network = found.family in (socket.AF_INET, socket.AF_INET6)
    return is_of_network and bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

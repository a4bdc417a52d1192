"""Which addresses only this machine reaches."""

import socket
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from shared.reasons import Reason

NO_KEYS = Reason("no-keys")


def is_local(server: tuple[str, int | None] | None) -> bool:
    """Whether only this machine reaches this address of a connection, as ASGI has it; one that is not known counts as open."""
    if server is None:
        return False
    host, port = server
    # Without a port it is the path of a Unix socket.
    return _is_loopback(host) or (port is None and host.startswith("/"))


def is_open(host: str) -> bool:
    """Whether other machines may reach a server that listens at a host: an address, or a name; an empty one is every address."""
    try:
        found = socket.getaddrinfo(host, None) if host else []
    except OSError:
        # The server itself will say that there is no such host.
        return False
    return not found or not all(_is_loopback(str(each[4][0])) for each in found)


@lru_cache(maxsize=1024)
def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback

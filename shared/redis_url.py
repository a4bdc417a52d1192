"""The address of the Redis server: what is wrong with one, told without a piece of it, since any may be of a password.

Two libraries read the address, each in its own way. What passes here means the same to both.
"""

import re

SCHEMES = ("redis://", "rediss://")
SENTINEL = ("sentinel://", "redis+sentinel://", "rediss+sentinel://", "redis-sentinel://")

MUST_BE_ENCODED = re.compile(r"[/?#;\s\[\]\\]|%(?![0-9A-Fa-f]{2})")
"""What ends the login, splits the address or spoils it. A bare @ or : in a password is read as it is meant."""

PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)?(:(?P<port>[0-9]{1,5}))?(/[0-9]*)?(\?[^\s#]*)?")
"""Host, port, number of the database, options."""

LARGEST_PORT = 65535


def check(address: str) -> None:
    """Raise ValueError, with a sentence, if the address is wrong as far as one can see without the server."""
    if address.startswith(SENTINEL):
        raise ValueError("REDIS_URL names a Sentinel, which is not supported. Give the address of the server itself")
    if not address.startswith(SCHEMES):
        raise ValueError("REDIS_URL must begin with redis:// or rediss://, as in redis://127.0.0.1:6379/0")
    login, _, place = address.partition("://")[2].rpartition("@")
    if MUST_BE_ENCODED.search(login):
        raise ValueError(
            "The user and the password in REDIS_URL must be percent-encoded: "
            "%2F for /, %23 for #, %3F for ?, %25 for %, %40 for @, %3A for a colon"
        )
    found = PLACE.fullmatch(place)
    if found is None or int(found["port"] or 0) > LARGEST_PORT:
        raise ValueError(
            "REDIS_URL must have the form redis://USER:PASSWORD@HOST:PORT/DATABASE, where USER, PASSWORD, PORT and DATABASE "
            "are optional, and PORT and DATABASE are numbers"
        )

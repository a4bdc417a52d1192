"""Which addresses a webhook may be sent to.

That is settled twice. `check_webhook_url` compares the name with those that the operator allows, when the job comes; the
delivery asks `is_public` of each address behind the name, so that the service cannot be used to reach what only it can reach.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from shared.errors import MalformedInput

MAX_URL_LENGTH = 2000
"""Characters."""

NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\]|\s")
HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
ENDS_IN_A_NUMBER = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)$")
DEFAULT_PORTS = {"http": 80, "https": 443}

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Not all versions of `ipaddress` know that these are for special use.
SPECIAL = [ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24")]


def check_webhook_url(url: str, allowed_hosts: Sequence[str]) -> None:
    """Raise MalformedInput unless the service may call this URL.

    An allowed host is `name`, which stands for the usual port of the scheme, or `name:port`. `*.name` stands for all names
    below it, but not for itself. An address is allowed only if it is listed as it is and public. Anything else in the
    list allows nothing.
    """
    if not allowed_hosts:
        raise MalformedInput("webhooks-disabled")
    target = parse(url)
    address = _address(target.host)
    if not any(_allows(entry, target, address is not None) for entry in allowed_hosts):
        raise MalformedInput("webhook-host-not-allowed")
    if address is not None and not is_public(target.host):
        raise MalformedInput("webhook-host-not-public")


def is_public(address: str) -> bool:
    """Whether an IP address is of the public internet, also once it is unwrapped from IPv6 forms of IPv4 addresses."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if inner := ip.ipv4_mapped or ip.sixtofour:
            return is_public(str(inner))
        if ip in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip not in GLOBAL_UNICAST:
            return False
    special = ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local
    return ip.is_global and not special and not any(ip in network for network in SPECIAL)


@dataclass(frozen=True)
class Target:
    """Where a URL leads: the host in its normal form, in ASCII, and the port whether or not it is the usual one."""

    scheme: str
    host: str
    port: int
    path: bytes

    @property
    def netloc(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str) -> Target:
    """Read a URL; raises MalformedInput, whose message does not repeat it."""
    if len(url) > MAX_URL_LENGTH:
        raise MalformedInput("webhook-url-too-long", limit=MAX_URL_LENGTH)
    if NOT_IN_A_URL.search(url):
        raise MalformedInput("webhook-url-characters")
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise MalformedInput("webhook-url-invalid") from None
    if parsed.scheme not in DEFAULT_PORTS:
        raise MalformedInput("webhook-url-scheme")
    if parsed.userinfo:
        raise MalformedInput("webhook-url-userinfo")
    if "#" in url:
        raise MalformedInput("webhook-url-fragment")
    host = _normal(parsed.raw_host.decode())
    port = DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if not _is_host(host) or not 0 < port < 65536:
        raise MalformedInput("webhook-host-invalid")
    return Target(parsed.scheme, host, port, parsed.raw_path)


def _normal(host: str) -> str:
    address = _address(host)
    return host.lower().removesuffix(".") if address is None else str(address)


def _is_host(host: str) -> bool:
    """Whether it is an address or a name; what ends in a number is no name, though the system would call `127.1`."""
    return _address(host) is not None or bool(HOST_NAME.fullmatch(host) and not ENDS_IN_A_NUMBER.search(host))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _allows(entry: str, target: Target, exact: bool) -> bool:
    """Whether an entry of the list stands for the target; `exact` rules out those that stand for many."""
    entry = entry.strip()
    below = entry.startswith("*.")
    try:
        parsed = httpx2.URL(f"{target.scheme}://{entry.removeprefix('*.')}")
    except httpx2.InvalidURL:
        return False
    host = _normal(parsed.raw_host.decode())
    port = DEFAULT_PORTS[target.scheme] if parsed.port is None else parsed.port
    if not _is_host(host) or port != target.port or parsed.raw_path != b"/" or parsed.userinfo:
        return False
    return not exact and target.host.endswith(f".{host}") if below else target.host == host

"""The allowed targets of webhooks.

There are two checks. At submission, `check_webhook_url` compares the host with the operator's allow list; at delivery,
`is_public` is checked for each resolved IP address, so that the service cannot be used to reach internal hosts (SSRF).
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
# Not all versions of `ipaddress` know that these are special-purpose ranges.
SPECIAL = [ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24")]


def check_webhook_url(url: str, allowed_hosts: Sequence[str]) -> None:
    """Raise MalformedInput unless the service may call this URL.

    An allowed host is `name`, which implies the default port of the scheme, or `name:port`. `*.name` matches all subdomains,
    but not `name` itself. An IP address is allowed only if it is listed literally and public. Malformed entries in the list
    allow nothing.
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
    """Whether an IP address belongs to the public internet, also after unwrapping IPv4 addresses embedded in IPv6."""
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
    """The target of a URL: the normalised host, in ASCII, and the port, even if it is the default one."""

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
    """Parse a URL; raises MalformedInput, whose message does not repeat it."""
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
    """Whether this is an IP address or a name; `127.1` is neither, though the system would resolve it."""
    return _address(host) is not None or bool(HOST_NAME.fullmatch(host) and not ENDS_IN_A_NUMBER.search(host))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _allows(entry: str, target: Target, exact: bool) -> bool:
    """Whether an entry of the list matches the target; `exact` ignores wildcards."""
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

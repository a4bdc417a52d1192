"""Callbacks: at the end of a job, a signed POST to the address that its owner named.

Where it may go is settled twice. `check_callback_url` compares the name with those the operator allows, when the job comes;
`deliver` looks at the addresses behind the name and connects to one that it has looked at, so that the service cannot be
used to reach what only it can reach. Both http and https are allowed: the signature proves where a callback is from, but only
https hides it from those on the way.

A receiver takes the body as it came, before it is parsed, and the secret that it shares with the service:

    import hashlib
    import hmac

    def verify(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
        timestamp = headers["X-Pret-Timestamp"]
        digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        genuine = hmac.compare_digest(headers["X-Pret-Signature"], f"sha256={digest}")
        return genuine and abs(now - int(timestamp)) <= 300  # seconds; an old callback may be sent again by anyone

A callback may come twice: `X-Pret-Delivery` is the same then.
"""

import hashlib
import hmac
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpcore2
import httpx2

from shared.errors import MalformedInput

MAX_URL_LENGTH = 2000
"""Characters."""

CONNECT_TIMEOUT = 3.0
TOTAL_TIMEOUT = 10.0
"""Seconds, from the look-up of the name to the status of the answer."""

BACKOFF = (5.0, 30.0, 120.0, 600.0, 3600.0)
"""Seconds to wait after the first, the second, ... failed attempt."""

RETRY_STATUSES = {408, 425, 429}
"""Besides all from 500 up."""

NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\]|\s")
HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
ENDS_IN_A_NUMBER = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)$")
DEFAULT_PORTS = {"http": 80, "https": 443}

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Not all versions of `ipaddress` know that these are for special use.
SPECIAL = [ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv4Network("192.88.99.0/24")]


class Outcome(StrEnum):
    """What became of an attempt."""

    DELIVERED = "delivered"  # the receiver has it
    RETRY = "retry"  # it may go better later
    REFUSED = "refused"  # it will not


@dataclass(frozen=True)
class Delivery:
    """One attempt, and in a sentence why it did not succeed."""

    outcome: Outcome
    reason: str | None = None


UNRESOLVED = Delivery(Outcome.RETRY, "The receiver's name could not be resolved.")
NOT_PUBLIC = Delivery(Outcome.REFUSED, "The receiver's address is not a public one.")
TOO_SLOW = Delivery(Outcome.RETRY, "The receiver did not answer in time.")
UNREACHABLE = Delivery(Outcome.RETRY, "The receiver could not be reached.")
NOT_SECURE = Delivery(Outcome.RETRY, "The receiver's certificate or its TLS is not right.")
NOT_HTTP = Delivery(Outcome.RETRY, "The receiver did not answer in HTTP.")


def next_attempt(attempt: int) -> float | None:
    """Say how many seconds to wait after attempt 1, 2, ... has failed; None to give up."""
    return BACKOFF[attempt - 1] if attempt <= len(BACKOFF) else None


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Make the value of `X-Pret-Signature`; the timestamp is in whole seconds since the epoch."""
    return f"sha256={hmac.new(secret.encode(), b'%d.%b' % (timestamp, body), hashlib.sha256).hexdigest()}"


def check_callback_url(url: str, allowed_hosts: Sequence[str]) -> None:
    """Raise MalformedInput unless the service may call this URL.

    An allowed host is `name`, which stands for the usual port of the scheme, or `name:port`. `*.name` stands for all names
    below it, but not for itself. An address is allowed only if it is listed as it is and public. Anything else in the
    list allows nothing.
    """
    if not allowed_hosts:
        raise MalformedInput("Callbacks are not enabled: CALLBACK_HOSTS is empty.")
    target = _parse(url)
    address = _address(target.host)
    if not any(_allows(entry, target, address is not None) for entry in allowed_hosts):
        raise MalformedInput("The host of callback_url, with its port, is not one of CALLBACK_HOSTS.")
    if address is not None and not is_public(target.host):
        raise MalformedInput("The host of callback_url is an address that is not public.")


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


def resolve_host(host: str, port: int) -> list[str]:
    """Look up the IP addresses of a host, best first; raises OSError or UnicodeError. The system limits how long it takes."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def deliver(
    url: str,
    body: bytes,
    secret: str | None,
    now: float,
    *,
    job_id: str,
    resolve: Callable[[str, int], list[str]] = resolve_host,
    is_allowed_address: Callable[[str], bool] = is_public,
    tls: ssl.SSLContext | None = None,
    connect_timeout: float = CONNECT_TIMEOUT,
    total_timeout: float = TOTAL_TIMEOUT,
) -> Delivery:
    """Send the body, a JSON document, once; signed if there is a secret. `now` is in seconds since the epoch.

    The name is looked up once; if any of its addresses is not allowed, nothing is sent. Redirects are not followed, proxies
    not used, and of the answer only the status is looked at. `tls` replaces the system's certificate authorities. No fault
    of the receiver is raised; reasons hold neither the URL nor the secret.
    """
    deadline = time.monotonic() + total_timeout
    try:
        target = _parse(url)
    except MalformedInput as error:
        return Delivery(Outcome.REFUSED, str(error))
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError):
        return UNRESOLVED
    if not addresses:
        return UNRESOLVED
    if not all(map(is_allowed_address, addresses)):
        return NOT_PUBLIC
    dialer = _Dialer(addresses, connect_timeout, deadline)
    try:
        return _verdict(_post(target, body, _headers(target, body, secret, now, job_id), dialer, tls))
    except httpcore2.TimeoutException:
        return TOO_SLOW
    except _NotSecureError:
        return NOT_SECURE
    except httpcore2.NetworkError:
        return UNREACHABLE
    except httpcore2.ProtocolError:
        return NOT_HTTP


def _headers(target: "_Target", body: bytes, secret: str | None, now: float, job_id: str) -> dict[str, str]:
    timestamp = int(now)
    signature = {"X-Pret-Signature": sign(secret, timestamp, body)} if secret else {}
    return {
        "Host": target.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": "pret-a-depenser",
        "Connection": "close",
        "X-Pret-Event": "job.ended",
        "X-Pret-Delivery": job_id,
        "X-Pret-Timestamp": str(timestamp),
    } | signature


def _verdict(status: int) -> Delivery:
    if 200 <= status < 300:
        return Delivery(Outcome.DELIVERED)
    if 300 <= status < 400:
        return Delivery(Outcome.REFUSED, f"The receiver answered {status}; redirects are not followed.")
    later = status >= 500 or status in RETRY_STATUSES
    return Delivery(Outcome.RETRY if later else Outcome.REFUSED, f"The receiver answered {status}.")


@dataclass(frozen=True)
class _Target:
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


def _parse(url: str) -> _Target:
    """Read a URL; raises MalformedInput, whose message does not repeat it."""
    if len(url) > MAX_URL_LENGTH:
        raise MalformedInput(f"callback_url is longer than {MAX_URL_LENGTH} characters.")
    if NOT_IN_A_URL.search(url):
        raise MalformedInput("callback_url holds blanks, control characters or backslashes.")
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise MalformedInput("callback_url is not a URL.") from None
    if parsed.scheme not in DEFAULT_PORTS:
        raise MalformedInput("callback_url must begin with https:// or http://.")
    if parsed.userinfo:
        raise MalformedInput("callback_url must not hold a user name or password.")
    if "#" in url:
        raise MalformedInput("callback_url must not have a fragment, the part from # on.")
    host = _normal(parsed.raw_host.decode())
    port = DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if not _is_host(host) or not 0 < port < 65536:
        raise MalformedInput("The host of callback_url, or its port, cannot be.")
    return _Target(parsed.scheme, host, port, parsed.raw_path)


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


def _allows(entry: str, target: _Target, exact: bool) -> bool:
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


def _post(target: _Target, body: bytes, headers: dict[str, str], dialer: "_Dialer", tls: ssl.SSLContext | None) -> int:
    """Send the request and give the status of the answer; its body is never read."""
    if target.scheme == "https" and tls is None:
        # One for each call: renewed authorities count at once, and no connection is left open.
        tls = httpx2.create_ssl_context(trust_env=False)
    # The host is the name for TLS, in which an IPv6 address has no brackets.
    url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    with (
        httpcore2.ConnectionPool(ssl_context=tls, network_backend=dialer) as pool,
        pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
    ):
        return int(response.status)


class _Dialer(httpcore2.NetworkBackend):
    """Connects to the addresses that were looked at, whatever the name leads to by then, and ends all at the deadline."""

    def __init__(self, addresses: list[str], connect_timeout: float, deadline: float) -> None:
        self._addresses = addresses
        self._connect_timeout = connect_timeout
        self._deadline = deadline
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that answers."""
        connect_deadline = min(time.monotonic() + self._connect_timeout, self._deadline)
        failure: Exception = httpcore2.ConnectTimeout()
        for address in self._addresses:
            try:
                stream = self._sockets.connect_tcp(address, port, _remaining(connect_deadline))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _HurriedStream(stream, self._deadline)
        raise failure


class _NotSecureError(httpcore2.ConnectError):
    """The two sides found no way to speak TLS, or the certificate is not to be trusted."""


class _HurriedStream(httpcore2.NetworkStream):
    """A connection on which every step has only what is left of the time for all of them."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _remaining(self._deadline))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, _remaining(self._deadline))
        except httpcore2.ConnectError as error:
            if isinstance(error.__cause__, ssl.SSLError):
                raise _NotSecureError from error
            raise
        return _HurriedStream(stream, self._deadline)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _remaining(deadline: float) -> float:
    """Seconds left; raises ConnectTimeout when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ConnectTimeout
    return left

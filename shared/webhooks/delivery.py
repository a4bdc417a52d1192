"""Webhook delivery: at the end of a job, a signed POST to the URL given by its owner.

It connects to an IP address that it has validated, even if the name resolves differently by then. Both http and https are
allowed: the signature proves the origin of a webhook, but only https keeps it confidential in transit.

A receiver verifies the raw body, before parsing it, with the secret that it shares with the service:

    import hashlib
    import hmac

    def verify(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
        timestamp = headers["X-Pret-Timestamp"]
        digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        genuine = hmac.compare_digest(headers["X-Pret-Signature"], f"sha256={digest}")
        return genuine and abs(now - int(timestamp)) <= 300  # seconds; an old one may be a replay

A webhook may be delivered twice, with the same `X-Pret-Delivery`.
"""

import hashlib
import hmac
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpcore2
import httpx2

from shared.errors import MalformedInput
from shared.reasons import Reason
from shared.webhooks.target import Target, is_public, parse

CONNECT_TIMEOUT = 3.0
TOTAL_TIMEOUT = 10.0
"""Seconds, from the DNS lookup to the status of the response."""

BACKOFF = (5.0, 30.0, 120.0, 600.0, 3600.0)
"""Seconds to wait after the first, second, ... failed attempt."""

RETRY_STATUSES = {408, 425, 429}
"""In addition to all statuses from 500 up."""


class Outcome(StrEnum):
    """The outcome of an attempt."""

    DELIVERED = "delivered"  # the receiver has it
    RETRY = "retry"  # a later attempt may succeed
    REJECTED = "rejected"  # a later attempt would fail too


@dataclass(frozen=True)
class Delivery:
    """The outcome of one attempt, and the reason if it failed."""

    outcome: Outcome
    reason: Reason | None = None


UNRESOLVED = Delivery(Outcome.RETRY, Reason("receiver-unresolved"))
NOT_PUBLIC = Delivery(Outcome.REJECTED, Reason("receiver-not-public"))
TOO_SLOW = Delivery(Outcome.RETRY, Reason("receiver-timed-out"))
UNREACHABLE = Delivery(Outcome.RETRY, Reason("receiver-unreachable"))
NOT_SECURE = Delivery(Outcome.RETRY, Reason("receiver-not-secure"))
NOT_HTTP = Delivery(Outcome.RETRY, Reason("receiver-not-http"))


def next_attempt(attempt: int) -> float | None:
    """Return the seconds to wait after attempt 1, 2, ... has failed; None to give up."""
    return BACKOFF[attempt - 1] if attempt <= len(BACKOFF) else None


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """Make the value of `X-Pret-Signature`; the timestamp is in whole seconds since the epoch."""
    return f"sha256={hmac.new(secret.encode(), b'%d.%b' % (timestamp, body), hashlib.sha256).hexdigest()}"


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

    The name is resolved once; if any of its addresses is not allowed, nothing is sent. Redirects are not followed, proxies
    not used, and only the status of the response is read. `tls` replaces the system's certificate authorities. Errors of
    the receiver are returned, not raised; reasons contain neither the URL nor the secret.
    """
    deadline = time.monotonic() + total_timeout
    try:
        target = parse(url)
    except MalformedInput as error:
        return Delivery(Outcome.REJECTED, error.reason)
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


def _headers(target: Target, body: bytes, secret: str | None, now: float, job_id: str) -> dict[str, str]:
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
        return Delivery(Outcome.REJECTED, Reason("receiver-redirected", {"status": status}))
    later = status >= 500 or status in RETRY_STATUSES
    return Delivery(Outcome.RETRY if later else Outcome.REJECTED, Reason("receiver-answered", {"status": status}))


def _post(target: Target, body: bytes, headers: dict[str, str], dialer: "_Dialer", tls: ssl.SSLContext | None) -> int:
    """Send the request and return the status of the response; its body is never read."""
    if target.scheme == "https" and tls is None:
        # One per call: renewed certificate authorities take effect at once, and no connection is left open.
        tls = httpx2.create_ssl_context(trust_env=False)
    # The host is the TLS server name, in which an IPv6 address has no brackets.
    url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    with (
        httpcore2.ConnectionPool(ssl_context=tls, network_backend=dialer) as pool,
        pool.stream("POST", url, headers=list(headers.items()), content=body) as response,
    ):
        return int(response.status)


class _Dialer(httpcore2.NetworkBackend):
    """Connects to the validated addresses, even if the name resolves differently by then, and enforces the deadline."""

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
        """Connect to the first address that responds."""
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
    """The TLS handshake failed, or the certificate is not trusted."""


class _HurriedStream(httpcore2.NetworkStream):
    """A connection on which each operation is limited to the time that remains of the total."""

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

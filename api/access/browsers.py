"""What pages of other sites, which a user's browser has open, must not do here: read by a rebound name, write, frame."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from api.access.callers import Headers
from api.access.errors import ForeignOrigin, UnknownHost
from api.access.rules import SAFE

ANY = "*"
OWN_SITE = (b"same-origin", b"none")
"""Of `Sec-Fetch-Site`: the page is one of ours, or the user has typed the address."""

KNOWN_AT_ONCE, LONGEST_NAME = 1000, 300
"""Names that were accepted and are remembered; more are not, since a wildcard would let a caller fill the memory."""

RawHeaders = list[tuple[bytes, bytes]]

COMMON = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOTHING_ALLOWED = "default-src 'none'; frame-ancestors 'none'"
# The page starts its script in the page itself, and styles itself in the same way.
DOCUMENTATION_ALLOWED = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
DOCUMENTATION = "/docs"

SENT_BY_PAGES = (
    *("Authorization", "X-API-Key", "X-Request-ID", "Idempotency-Key", "Prefer"),
    *("Content-Type", "Content-Encoding", "Range", "If-Range"),
)
READ_BY_PAGES = (
    *(
        "Content-Disposition",
        "Content-Range",
        "ETag",
        "Location",
        "Preference-Applied",
        "X-Model-Version",
        "X-Request-ID",
    ),
    *("RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate"),
)
"""Headers that a page of one of the CORS_ORIGINS may send, and those of the response that it may read."""


def _raw(headers: Mapping[str, str]) -> RawHeaders:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


OF_API = _raw(COMMON | {"Content-Security-Policy": NOTHING_ALLOWED})
"""Of every response but the page of the documentation, also of those that the server gives in place of the application."""
_OF_DOCUMENTATION = _raw(COMMON | {"Content-Security-Policy": DOCUMENTATION_ALLOWED})


def security_headers(path: str) -> RawHeaders:
    """Return the headers that tell a browser what it may do with the response."""
    return _OF_DOCUMENTATION if path == DOCUMENTATION else OF_API


def readable_from(origins: Iterable[str], app: ASGIApp) -> ASGIApp:
    """Let pages of these origins read what the app answers."""
    listed = list(origins)
    if not listed:
        return app
    return CORSMiddleware(
        app, listed, ["GET", "HEAD", "POST", "DELETE"], SENT_BY_PAGES, expose_headers=READ_BY_PAGES
    )  # fmt: skip


class Browsers:
    """Rejects what only a browser would send on behalf of another site; programs do not notice it."""

    def __init__(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origin.lower().encode() for origin in origins)
        self._known: set[bytes] = set()

    def check(self, method: str, headers: Headers) -> None:
        """Raise UnknownHost for a name that is not ours, ForeignOrigin for a write from a page of another site."""
        host = headers.get(b"host", b"")
        if host not in self._known:
            self._check_host(host)
        if method not in SAFE:
            self._check_origin(host, headers)

    def _check_host(self, host: bytes) -> None:
        # A site can give its own name the address of this machine, and its pages are then of one origin with this service.
        name = _without_port(host.decode("latin-1").lower())
        parents = (f"*{name[place:]}" for place, sign in enumerate(name) if sign == ".")
        if not self._hosts.intersection((name, ANY, *parents)):
            raise UnknownHost
        if len(self._known) < KNOWN_AT_ONCE and len(host) <= LONGEST_NAME:
            self._known.add(host)

    def _check_origin(self, host: bytes, headers: Headers) -> None:
        # Without both it is no browser of the last years.
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
        if (origin is None and site is None) or (origin and origin.lower() in self._origins):
            return
        # Through a proxy the origin may have another name than the host; the browser knows better.
        is_own = site in OWN_SITE if site is not None else _place_of(origin or b"") == host.lower()
        if not is_own:
            raise ForeignOrigin


def _without_port(host: str) -> str:
    if host.startswith("["):
        name, bracket, _ = host.partition("]")
        return name + bracket
    return host.partition(":")[0].removesuffix(".")


def _place_of(origin: bytes) -> bytes:
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return b""

"""Protection of Flower's pages in browsers, for which Flower has no settings: no frames, no rebound names."""

from ipaddress import ip_address
from typing import Any

from flower.views import BaseHandler

HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
MISDIRECTED = 421


def install() -> None:
    """Give all pages of this process these headers, and answer 421 to other names than those of this machine.

    Behind a login any name will do: a browser sends the login to the name alone that its user gave it for.
    """
    BaseHandler.set_default_headers = _with_headers(BaseHandler.set_default_headers)
    BaseHandler.prepare = _check_host


def _with_headers(plain: Any) -> Any:
    def set_default_headers(handler: Any) -> None:
        plain(handler)
        for name, value in HEADERS.items():
            handler.set_header(name, value)

    return set_default_headers


def _check_host(handler: Any) -> None:
    has_login = handler.application.options.basic_auth or handler.application.options.auth
    name = handler.request.host.lower()
    name = name if name.endswith("]") else name.rpartition(":")[0] or name
    # The liveness check of an orchestrator calls by an address of its own.
    if not has_login and not _is_of_this_machine(name) and not handler.request.path.endswith("/healthcheck"):
        handler.send_error(MISDIRECTED)


def _is_of_this_machine(name: str) -> bool:
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"

"""Start the server, on an address or on a socket that is already open."""

import os
import socket
import sys
from typing import Any

import uvicorn

from shared import metrics_files

APP, PROTOCOL = "api.main:app", "api.server.connection:connect"
"""By name: with several processes, only those that serve import them."""


def serve(host: str, port: int, patience: int) -> None:
    """Serve at an address, in as many processes as WEB_CONCURRENCY says, until a signal ends it."""
    metrics_files.share()
    uvicorn.run(APP, host=host, port=port, **_options(patience))


def inherited_host() -> str:
    """Return the address of the socket that is the standard input."""
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as listening:
        return str(listening.getsockname()[0])


def serve_inherited(patience: int) -> None:
    """Serve on the socket that is the standard input: a supervisor opened it, and several processes may have the same one."""
    # The processes that this one starts must not keep the port.
    listening = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    metrics_files.share()
    uvicorn.Server(uvicorn.Config(APP, **_options(patience))).run(sockets=[listening])


def _options(patience: int) -> dict[str, Any]:
    return {
        "http": PROTOCOL,
        "ws": "none",
        "access_log": False,
        "server_header": False,
        # Nothing here asks for the client's address; whatever read these headers would believe whoever sends them.
        "proxy_headers": False,
        "timeout_graceful_shutdown": patience,
    }

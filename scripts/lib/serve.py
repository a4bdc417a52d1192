"""One API process of `./scripts/up`: serves on its standard input, a socket that the supervisor opened.

All API processes have the same one, so that the service answers as long as one of them lives.
"""

import os
import socket
import sys

import uvicorn

PATIENCE = 10
"""Seconds that uploads and waiting callers get when the process is to end."""


def main(app: str) -> None:
    """Serve the app (`module:name`) until a signal ends it."""
    # The processes that this one starts must not keep the port.
    listening = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    uvicorn.Server(uvicorn.Config(app, access_log=False, timeout_graceful_shutdown=PATIENCE)).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1])

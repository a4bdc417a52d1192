"""The loopback of this machine: no proxy can reach it, and there are free ports on it."""

import socket
from collections.abc import MutableMapping
from contextlib import closing

HOSTS = ("127.0.0.1", "localhost", "::1")
NAMES = ("NO_PROXY", "no_proxy")
"""Some programs read one of them, some the other."""

_given_ports: set[int] = set()


def exempt(environment: MutableMapping[str, str]) -> None:
    """Name the loopback among what no proxy is asked for, in this environment and so in that of programs started with it."""
    for name in NAMES:
        listed = [host for host in environment.get(name, "").split(",") if host.strip()]
        environment[name] = ",".join([*listed, *(host for host in HOSTS if host not in listed)])


def free_port() -> int:
    """Give a port that nothing listens on and that was not given before: what it was given to may not listen on it yet."""
    while True:
        with closing(socket.socket()) as probe:
            probe.bind((HOSTS[0], 0))
            port: int = probe.getsockname()[1]
        if port not in _given_ports:
            _given_ports.add(port)
            return port

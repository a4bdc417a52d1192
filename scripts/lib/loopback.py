"""The loopback of this machine: no proxy can reach it, and there are free ports on it."""

import errno
import secrets
import socket
from collections.abc import MutableMapping
from contextlib import closing

HOSTS = ("127.0.0.1", "localhost", "::1")
NAMES = ("NO_PROXY", "no_proxy")
"""Some programs read one of them, some the other."""

PORTS = range(10_000, 32_000)
"""Below those that systems give to connections and to whoever asks for any port: nobody takes one before it is used."""

_given_ports: set[int] = set()


def exempt(environment: MutableMapping[str, str]) -> None:
    """Name the loopback among what no proxy is asked for, in this environment and so in that of programs started with it."""
    for name in NAMES:
        listed = [host for host in environment.get(name, "").split(",") if host.strip()]
        environment[name] = ",".join([*listed, *(host for host in HOSTS if host not in listed)])


def free_port() -> int:
    """Give a port that nothing listens on and that was not given before: what it was given to may not listen on it yet."""
    while True:
        port = secrets.choice(PORTS)
        if port not in _given_ports and _is_free(port):
            _given_ports.add(port)
            return port


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind((HOSTS[0], port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True

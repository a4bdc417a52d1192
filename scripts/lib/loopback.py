"""Keeps proxies away from this machine itself: none can reach its loopback."""

from collections.abc import MutableMapping

HOSTS = ("127.0.0.1", "localhost", "::1")
NAMES = ("NO_PROXY", "no_proxy")
"""Some programs read one of them, some the other."""


def exempt(environment: MutableMapping[str, str]) -> None:
    """Name the loopback among what no proxy is asked for, in this environment and so in that of programs started with it."""
    for name in NAMES:
        listed = [host for host in environment.get(name, "").split(",") if host.strip()]
        environment[name] = ",".join([*listed, *(host for host in HOSTS if host not in listed)])

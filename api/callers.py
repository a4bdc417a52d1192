"""Who sends a request: the bearer of a key, or somebody without one."""

from dataclasses import dataclass
from hmac import compare_digest

from pydantic import SecretStr

SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request: the name of its key, and what it may do."""

    name: str
    is_admin: bool = False


ANYBODY = Caller("anybody", is_admin=True)
"""Everybody, where no keys are set."""

ANONYMOUS = Caller("anonymous")
"""Whoever has no valid key, where keys are set."""


class Callers:
    """The keys that this process knows: `name:key,name:key`, or none, and then everybody may do everything."""

    def __init__(self, keys: SecretStr | None) -> None:
        entries = keys.get_secret_value().split(",") if keys else ()
        self._keys = [(Caller(name, is_admin=True), key.encode()) for name, _, key in map(_split, entries)]

    def identify(self, authorization: bytes) -> Caller:
        """Tell who bears this value of the header `Authorization`, which may be empty."""
        if not self._keys:
            return ANYBODY
        scheme, _, given = authorization.partition(b" ")
        if scheme.lower() == SCHEME.encode():
            for caller, key in self._keys:
                if compare_digest(given.strip(), key):
                    return caller
        return ANONYMOUS


def _split(entry: str) -> tuple[str, str, str]:
    return entry.strip().partition(":")

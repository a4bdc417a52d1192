"""The caller of a request: the holder of a key, or an anonymous client."""

from dataclasses import dataclass
from hmac import compare_digest

from pydantic import SecretStr

SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request: the name of its key, and its permissions."""

    name: str
    is_admin: bool = False


ANYBODY = Caller("anybody", is_admin=True)
"""Every caller, if no keys are configured."""

ANONYMOUS = Caller("anonymous")
"""A caller without a valid key, if keys are configured."""


class Callers:
    """The keys of this process, `name:key,name:key`. Without any, every caller may do everything."""

    def __init__(self, keys: SecretStr | None) -> None:
        entries = keys.get_secret_value().split(",") if keys else ()
        self._keys = [(Caller(name, is_admin=True), key.encode()) for name, _, key in map(_split, entries)]

    def identify(self, authorization: bytes) -> Caller:
        """Return the caller for this value of the `Authorization` header, which may be empty."""
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

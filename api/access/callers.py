"""The caller of a request: the holder of a key, or an anonymous client."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.keys import Key, Limits, Scope, digest_of

Headers = Mapping[bytes, bytes]

BEARER = b"bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request: the name of its key, and what it may do."""

    name: str
    scopes: frozenset[Scope]
    """With those that others imply."""
    owner: str | None = None
    """The name that its jobs carry; None without a key."""
    limits: Limits | None = None

    @classmethod
    def of(cls, key: Key) -> "Caller":
        """Make the caller that a key is for."""
        implied = Scope if Scope.ADMIN in key.scopes else (Scope.READ,)
        return cls(key.name, key.scopes.union(implied), key.name, key.limits)

    @property
    def is_admin(self) -> bool:
        """Whether it may do everything, with the jobs of all."""
        return Scope.ADMIN in self.scopes

    def may(self, accepted: frozenset[Scope]) -> bool:
        """Whether it has one of the scopes."""
        return not self.scopes.isdisjoint(accepted)


ANYBODY = Caller("anybody", frozenset(Scope))
"""Every caller, if no keys are configured."""

ANONYMOUS = Caller("anonymous", frozenset({Scope.SCORE, Scope.JOBS, Scope.READ}))
"""A caller without a valid key where only administrators have keys."""

NOBODY = Caller("anonymous", frozenset())
"""A caller without a valid key where every caller needs one."""


class Callers:
    """The callers by their keys, and who a caller without one is."""

    def __init__(self, keys: Iterable[Key], keyless: Caller) -> None:
        # A lookup may end earlier or later depending on the digest, but not on how much of a key was guessed right: without
        # the key nobody can choose its digest bit by bit. So the time tells nothing of a key, and does not grow with their number.
        self._by_digest = {key.digest: Caller.of(key) for key in keys}
        self.keyless = keyless

    def fingerprints(self) -> dict[str, str]:
        """Return each caller with a text that changes when its keys or what they allow do."""
        found: dict[str, list[str]] = {}
        for digest, caller in self._by_digest.items():
            facts = (digest, sorted(caller.scopes), caller.limits)
            found.setdefault(caller.name, []).append(digest_of(repr(facts).encode()).hex())
        return {name: digest_of("".join(sorted(parts)).encode()).hex()[:16] for name, parts in found.items()}

    def identify(self, headers: Headers) -> Caller:
        """Return the caller for these headers of a request."""
        if not self._by_digest:
            return self.keyless
        given = _key_in(headers)
        return self._by_digest.get(digest_of(given), self.keyless) if given else self.keyless


def _key_in(headers: Headers) -> bytes:
    scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
    # Another scheme may be meant for a proxy on the way.
    return given.strip() if scheme.lower() == BEARER else headers.get(b"x-api-key", b"").strip()

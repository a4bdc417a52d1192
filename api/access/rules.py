"""Which scope a request needs."""

from collections.abc import Mapping

from shared.keys import Scope

Scopes = frozenset[Scope]

READ, ADMIN = frozenset({Scope.READ}), frozenset({Scope.ADMIN})

OPEN = frozenset({"/", "/api_health", "/router_health", "/version", "/docs", "/docs/oauth2-redirect", "/openapi.json"})
"""What needs no key: signs of life for orchestrators, and the documentation."""
OPEN_BELOW = "/static-offline-docs/"
"""The scripts and styles of the documentation."""

WRITES: Mapping[str, Scopes] = {
    "/individual_score": frozenset({Scope.SCORE}),
    "/what_if": frozenset({Scope.SCORE}),
    "/multiple_score": frozenset({Scope.SCORE, Scope.JOBS}),
    "/jobs": frozenset({Scope.JOBS}),
}
"""Which scopes each allow to change something at a path; at any other, only `admin` does."""
READS: Mapping[str, Scopes] = {"/audit": ADMIN}
"""Of paths that not every key may read."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def needed(method: str, path: str) -> Scopes | None:
    """Return the scopes of which a caller needs one; None where it needs no key."""
    if method in SAFE:
        if path in OPEN or path.startswith(OPEN_BELOW):
            return None
        return READS.get(path, READ)
    return WRITES.get(path) or (WRITES["/jobs"] if path.startswith("/jobs/") else ADMIN)

"""The access log: a line for each request, without anything that a caller sent; of single scores only a sample."""

import logging
from math import inf

from starlette.types import Scope

from api.traffic import known

logger = logging.getLogger("access")

QUIET = frozenset({"/api_health", "/router_health", "/version", "/metrics"})
"""Routes that are asked all the time; only what goes wrong there is logged."""

FAULT, ERROR = 500, 400


class AccessLog:
    """Writes the lines. Used by the event loop alone."""

    def __init__(self, sampled_route: str, share: float) -> None:
        """Take the route of which only a share of the requests is logged, but for the failures that are ours."""
        self._sampled_route = sampled_route
        self._every = 1 / share if share else inf
        self._left = self._every

    def answered(self, scope: Scope, method: str, route: str, status: int, seconds: float) -> None:
        """Log a request that has ended, if its turn has come."""
        if route == self._sampled_route and status < FAULT:
            self._left -= 1
            if self._left > 0:
                return
            self._left += self._every
        if (route in QUIET and status < ERROR) or not logger.isEnabledFor(logging.INFO):
            return
        caller = scope["state"]["caller"].name if "caller" in scope.get("state", {}) else None
        fields = {
            "method": known(method),
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "caller": caller,
        }
        text = "%(method)s %(route)s %(status)s %(ms)s ms by %(caller)s"
        logger.info(text, fields, extra={"fields": fields})

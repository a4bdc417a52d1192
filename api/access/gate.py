"""The gate in the edge: lets a request in for its caller, or says why not. It sees only the head of a request."""

from starlette.types import Scope

from api.access.addresses import NO_KEYS, is_local
from api.access.browsers import Browsers
from api.access.callers import ANYBODY, NOBODY, Caller, Headers
from api.access.errors import NotAllowed, NotAuthenticated
from api.access.keyring import Keyring
from api.access.rules import needed


class Gate:
    """Decides about every request, whichever route it takes."""

    def __init__(self, keyring: Keyring, browsers: Browsers, *, anonymous_anywhere: bool) -> None:
        self._keyring = keyring
        self._browsers = browsers
        self._anonymous_anywhere = anonymous_anywhere

    def admit(self, scope: Scope, headers: Headers) -> Caller:
        """Return the caller of a request, and note it; raises UnknownHost, ForeignOrigin, NotAuthenticated or NotAllowed."""
        caller = self._keyring.callers.identify(headers)
        scope.setdefault("state", {})["caller"] = caller
        self._browsers.check(scope["method"], headers)
        if caller.owner is None and not (self._anonymous_anywhere or is_local(scope.get("server"))):
            caller = scope["state"]["caller"] = _from_elsewhere(caller)
        accepted = needed(scope["method"], scope["path"])
        if accepted is None or caller.may(accepted):
            return caller
        names = sorted(each.value for each in accepted)
        if caller.owner is None:
            raise NotAuthenticated("not-authenticated", accepted=names)
        raise NotAllowed("not-allowed", accepted=names)


def _from_elsewhere(keyless: Caller) -> Caller:
    """Return who that is that has no key and is not known to be on this machine; raises NotAllowed if no keys are configured."""
    if keyless is ANYBODY:
        raise NotAllowed.of(NO_KEYS)
    return NOBODY

"""The gate in the edge: lets a request in for its caller, or says why not. It sees only the head of a request."""

from starlette.types import Scope

from api.access.callers import Caller, Headers
from api.access.errors import NotAllowed, NotAuthenticated
from api.access.keyring import Keyring
from api.access.rules import needed


class Gate:
    """Decides about every request, whichever route it takes."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def admit(self, scope: Scope, headers: Headers) -> Caller:
        """Return the caller of a request; raises NotAuthenticated or NotAllowed."""
        caller = self._keyring.callers.identify(headers)
        accepted = needed(scope["method"], scope["path"])
        if accepted is None or caller.may(accepted):
            return caller
        names = sorted(each.value for each in accepted)
        if caller.owner is None:
            raise NotAuthenticated("not-authenticated", accepted=names)
        raise NotAllowed("not-allowed", accepted=names)

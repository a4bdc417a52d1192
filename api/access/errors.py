"""Requests that are not let in."""

from shared.errors import PretError


class NotAuthenticated(PretError):
    """This needs a key."""


class NotAllowed(PretError):
    """The key may not do this."""


class UnknownHost(PretError):
    """The request is for a host name that is not one of this service's."""

    default = "unknown-host"


class ForeignOrigin(PretError):
    """A page of another site in a browser sent the request."""

    default = "foreign-origin"

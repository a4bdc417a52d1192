"""Requests that are not let in."""

from shared.errors import PretError


class NotAuthenticated(PretError):
    """This needs a key."""


class NotAllowed(PretError):
    """The key may not do this."""

"""Who may change the model: the holder of an admin key, or every caller if no keys are configured."""

from typing import Annotated

from fastapi import Depends, Request

from api.callers import Caller
from api.errors import NotAuthenticated


def get_caller(request: Request) -> Caller:
    """Return the caller of the request, as identified by the edge."""
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]


def get_admin(caller: CallerDep) -> str:
    """Return the name of the caller's key; raises NotAuthenticated unless it may change the model."""
    if not caller.is_admin:
        raise NotAuthenticated
    return caller.name


AdminDep = Annotated[str, Depends(get_admin)]

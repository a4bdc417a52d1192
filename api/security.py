"""Who may change the model: the bearer of an admin key, or everybody where no keys are set."""

from typing import Annotated

from fastapi import Depends, Request

from api.callers import Caller
from api.errors import NotAuthenticated


def get_caller(request: Request) -> Caller:
    """Give who sends the request, as the edge found out."""
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(get_caller)]


def get_admin(caller: CallerDep) -> str:
    """Give the name of the caller's key; raises NotAuthenticated unless it may change the model."""
    if not caller.is_admin:
        raise NotAuthenticated
    return caller.name


AdminDep = Annotated[str, Depends(get_admin)]

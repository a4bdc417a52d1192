"""Who may change the model: the bearer of an admin key, or everybody where no keys are set."""

from hmac import compare_digest
from typing import Annotated

from fastapi import Depends, Request

from api.dependencies import ServicesDep
from api.errors import NotAuthenticated

ANYBODY = "anybody"
SCHEME = "bearer"


def get_admin(request: Request, services: ServicesDep) -> str:
    """Give the name of the key that the request bears; raises NotAuthenticated without a valid one."""
    setting = services.settings.admin_keys
    if setting is None:
        return ANYBODY
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    for entry in setting.get_secret_value().split(","):
        name, _, key = entry.strip().partition(":")
        if scheme.lower() == SCHEME and key and compare_digest(given.strip().encode("latin-1"), key.encode()):
            return name
    raise NotAuthenticated


AdminDep = Annotated[str, Depends(get_admin)]

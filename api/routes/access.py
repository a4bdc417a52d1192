"""Who the caller is; and the audit: who changed what, and who was not let in."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import CallerDep, ServicesDep
from api.parameters import KnownParameters
from api.problems import problems
from api.schemas import AuditEntry, AuditPage, CallerBody
from shared.audit import Kind
from shared.errors import RedisUnavailable

router = APIRouter(tags=["access"])

MAX_ENTRIES = 1000


@router.get("/caller")
async def caller(caller: CallerDep) -> CallerBody:
    """Get the name of the caller's key, and what it may do."""
    return CallerBody(name=caller.name, scopes=sorted(caller.scopes))


@router.get("/audit", responses=problems(401, 403, 422, 503), dependencies=[KnownParameters])
def audit(
    services: ServicesDep,
    kind: Annotated[Kind | None, Query(description="Only entries of this kind.")] = None,
    offset: Annotated[int, Query(ge=0, le=10**9, description="Number of entries to skip.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES, description="Maximum number of entries.")] = 100,
) -> AuditPage:
    """List changes and requests that were not let in, newest first; for administrators."""
    with suppress(RedisUnavailable):
        services.audit.flush()
    found, total = services.audit.log.page([kind] if kind else list(Kind), offset, limit)
    end = offset + limit
    return AuditPage(
        entries=[AuditEntry.of(entry) for entry in found], total=total, next_offset=end if end < total else None
    )

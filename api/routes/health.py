"""Liveness and readiness."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api import __version__
from api.dependencies import ServicesDep
from api.schemas import Health, Part, Readiness
from api.services import Services
from shared.errors import NoModel, PretError
from shared.jobs.queue import CHUNKS, FILES

router = APIRouter(tags=["health"])


@router.get("/", include_in_schema=False)
async def root() -> RedirectResponse:
    """Lead to the documentation."""
    return RedirectResponse("/docs", status_code=307)


@router.get("/api_health")
async def api_health() -> Health:
    """Liveness: this process answers. It depends on nothing else, so a restart would help if it does not."""
    return Health(version=__version__)


@router.get("/router_health", responses={503: {"model": Readiness, "description": "No model is loaded."}})
def router_health(services: ServicesDep, response: Response) -> Readiness:
    """Readiness: what is up, part by part. 503 without a model; `degraded` (200) if only jobs are affected."""
    parts = {"model": _model(services), **_job_parts(services)}
    if parts["model"].status == "down":
        response.status_code = 503
        return Readiness(status="not ready", parts=parts)
    all_up = all(part.status == "ok" for part in parts.values())
    return Readiness(status="ready" if all_up else "degraded", parts=parts)


def _model(services: Services) -> Part:
    try:
        return Part(status="ok", detail=services.member.model.version)
    except NoModel as error:
        return Part(status="down", detail=str(error))


def _job_parts(services: Services) -> dict[str, Part]:
    try:
        waiting = sum(services.queue.lengths().values())
        served = [lane for process in services.fleet.processes() for lane in process.lanes]
    except PretError as error:
        unknown = Part(status="down", detail="Not known without Redis.")
        parts = {"redis": Part(status="down", detail=str(error)), "workers": unknown, "readers": unknown}
    else:
        parts = {
            "redis": Part(status="ok", detail=f"{waiting} task(s) waiting"),
            "workers": _servers(served.count(CHUNKS), "worker"),
            "readers": _servers(served.count(FILES), "reader"),
        }
    try:
        services.storage.check()
        parts["storage"] = Part(status="ok")
    except PretError as error:
        parts["storage"] = Part(status="down", detail=str(error))
    return parts


def _servers(count: int, what: str) -> Part:
    return Part(status="ok" if count else "down", detail=f"{count} {what}(s)")

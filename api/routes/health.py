"""Liveness and readiness."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.dependencies import ServicesDep
from api.schemas import Health, Part, Readiness, ServiceVersion
from api.services import Services
from shared.errors import NoModel, PretError
from shared.jobs.queue import CHUNKS, FILES
from shared.reasons import Reason
from shared.version import service_version

router = APIRouter(tags=["health"])


@router.get("/", include_in_schema=False)
async def root() -> RedirectResponse:
    """Redirect to the documentation."""
    return RedirectResponse("/docs", status_code=307)


@router.get("/api_health")
async def api_health() -> Health:
    """Liveness: this process responds. It depends on nothing else, so if it fails, a restart will help."""
    return Health(version=service_version())


@router.get("/version")
async def version() -> ServiceVersion:
    """Get the version of the service."""
    return ServiceVersion(version=service_version())


@router.get("/router_health", responses={503: {"model": Readiness, "description": "No model is loaded."}})
def router_health(services: ServicesDep, response: Response) -> Readiness:
    """Readiness: the state of each component. 503 without a model; `degraded` (200) if only jobs are affected."""
    queue_parts, queues = _queue_parts(services)
    parts = {"model": _model(services), **queue_parts, "storage": _storage(services)}
    if parts["model"].status == "down":
        response.status_code = 503
        return Readiness(status="not ready", parts=parts, queues=queues)
    all_up = all(part.status == "ok" for part in parts.values())
    return Readiness(status="ready" if all_up else "degraded", parts=parts, queues=queues)


def _model(services: Services) -> Part:
    try:
        return Part.of("ok", Reason("model-served", {"version": services.member.model.version}))
    except NoModel as error:
        return Part.of("down", error.reason)


def _queue_parts(services: Services) -> tuple[dict[str, Part], dict[str, int] | None]:
    """Return the state of Redis and what it knows: the workers, and the number of waiting tasks per queue."""
    try:
        queues = services.queue.lengths()
        served = [queue for process in services.fleet.processes() for queue in process.queues]
    except PretError as error:
        unknown = Part.of("down", Reason("not-known-without-redis"))
        return {"redis": Part.of("down", error.reason), "workers": unknown, "readers": unknown}, None
    parts = {
        "redis": Part.of("ok", Reason("tasks-waiting", {"count": sum(queues.values())})),
        "workers": _running(Reason("workers-running", {"count": served.count(CHUNKS)})),
        "readers": _running(Reason("readers-running", {"count": served.count(FILES)})),
    }
    return parts, queues


def _storage(services: Services) -> Part:
    try:
        services.storage.check()
        services.admission.check_storage()
    except PretError as error:
        return Part.of("down", error.reason)
    return Part.of("ok", Reason("storage-writable"))


def _running(reason: Reason) -> Part:
    return Part.of("ok" if reason.params["count"] else "down", reason)

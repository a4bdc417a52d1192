"""The metrics, for Prometheus; and the last hour, for those who have none."""

from anyio import to_thread
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from api.activity import INTERVAL
from api.dependencies import ServicesDep
from api.problems import problems
from api.schemas import ActivityBody
from shared.metrics_files import text_of

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {}}}, **problems(401, 403)},
    response_class=Response,
)
async def metrics(services: ServicesDep) -> Response:
    """Get the metrics of all API processes that share this one's port, and of the jobs and the fleet, as Prometheus reads them."""
    services.traffic.flush()
    text = await to_thread.run_sync(text_of, *services.collectors)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


@router.get("/activity", responses=problems(401, 403))
async def activity(services: ServicesDep) -> ActivityBody:
    """Get the last hour: requests, their latency, waiting tasks and refused applicants, two points a minute."""
    return ActivityBody.of(services.activity.points, INTERVAL)

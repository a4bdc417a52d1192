"""The progress of a job as server-sent events."""

from collections.abc import AsyncIterator

from anyio import to_thread
from fastapi import APIRouter, Response

from api.dependencies import JobsDep, ServicesDep
from api.problems import problems
from api.schemas import JobBody
from api.services import Services
from api.streaming import Streamed
from shared.jobs.job import Job

router = APIRouter(tags=["batches"])

EVENT_STREAM = "text/event-stream"
KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment keeps the connection alive for client and proxies."""


@router.get(
    "/jobs/{job_id}/events",
    responses={200: {"content": {EVENT_STREAM: {}}}, **problems(404, 429, 503)},
    response_class=Response,
)
async def job_events(job_id: str, services: ServicesDep, jobs: JobsDep) -> Streamed:
    """Stream the job: at once and on every change (`event: progress`), and when it has ended (`event: end`).

    If the stream stops without `end`, the connection was lost or the process is shutting down: reconnect.
    """
    services.following.check_room()
    job = await to_thread.run_sync(jobs.get, job_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Streamed(_events(job, services), media_type=EVENT_STREAM, headers=headers)


async def _events(job: Job, services: Services) -> AsyncIterator[str]:
    with services.following.follow(job) as follower:
        yield _event(job)
        while not (job.state.is_final or follower.has_ended):
            if changed := await follower.next(KEEP_ALIVE):
                job = changed
                yield _event(job)
            elif not follower.has_ended:
                yield ": still here\n\n"


def _event(job: Job) -> str:
    return f"event: {'end' if job.state.is_final else 'progress'}\ndata: {JobBody.of(job).model_dump_json()}\n\n"

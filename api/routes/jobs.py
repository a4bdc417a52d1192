"""Batches: submit, follow, fetch, cancel."""

from contextlib import suppress
from typing import Annotated

import anyio
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from api.answers import answer, encode
from api.body import JSON, read_json
from api.dependencies import ModelDep, ServicesDep
from api.prefer import wait_seconds
from api.schemas import JobBody, ResultsPage, Score
from api.services import Services
from shared.errors import JobConflict, Unavailable
from shared.formats.json_rows import batches_from_json
from shared.jobs import results
from shared.jobs.ingest import submit
from shared.jobs.job import Job, JobState
from shared.models.artifact import Model

router = APIRouter(tags=["batches"])

MAX_PAGE = 10_000
FIRST_LOOK, LONGEST_PAUSE = 0.002, 0.1
"""Seconds between two looks at a job that a client waits for; the pause doubles from the first to the second."""


@router.post("/jobs", status_code=202, response_model=JobBody)
async def submit_job(request: Request, model: ModelDep, services: ServicesDep) -> Response:
    """Submit a batch: a JSON array of applicants. All rows are checked at once; scoring happens in the workers."""
    return _accepted(await _submit(request, model, services))


@router.post(
    "/multiple_score",
    status_code=202,
    response_model=JobBody,
    responses={200: {"model": list[Score], "description": "Done within `Prefer: wait=N`: the answers in input order."}},
)
async def multiple_score(request: Request, model: ModelDep, services: ServicesDep) -> Response:
    """Submit a batch as `POST /jobs` does, and with `Prefer: wait=N` get the answers at once if it is done in time."""
    wait = wait_seconds(request, services.settings.max_wait)
    job = await _submit(request, model, services)
    headers = {"Vary": "Prefer"}
    if wait is not None:
        headers["Preference-Applied"] = f"wait={wait:.0f}"
        # The job is accepted, and its client must learn of it, whatever goes away meanwhile.
        with suppress(Unavailable):
            job = await _wait_for(job, wait, services)
            if job.state is JobState.SUCCEEDED:
                answers = await to_thread.run_sync(_encoded_answers, job, services, 0, job.rows)
                return Response(answers, 200, headers, JSON)
    return _accepted(job, headers)


@router.get("/jobs/{job_id}")
def show_job(job_id: str, services: ServicesDep) -> JobBody:
    """Give the state and the progress of a job."""
    return JobBody.of(services.store.get(job_id))


@router.get("/jobs/{job_id}/results", response_model=ResultsPage)
def job_results(
    job_id: str,
    services: ServicesDep,
    offset: Annotated[int, Query(ge=0, description="First row, from 0.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Rows at most.")] = 1000,
) -> Response:
    """Give the results of a job that succeeded, a page at a time, in the order of its rows."""
    job = services.store.get(job_id)
    answers = _encoded_answers(job, services, offset, limit)
    end = offset + limit
    head = {"job_id": job.id, "total": job.rows, "offset": offset, "next_offset": end if end < job.rows else None}
    return Response(encode(head)[:-1] + b',"results":' + answers + b"}", media_type=JSON)


@router.delete("/jobs/{job_id}")
def cancel_job(job_id: str, services: ServicesDep) -> JobBody:
    """Cancel a job that has not ended. Its rows are removed at once; the record stays until it expires."""
    job = services.store.get(job_id)
    if not services.store.cancel(job_id) and (job := services.store.get(job_id)).state is not JobState.CANCELLED:
        raise JobConflict(f"The job has ended already: {job.state.value}.")
    services.storage.delete_folder(job.folder)
    return JobBody.of(services.store.get(job_id))


async def _submit(request: Request, model: Model, services: Services) -> Job:
    body = await read_json(request.scope, request.receive, services.settings.max_body_bytes)

    def parse_and_submit() -> Job:
        return submit(
            batches_from_json(body, model.contract),
            model,
            chunk_rows=services.settings.chunk_rows,
            storage=services.storage,
            store=services.store,
            queue=services.queue,
        )

    return await to_thread.run_sync(parse_and_submit, limiter=services.ingest_limiter)


async def _wait_for(job: Job, seconds: float, services: Services) -> Job:
    """Look at the job until it has ended or the time is over."""
    pause = FIRST_LOOK
    with anyio.move_on_after(seconds):
        while not job.state.is_final:
            await anyio.sleep(pause)
            job = await to_thread.run_sync(services.store.get, job.id)
            pause = min(2 * pause, LONGEST_PAUSE)
    return job


def _accepted(job: Job, headers: dict[str, str] | None = None) -> Response:
    location = {"Location": f"/jobs/{job.id}"}
    return Response(JobBody.of(job).model_dump_json(), 202, location | (headers or {}), JSON)


def _encoded_answers(job: Job, services: Services, offset: int, limit: int) -> bytes:
    scores = results.scores(job, services.storage, offset, limit).tolist()
    encoded: bytes = encode([answer(score, job.threshold, job.model_version) for score in scores])
    return encoded

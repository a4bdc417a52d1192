"""Batches: submit rows, a file, or the URI of a file."""

from contextlib import suppress

import anyio
import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response

from api.dependencies import ModelDep, ServicesDep
from api.intake.body import JSON
from api.intake.options import ExplainDep, KeyDep, OptionsDep, SubmitOptions
from api.intake.prefer import wait_seconds
from api.intake.submission import Submission
from api.parameters import KnownParameters
from api.problems import problems
from api.routes.jobs import accepted
from api.schemas import JobBody, ReasonedScore
from api.services import Services
from shared.errors import Unavailable
from shared.jobs.job import Job, JobState
from shared.jobs.results import Results

router = APIRouter(tags=["batches"])

FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1
"""Polling interval in seconds for a job that a client waits for: a tenth of the elapsed time, within these bounds."""

SUBMISSION_PROBLEMS = (400, 413, 415, 422, 429, 503)


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobBody,
    responses=problems(*SUBMISSION_PROBLEMS),
    dependencies=[KnownParameters],
)
async def submit_job(
    request: Request, model: ModelDep, services: ServicesDep, options: OptionsDep, key: KeyDep = None
) -> Response:
    """Submit a batch: JSON, which is validated at once, or a file (CSV, NDJSON, Parquet, Arrow), which a worker reads."""
    return accepted(await Submission(request, model, services, options, key).anything())


@router.post(
    "/multiple_score",
    status_code=202,
    response_model=JobBody,
    responses={
        200: {"model": list[ReasonedScore], "description": "With `Prefer: wait=N`: the scores in input order."},
        **problems(*SUBMISSION_PROBLEMS),
    },
    dependencies=[KnownParameters],
)
async def multiple_score(
    request: Request, model: ModelDep, services: ServicesDep, explain: ExplainDep = None, key: KeyDep = None
) -> Response:
    """Submit applicants as JSON; with `Prefer: wait=N`, get the scores in the response, at once or from a job done in time."""
    began, wait = anyio.current_time(), wait_seconds(request, services.settings.max_wait)
    headers = {"Vary": "Prefer"}
    if wait is not None:
        headers["Preference-Applied"] = f"wait={wait:.0f}"
    submission = Submission(request, model, services, SubmitOptions(explain=explain), key)
    job = await submission.rows(wait or 0.0)
    if isinstance(job, bytes):
        return Response(job, 200, headers, JSON)
    if wait is not None:
        # The job is accepted, so return it even if a dependency has become unavailable.
        with suppress(Unavailable):
            # The time that it waited for its turn counts.
            job = await _wait_for(job, began + wait - anyio.current_time(), services)
            if job.state is JobState.SUCCEEDED:
                return Response(await to_thread.run_sync(_answers, job, services), 200, headers, JSON)
    return accepted(job, headers)


async def _wait_for(job: Job, seconds: float, services: Services) -> Job:
    """Poll the job until it has ended, the time is up, or the process is shutting down."""
    began = anyio.current_time()
    with anyio.move_on_after(seconds):
        while not (job.state.is_final or services.closing):
            waited = anyio.current_time() - began
            await anyio.sleep(min(max(FIRST_PAUSE, waited / 10), LONGEST_PAUSE))
            job = await to_thread.run_sync(services.store.get, job.id)
    return job


def _answers(job: Job, services: Services) -> bytes:
    results = Results.of(job, services.store, services.storage)
    return msgspec.json.encode(list(results.answers()))

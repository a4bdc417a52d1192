"""Jobs: follow, list, cancel, retry."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import ServicesDep
from api.intake.body import JSON
from api.problems import problems
from api.schemas import JobBody, JobsPage, RefusedRow, Report
from shared.errors import JobConflict
from shared.jobs.job import Job, JobState

router = APIRouter(tags=["batches"])

MAX_JOBS = 200


@router.get("/jobs", responses=problems(422, 503))
def list_jobs(
    services: ServicesDep,
    state: Annotated[JobState | None, Query(description="Only jobs of this state.")] = None,
    offset: Annotated[int, Query(ge=0, le=10**9, description="First job, from 0.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_JOBS, description="Jobs at most.")] = 50,
) -> JobsPage:
    """List the jobs, newest first."""
    jobs, total = services.store.page(state, offset, limit)
    end = offset + limit
    return JobsPage(jobs=[JobBody.of(job) for job in jobs], total=total, next_offset=end if end < total else None)


@router.get("/jobs/{job_id}", responses=problems(404, 503))
def show_job(job_id: str, services: ServicesDep) -> JobBody:
    """Give the state and the progress of a job, and the rows of its file that were refused."""
    job = services.store.get(job_id)
    errors, total = services.store.report(job_id)
    report = Report(total=total, errors=[RefusedRow.of(error) for error in errors]) if total else None
    return JobBody.of(job, report)


@router.delete("/jobs/{job_id}", responses=problems(404, 409, 503))
def cancel_job(job_id: str, services: ServicesDep) -> JobBody:
    """Cancel a job that has not ended. Its rows are removed at once; the record stays until it expires."""
    job = services.store.get(job_id)
    if not services.store.cancel(job_id) and (job := services.store.get(job_id)).state is not JobState.CANCELLED:
        raise JobConflict(f"The job has ended already: {job.state.value}.")
    services.storage.delete_folder(job.folder)
    return JobBody.of(services.store.get(job_id))


@router.post("/jobs/{job_id}/retry", status_code=202, response_model=JobBody, responses=problems(404, 409, 503))
def retry_job(job_id: str, services: ServicesDep) -> Response:
    """Do a failed job again, with the rows that it came with and the model version that it is pinned to."""
    job = services.store.get(job_id)
    units = services.store.retry(job_id, services.intake.window())
    if units is None:
        raise JobConflict(
            "The job failed for what was sent; send it again, corrected."
            if job.state is JobState.FAILED
            else f"The job is {job.state.value}; only a failed one can be done again."
        )
    services.queue.publish(job, units)
    return accepted(services.store.get(job_id))


def accepted(job: Job, headers: dict[str, str] | None = None) -> Response:
    """Answer that a job is under way, and where."""
    location = {"Location": f"/jobs/{job.id}"}
    return Response(JobBody.of(job).model_dump_json(), 202, location | (headers or {}), JSON)

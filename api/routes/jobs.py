"""Jobs: follow, list, cancel, remove, retry."""

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access.jobs import VisibleJobs
from api.dependencies import JobsDep, ServicesDep
from api.intake.body import JSON
from api.parameters import KnownParameters
from api.problems import problems
from api.schemas import JobBody, JobsPage, ReportBody
from api.services import Services
from shared.errors import JobConflict
from shared.jobs import expiry
from shared.jobs.job import Job, JobState

router = APIRouter(tags=["batches"])

MAX_JOBS = 200


@router.get("/jobs", responses=problems(422, 503), dependencies=[KnownParameters])
def list_jobs(
    jobs: JobsDep,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    offset: Annotated[int, Query(ge=0, le=10**9, description="Number of jobs to skip.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_JOBS, description="Maximum number of jobs.")] = 50,
) -> JobsPage:
    """List the caller's jobs, newest first; an administrator's list has those of all."""
    found, total = jobs.page(state, offset, limit)
    end = offset + limit
    return JobsPage(jobs=[JobBody.of(job) for job in found], total=total, next_offset=end if end < total else None)


@router.get("/jobs/{job_id}", responses=problems(404, 503))
def show_job(job_id: str, services: ServicesDep, jobs: JobsDep) -> JobBody:
    """Get the state and progress of a job, and the report of its invalid rows."""
    return JobBody.of(jobs.get(job_id), ReportBody.of(services.store.report(job_id)))


@router.delete(
    "/jobs/{job_id}",
    response_model=JobBody,
    responses={204: {"description": "Removed, with `purge=true`."}, **problems(404, 409, 422, 503)},
    dependencies=[KnownParameters],
)
def delete_job(
    job_id: str,
    services: ServicesDep,
    jobs: JobsDep,
    purge: Annotated[
        bool, Query(description="Remove the job, its rows and its results now; an open job is cancelled first.")
    ] = False,
) -> JobBody | Response:
    """Cancel a job that has not ended: its rows are removed at once, and the record when it expires.

    With `purge=true`, remove a job in any state, with all that is stored of it.
    """
    job = jobs.get(job_id)
    with _audited(services, jobs, job, "remove" if purge else "cancel"):
        if purge:
            expiry.remove(job_id, services.store, services.storage)
            return Response(status_code=204)
        if not services.store.cancel(job_id) and (job := jobs.get(job_id)).state is not JobState.CANCELLED:
            raise JobConflict("job-ended", state=job.state.value)
        services.storage.delete_folder(job.folder)
        return JobBody.of(jobs.get(job_id))


@router.post("/jobs/{job_id}/retry", status_code=202, response_model=JobBody, responses=problems(404, 409, 503))
def retry_job(job_id: str, services: ServicesDep, jobs: JobsDep) -> Response:
    """Run a failed job again, with the same rows and the model version that it is pinned to."""
    job = jobs.get(job_id)
    with _audited(services, jobs, job, "retry"):
        units = services.store.retry(job_id, services.intake.window())
        if units is None:
            if job.state is JobState.FAILED:
                raise JobConflict("job-input-invalid")
            raise JobConflict("job-not-failed", state=job.state.value)
        services.queue.publish(job, units)
        return accepted(jobs.get(job_id))


def _audited(services: Services, jobs: VisibleJobs, job: Job, what: str) -> AbstractContextManager[object]:
    """Note what an administrator does to the job of another caller."""
    is_own = job.owner == jobs.caller.owner
    return nullcontext() if is_own else services.audit.change(jobs.caller, f"{what} another's job", job.id)


def accepted(job: Job, headers: dict[str, str] | None = None) -> Response:
    """Return 202 with the job and its location."""
    location = {"Location": f"/jobs/{job.id}"}
    return Response(JobBody.of(job).model_dump_json(), 202, location | (headers or {}), JSON)

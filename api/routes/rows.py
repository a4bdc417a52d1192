"""One row of a job."""

from typing import Annotated, Any

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Path, Query, Response

from api.dependencies import JobsDep, LanguageDep, ServicesDep
from api.intake.body import JSON
from api.language import language_headers
from api.parameters import KnownParameters
from api.problems import problems
from api.reason_options import ReasonOptions
from api.routes.results import as_listed
from api.row_schemas import JobRow
from shared.errors import JobConflict, UnknownRow
from shared.jobs.job import Job
from shared.jobs.results import Results
from shared.jobs.row import RowRequest
from shared.jobs.rows import ERROR_COLUMN, ERRORS_COLUMN

router = APIRouter(tags=["batches"])


@router.get(
    "/jobs/{job_id}/rows/{row}",
    response_model=JobRow,
    responses=problems(404, 409, 422, 503),
    dependencies=[KnownParameters],
)
async def job_row(
    job_id: str,
    row: Annotated[int, Path(ge=0, le=10**12, description="Number of the row, from 0, as in reports.")],
    services: ServicesDep,
    jobs: JobsDep,
    language: LanguageDep,
    options: Annotated[ReasonOptions, Query()],
) -> Response:
    """Get one applicant of a batch: the inputs as they were sent, the kept columns, and the score or what is invalid.

    A worker reads the inputs from the file again.
    """

    def find() -> tuple[Job, dict[str, Any]]:
        job = jobs.get(job_id)
        results = Results.of(job, services.store, services.storage, partial=True)
        _check(row, results)
        [result] = [each for batch in results.batches(row, row + 1) for each in as_listed(job, batch)]
        return job, result

    job, result = await to_thread.run_sync(find)
    wanted = options.wanted(language)
    answer = await services.rows.read(job, RowRequest(row, wanted))
    if answer.score != result["score"]:
        raise JobConflict("row-changed")
    kept = {name: result.pop(name) for name in job.keep}
    errors = result.pop(ERRORS_COLUMN, None) or []
    result.pop(ERROR_COLUMN, None)
    body = {"row": row, "inputs": answer.inputs, "kept": kept, **result, "errors": errors}
    if wanted is None:
        return Response(msgspec.json.encode(body), media_type=JSON)
    body["explanation"] = answer.explanation
    return Response(msgspec.json.encode(body), headers=language_headers(language), media_type=JSON)


def _check(row: int, results: Results) -> None:
    """Raise UnknownRow if there is no such row, JobConflict if it has no results yet."""
    count = results.job.rows
    if count is None:
        raise JobConflict("row-not-read")
    if row >= count:
        raise UnknownRow(row=row, count=count)
    if row >= results.rows:
        raise JobConflict("row-not-scored")

"""The results of a job: pages of JSON, or one file."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePath
from typing import Annotated, Any

import msgspec
import pyarrow as pa
from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from api.dependencies import JobsDep, ServicesDep
from api.errors import NotAcceptable
from api.intake.body import JSON
from api.lookup_options import column_to_search
from api.parameters import KnownParameters
from api.problems import problems
from api.ranges import requested_range
from api.schemas import ResultsPage
from api.services import Services
from api.streaming import Streamed, begun
from shared.errors import StorageUnavailable
from shared.formats.format import BY_MEDIA_TYPE, FORMATS, Format
from shared.formats.parallel import ahead
from shared.formats.writers import encode, json_rows
from shared.jobs.job import Job
from shared.jobs.lookup import matching_rows
from shared.jobs.results import Results
from shared.jobs.rows import ERRORS_COLUMN
from shared.storage import Storage

router = APIRouter(tags=["batches"])

PAGE, MAX_PAGE = 1000, 10_000
"""Rows in a page of JSON, unless the caller says, and the most rows that one may ask for."""
PIECE = 2**20
MAX_ACCEPTED = 100
"""Media ranges of an Accept header that are looked at."""
QUALITY = re.compile(r"[01](\.\d{0,3})?", re.ASCII)

RESULT_TYPES = [facts.media_types[0] for facts in FORMATS.values()]


@router.get(
    "/jobs/{job_id}/results",
    response_model=ResultsPage,
    responses={
        200: {"content": {media: {} for media in RESULT_TYPES}},
        206: {"description": "The byte range requested with `Range`."},
        **problems(404, 406, 409, 416, 422, 503),
    },
    dependencies=[KnownParameters],
)
async def job_results(
    request: Request,
    job_id: str,
    services: ServicesDep,
    jobs: JobsDep,
    form: Annotated[
        Format | None, Query(alias="format", description="Result format; takes precedence over the `Accept` header.")
    ] = None,
    offset: Annotated[int, Query(ge=0, le=10**12, description="Number of rows to skip.")] = 0,
    limit: Annotated[
        int | None,
        Query(ge=1, le=MAX_PAGE, description=f"Maximum number of rows; by default {PAGE} in JSON, and all in a file."),
    ] = None,
    partial: Annotated[
        bool, Query(description="For a running job, return the leading rows that are already scored.")
    ] = False,
    id: Annotated[
        str | None,
        Query(max_length=1000, description="Return only the rows with this value in a kept column, as JSON."),
    ] = None,
    column: Annotated[
        str | None, Query(description="The kept column to look in for `id`; needed where there are several.")
    ] = None,
) -> Response:
    """Get the results in the order of the rows: JSON one page at a time, other formats as one file.

    `offset` and `limit` choose rows in every format; a file of some of the rows cannot be resumed. With `id`, the search begins
    at row `offset` and ends with `limit` rows found.
    """

    def find() -> Results:
        return Results.of(jobs.get(job_id), services.store, services.storage, partial=partial)

    wanted = form or accepted_format(request.headers.get("accept", ""))
    results = await to_thread.run_sync(find)
    if id is not None or column is not None:
        where = column_to_search(results.job.keep, id, column, is_json=wanted is Format.JSON)

        def search() -> bytes:
            return _found(results, where, id or "", offset, limit or PAGE)

        return Response(await to_thread.run_sync(search, limiter=services.looking_limiter), media_type=JSON)
    if wanted is Format.JSON:
        return Response(await to_thread.run_sync(_page, results, offset, limit or PAGE), media_type=JSON)
    if offset or limit:
        return await to_thread.run_sync(_part, results, wanted, offset, offset + limit if limit else None)
    limiter = services.making_limiter if "range" in request.headers else None
    return await to_thread.run_sync(_file, results, wanted, request, services, limiter=limiter)


def accepted_format(accept: str) -> Format:
    """Choose the format by the header, in order of preference; raises NotAcceptable if none is supported."""
    ranges = [part.lower().replace(" ", "").split(";") for part in accept.split(",")[:MAX_ACCEPTED] if part.strip()]
    wanted = [(_quality(parameters), media) for media, *parameters in ranges]
    for quality, media in sorted(wanted, key=lambda each: -each[0]):
        if quality > 0 and media in BY_MEDIA_TYPE:
            return BY_MEDIA_TYPE[media]
    open_to = {media for quality, media in wanted if quality > 0}
    if not ranges or open_to & {"*/*", "application/*"}:
        return Format.JSON
    if "text/*" in open_to:
        return Format.CSV
    raise NotAcceptable("not-acceptable", accepted=RESULT_TYPES)


def _quality(parameters: list[str]) -> float:
    found = [parameter.removeprefix("q=") for parameter in parameters if parameter.startswith("q=")]
    return float(found[0]) if found and QUALITY.fullmatch(found[0]) else 1.0


def _page(results: Results, offset: int, limit: int) -> bytes:
    job, end = results.job, offset + limit
    if not job.has_echo:
        rows: list[Any] = list(results.answers(offset, end))
    else:
        rows = [row for batch in results.batches(offset, end) for row in as_listed(job, batch)]
    return _page_of(results, offset, end if end < results.rows else None, rows)


def _found(results: Results, column: str, value: str, offset: int, limit: int) -> bytes:
    found = matching_rows(results, column, value, offset, limit)
    more = found[-1][0] + 1 if len(found) == limit and found[-1][0] + 1 < results.rows else None
    rows = [row for _, batch in found for row in as_listed(results.job, batch)]
    return _page_of(results, offset, more, rows, rows=[number for number, _ in found])


def _page_of(results: Results, offset: int, more: int | None, listed: list[Any], **found: list[int]) -> bytes:
    page = {"job_id": results.job.id, "total": results.rows, "offset": offset, "next_offset": more, **found}
    return msgspec.json.encode({**page, "results": listed})


def as_listed(job: Job, batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return results as a page of JSON has them."""
    facts = {"threshold": job.threshold, "model_version": job.model_version}
    return [_listed(row) | facts for row in json_rows(batch)]


def _listed(row: dict[str, Any]) -> dict[str, Any]:
    """Decode the invalid values of a flagged row, which files hold as text, to a list."""
    errors = row.get(ERRORS_COLUMN)
    return row if errors is None else row | {ERRORS_COLUMN: msgspec.Raw(errors.encode())}


def _part(results: Results, form: Format, start: int, end: int | None) -> Response:
    """Give a file of some of the rows."""
    pieces = _encoded(results, form, start, end)
    return Streamed(pieces, media_type=FORMATS[form].content_type, headers=_file_headers(results.job, form))


def _file(results: Results, form: Format, request: Request, services: Services) -> Response:
    job, storage = results.job, services.storage
    headers = _file_headers(job, form)
    media = FORMATS[form].content_type
    if not job.state.is_final:
        return Streamed(_encoded(results, form), media_type=media, headers=headers)
    headers |= {"ETag": f'"{job.id}-{job.attempt}-{form}-{pa.__version__}"', "Accept-Ranges": "bytes"}
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return Streamed(_encoded(results, form), media_type=media, headers=headers)
    # A range requires a complete file.
    name = f"{job.folder}/results.{form}"
    size = _made(results, form, name, services)
    part = requested_range(asked, size)
    if part is None:
        return Streamed(begun(_stored(name, 0, size, storage)), media_type=media, headers=headers)
    first, last = part
    headers |= {"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": str(last - first + 1)}
    return Streamed(begun(_stored(name, first, last + 1, storage)), 206, headers, media)


def _file_headers(job: Job, form: Format) -> dict[str, str]:
    stem = PurePath(job.name or job.id[:8]).name.partition(".")[0]
    return {
        "Content-Disposition": f'attachment; filename="{_ascii(stem)}-scores.{form}"',
        "X-Model-Version": job.model_version,
        "Cache-Control": "no-store",
    }


def _encoded(results: Results, form: Format, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    # Produce the next chunk while one is being sent.
    results = results.laid_out(form)
    return ahead(encode(form, results.schema, begun(results.batches(start, end))))


def _made(results: Results, form: Format, name: str, services: Services) -> int:
    """Write the file if it does not exist yet and there is room for it, and return its size."""
    storage = services.storage
    with suppress(StorageUnavailable):
        return storage.size(name)
    with storage.write(name) as file:
        for piece in _encoded(results, form):
            services.admission.check_storage(len(piece))
            file.write(piece)
    return storage.size(name)


def _stored(name: str, start: int, end: int, storage: Storage) -> Iterator[bytes]:
    with storage.read(name) as file:
        file.seek(start)
        while start < end and (piece := file.read(min(PIECE, end - start))):
            start += len(piece)
            yield piece


def _ascii(name: str) -> str:
    return "".join(sign if sign.isascii() and (sign.isalnum() or sign in "-_ .") else "_" for sign in name) or "job"

"""Batches: submit rows, a file, or the address of a file."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import Any

import anyio
import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from typing_extensions import Buffer

from api.dependencies import ModelDep, ServicesDep
from api.intake.body import JSON, content_encoding, content_type, declared_length, header, pieces, read, read_json
from api.intake.form import FORM, FormReader
from api.intake.spool import spool
from api.prefer import wait_seconds
from api.problems import problems
from api.routes.jobs import accepted
from api.schemas import JobBody, Score
from api.services import Services
from api.submission import CONTENT_TYPES, KeyDep, OptionsDep, SubmitOptions
from shared.errors import MalformedInput, Unavailable, UnsupportedInput
from shared.formats.compression import decoded
from shared.formats.json_rows import validated_from_document, validated_from_json
from shared.formats.source import ENDINGS, Encoding, Format, format_of_name
from shared.jobs.job import Job, JobState
from shared.jobs.results import Results
from shared.jobs.write import output_format
from shared.models.artifact import Model
from shared.storage import is_below

router = APIRouter(tags=["batches"])

FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1
"""Seconds between two looks at a job that a client waits for: a tenth of the time that it has waited, within these bounds."""

SUBMISSION_PROBLEMS = (400, 413, 415, 422, 429, 503)

READABLE = ", ".join(dict.fromkeys(CONTENT_TYPES)) + f", {FORM}"


@router.post("/jobs", status_code=202, response_model=JobBody, responses=problems(*SUBMISSION_PROBLEMS))
async def submit_job(
    request: Request, model: ModelDep, services: ServicesDep, options: OptionsDep, key: KeyDep = None
) -> Response:
    """Submit a batch: JSON, which is checked at once, or a file (CSV, NDJSON, Parquet, Arrow), which a worker reads."""
    scope = request.scope
    form = CONTENT_TYPES.get(content_type(scope))
    if form is None and content_type(scope) != FORM:
        raise UnsupportedInput(f"The body must be one of {READABLE}: say which by the header Content-Type.")
    intake = _Intake(request, model, services, options, key)
    if form is Format.JSON:
        return accepted(await intake.json())
    return accepted(await (intake.file(form) if form else intake.form()))


@router.post(
    "/multiple_score",
    status_code=202,
    response_model=JobBody,
    responses={
        200: {"model": list[Score], "description": "Done within `Prefer: wait=N`: the answers in input order."},
        **problems(*SUBMISSION_PROBLEMS),
    },
)
async def multiple_score(request: Request, model: ModelDep, services: ServicesDep, key: KeyDep = None) -> Response:
    """Submit a JSON array of applicants, and with `Prefer: wait=N` get the answers at once if it is done in time."""
    wait = wait_seconds(request, services.settings.max_wait)
    job = await _Intake(request, model, services, SubmitOptions.model_validate({}), key).array()
    headers = {"Vary": "Prefer"}
    if wait is not None:
        headers["Preference-Applied"] = f"wait={wait:.0f}"
        # The job is accepted, and its client must learn of it, whatever goes away meanwhile.
        with suppress(Unavailable):
            job = await _wait_for(job, wait, services)
            if job.state is JobState.SUCCEEDED:
                return Response(await to_thread.run_sync(_answers, job, services), 200, headers, JSON)
    return accepted(job, headers)


class _Intake:
    """One submission: what the request says, and the ways to take it on."""

    def __init__(
        self, request: Request, model: Model, services: Services, options: SubmitOptions, key: str | None
    ) -> None:
        self._scope = request.scope
        self._receive = request.receive
        self._model = model
        self._services = services
        self._options = options
        self._key = hashlib.sha256(key.encode()).hexdigest() if key else None
        said = (request.url.path, content_type(self._scope), header(self._scope, b"content-encoding"), options)
        self._digest = hashlib.sha256(repr(said).encode())

    async def array(self) -> Job:
        """Take on a JSON array, no more and no less."""
        limit = self._services.settings.max_body_bytes
        length = declared_length(self._scope, limit)
        await self._services.admission.check(length)
        with self._services.admission.memory() as take:
            body = await read_json(self._scope, self._receive, limit, take)
            return await self._rows(body, partial(validated_from_json, ignore_extra=False))

    async def json(self) -> Job:
        """Take on a JSON document: rows in one of their shapes, or addresses."""
        limit = self._services.settings.max_body_bytes
        length = declared_length(self._scope, limit)
        await self._services.admission.check(length)
        encoding = content_encoding(self._scope)
        with self._services.admission.memory() as take:
            body = await read(self._receive, limit, take)
            if encoding:
                take(limit)
                body = await to_thread.run_sync(_decompressed, body, encoding, limit)
            addresses = _addresses(body)
            if addresses is not None:
                return await self._address(body, addresses)
            return await self._rows(body, partial(validated_from_document, ignore_extra=True))

    async def file(self, form: Format) -> Job:
        """Take on a file that is the body."""
        limit = self._services.settings.max_file_bytes
        length = declared_length(self._scope, limit)
        encoding = content_encoding(self._scope)
        await self._services.admission.check(length)
        return await self._spooled(pieces(self._receive, limit), form, encoding)

    async def form(self) -> Job:
        """Take on a file that is sent in a form."""
        limit = self._services.settings.max_file_bytes
        await self._services.admission.check(declared_length(self._scope, limit))
        reader = FormReader(header(self._scope, b"content-type"), pieces(self._receive, limit))
        self._options = SubmitOptions.of_form(await reader.fields(), self._options)
        by_name, encoding = format_of_name(reader.filename or "")
        form = by_name or CONTENT_TYPES.get(reader.content_type)
        if form is None or form is Format.JSON:
            raise UnsupportedInput(f"The file's name must end in one of {', '.join(_file_endings())}.")
        if self._options.name is None:
            self._options = SubmitOptions.of_form({"name": [(reader.filename or "")[-1000:]]}, self._options)
        if self._options.delimiter == "," and (reader.filename or "").lower().endswith(".tsv"):
            self._options = self._options.model_copy(update={"delimiter": "\t"})
        self._digest.update(repr((form, encoding, self._options)).encode())
        return await self._spooled(reader.file_pieces(), form, encoding)

    async def _spooled(self, body: AsyncIterator[bytes], form: Format, encoding: Encoding | None) -> Job:
        job = replace(self._options.new_job(self._model, form, self._services.settings), encoding=encoding)
        try:
            size = await spool(body, job.upload_blob, self._services.storage, self._note)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._services.storage.delete_folder, job.folder)
            raise
        job = replace(job, upload_bytes=size)
        return await to_thread.run_sync(self._services.intake.submit_file, job, self._key, self._digest.hexdigest())

    def _note(self, piece: Buffer) -> None:
        """Add to the sum by which a repeated submission is known; without a key nobody asks for it, and it takes time."""
        if self._key:
            self._digest.update(piece)

    async def _rows(self, body: bytes, read_rows: Any) -> Job:
        """Check the rows of a JSON body and store them; a bad one is the caller's to know at once."""
        self._note(body)
        job = self._options.new_job(self._model, Format.JSON, self._services.settings)

        return await to_thread.run_sync(
            self._services.intake.submit_rows,
            partial(read_rows, body, self._model.contract),
            job,
            self._model,
            self._key,
            self._digest.hexdigest(),
            limiter=self._services.ingest_limiter,
        )

    async def _address(self, body: bytes, addresses: "_Addresses") -> Job:
        """Take on a file that lies elsewhere, or rows whose results are to go elsewhere."""
        self._note(body)
        settings = self._services.settings
        form, encoding = format_of_name(addresses.input_uri)
        if form is None or form is Format.JSON:
            raise MalformedInput(f"The input_uri must end in one of {', '.join(_file_endings())}.")
        if not is_below(addresses.input_uri, settings.listed(settings.input_uri_prefixes)):
            raise MalformedInput("The input_uri is not below one of the INPUT_URI_PREFIXES of this service.")
        if addresses.output_uri is not None:
            output_format(addresses.output_uri)
            if not is_below(addresses.output_uri, settings.listed(settings.output_uri_prefixes)):
                raise MalformedInput("The output_uri is not below one of the OUTPUT_URI_PREFIXES of this service.")
        if self._options.name is None:
            self._options = SubmitOptions.of_form({"name": [addresses.input_uri[-1000:]]}, self._options)
        job = self._options.new_job(self._model, form, settings)
        job = replace(job, encoding=encoding, input_uri=addresses.input_uri, output_uri=addresses.output_uri)
        return await to_thread.run_sync(self._services.intake.submit_file, job, self._key, self._digest.hexdigest())


class _Addresses(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON body that names a file instead of holding rows."""

    input_uri: str
    output_uri: str | None = None


def _addresses(body: bytes) -> _Addresses | None:
    """Read a body that names addresses; None if it is of another shape."""
    if b'"input_uri"' not in body[:10_000]:
        return None
    try:
        return msgspec.json.decode(body, type=_Addresses)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, RecursionError):
        return None


def _file_endings() -> list[str]:
    return [f".{ending}" for ending, form in ENDINGS.items() if form is not Format.JSON]


def _decompressed(body: bytes, encoding: Encoding, limit: int) -> bytes:
    with decoded(BytesIO(body), encoding, limit) as stream:
        return stream.read()


async def _wait_for(job: Job, seconds: float, services: Services) -> Job:
    """Look at the job until it has ended or the time is over."""
    began = anyio.current_time()
    with anyio.move_on_after(seconds):
        while not job.state.is_final:
            waited = anyio.current_time() - began
            await anyio.sleep(min(max(FIRST_PAUSE, waited / 10), LONGEST_PAUSE))
            job = await to_thread.run_sync(services.store.get, job.id)
    return job


def _answers(job: Job, services: Services) -> bytes:
    results = Results.of(job, services.store, services.storage)
    return msgspec.json.encode([answer for predictions in results.predictions() for answer in predictions.answers()])

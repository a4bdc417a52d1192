"""One submission: from the request to a recorded job, however its rows arrive."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from io import BytesIO

import anyio
import msgspec
from anyio import to_thread
from fastapi import Request
from typing_extensions import Buffer

from api.access.callers import Caller
from api.intake.body import (
    charset_name,
    charset_of_body,
    content_encoding,
    content_type,
    declared_length,
    header,
    known_charset,
    pieces,
    read,
    read_json,
    utf8,
)
from api.intake.form import FORM, FormReader
from api.intake.options import SubmitOptions
from api.intake.spool import spool
from api.services import Services
from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.errors import MalformedInput, UnsupportedInput
from shared.formats import zipped
from shared.formats.charset import UTF8
from shared.formats.compression import decoded
from shared.formats.format import (
    BY_MEDIA_TYPE,
    FILE_ENDINGS,
    FORMATS,
    PACKED_ENDINGS,
    STREAMED,
    TEXT,
    ZIP_MEDIA_TYPES,
    Encoding,
    Format,
    format_of_name,
)
from shared.formats.json_rows import validated_from_document
from shared.formats.source import ReadOptions
from shared.jobs.job import Job
from shared.jobs.write import output_format
from shared.models.artifact import Model
from shared.storage import is_below

READABLE = [*BY_MEDIA_TYPE, ZIP_MEDIA_TYPES[0], FORM]

MAX_ADDRESS_BYTES = 10_000
"""Maximum length of a body that refers to a file."""

ReadRows = Callable[[bytes, Contract, ReadOptions], Iterable[Validated]]


class Submission:
    """One submission; each method accepts one kind of input and returns the recorded job."""

    def __init__(
        self, request: Request, model: Model, services: Services, options: SubmitOptions, key: str | None
    ) -> None:
        self._scope = request.scope
        self._receive = request.receive
        self._model = model
        self._services = services
        self._options = options
        self._caller: Caller = request.state.caller
        # A line end is in no key: so those of two callers never meet.
        self._key = hashlib.sha256(f"{self._caller.owner or ''}\n{key}".encode()).hexdigest() if key else None
        media_type = content_type(self._scope)
        # Of other bodies it means nothing, though some programs say "binary".
        self._charset = charset_of_body(self._scope) if BY_MEDIA_TYPE.get(media_type) in TEXT else UTF8
        media = (media_type, self._charset, header(self._scope, b"content-encoding"))
        said = (request.url.path, *media, options)
        self._digest = hashlib.sha256(repr(said).encode())

    async def anything(self) -> Job:
        """Accept input by its content type: JSON, a file, or a form with a file."""
        media = content_type(self._scope)
        if media == FORM:
            return await self.form()
        format = BY_MEDIA_TYPE.get(media)
        if media in ZIP_MEDIA_TYPES:
            return await self.archive()
        if format is None:
            raise UnsupportedInput("content-type-unsupported", accepted=READABLE)
        return await (self.file(format) if FORMATS[format].is_file else self.json())

    async def rows(self, wait: float) -> Job | bytes:
        """Accept a JSON document of rows without unknown keys; return the job, or at once the answers as JSON.

        Answers need a caller that waits, for `wait` seconds, and no key, which would have to be stored. Until there must be a
        job, neither Redis nor the storage is used.
        """
        limit = self._services.settings.max_body_bytes
        is_immediate = wait > 0 and self._key is None
        if not is_immediate:
            await self._admit(limit)
        read_rows = partial(validated_from_document, ignore_extra=False)
        with self._services.admission.memory() as take:
            body = await read_json(self._scope, self._receive, limit, take)
            if is_immediate:
                read = partial(read_rows, body, self._model.contract, ReadOptions())
                explain, immediate = self._options.explain, self._services.immediate
                if (answers := await immediate.answers(read, self._model, explain, wait)) is not None:
                    self._services.quotas.count_rows(self._caller, answers.rows)
                    return answers.text
                await self._admit(limit)
            return await self._rows(body, read_rows)

    async def json(self) -> Job:
        """Accept a JSON document: rows in one of the supported shapes, or URIs."""
        limit = self._services.settings.max_body_bytes
        await self._admit(limit)
        encoding = content_encoding(self._scope, STREAMED)
        with self._services.admission.memory() as take:
            body = await read(self._receive, limit, take)
            if encoding:
                take(limit)
                body = await to_thread.run_sync(_decompressed, body, encoding, limit)
            body = await utf8(body, self._charset, take)
            addresses = _addresses(body)
            if addresses is not None:
                return await self._address(body, addresses)
            return await self._rows(body, partial(validated_from_document, ignore_extra=True))

    async def file(self, format: Format) -> Job:
        """Accept a file sent as the body."""
        limit = self._services.settings.max_file_bytes
        encoding = content_encoding(self._scope)
        await self._admit(limit)
        return await self._spooled(pieces(self._receive, limit), format, encoding)

    async def form(self) -> Job:
        """Accept a file sent in a form."""
        limit = self._services.settings.max_file_bytes
        await self._admit(limit)
        reader = FormReader(header(self._scope, b"content-type"), pieces(self._receive, limit))
        self._options = SubmitOptions.of_form(await reader.fields(), self._options).named(reader.filename)
        body, name = reader.file_pieces(), reader.filename
        by_name, encoding = format_of_name(name)
        format = by_name or BY_MEDIA_TYPE.get(reader.content_type)
        if format is None and (encoding == "zip" or reader.content_type in ZIP_MEDIA_TYPES):
            return await self._archived(body, reader.charset)
        if format is None or not FORMATS[format].is_file:
            raise UnsupportedInput("file-name-unsupported", accepted=FILE_ENDINGS, compressed=PACKED_ENDINGS)
        self._options = self._options.delimited_as(name)
        self._charset = known_charset(reader.charset) if format in TEXT else UTF8
        self._digest.update(repr((format, encoding, self._charset, self._options)).encode())
        return await self._spooled(body, format, encoding)

    async def archive(self) -> Job:
        """Accept a zip archive of one file sent as the body."""
        limit = self._services.settings.max_file_bytes
        if content_encoding(self._scope) is not None:
            raise UnsupportedInput("compression-not-allowed")
        await self._admit(limit)
        return await self._archived(pieces(self._receive, limit), charset_name(self._scope))

    async def _admit(self, limit: int) -> None:
        """Check admission before anything is read; raises InputTooLarge if the request announces more than `limit` bytes."""
        await self._services.admission.check(declared_length(self._scope, limit))

    async def _spooled(self, body: AsyncIterator[bytes], format: Format, encoding: Encoding | None) -> Job:
        job = replace(await self._new_job(format), encoding=encoding, charset=self._charset)
        async with self._removed_after_errors(job):
            size = await self._received(body, job)
        return await self._file_job(replace(job, upload_bytes=size))

    async def _archived(self, body: AsyncIterator[bytes], charset: str | None) -> Job:
        """Store an archive, and take the format from the name of the file in it: its directory is at the end."""
        self._digest.update(repr((charset, self._options)).encode())
        # The format is not known yet.
        job = replace(await self._new_job(Format.CSV), encoding="zip")
        async with self._removed_after_errors(job):
            size = await self._received(body, job)
            name = await to_thread.run_sync(self._name_inside, job.upload_blob)
            format = _format_inside(name)
            text_charset = known_charset(charset) if format in TEXT else UTF8
        delimiter = self._options.delimited_as(name).delimiter
        job = replace(job, format=format, charset=text_charset, delimiter=delimiter, upload_bytes=size)
        return await self._file_job(job)

    async def _received(self, body: AsyncIterator[bytes], job: Job) -> int:
        """Store what comes, and return its size in bytes."""
        with self._services.metrics.uploads.track_inprogress():
            size = await spool(body, job.upload_blob, self._services.storage, self._take)
        self._services.metrics.upload_bytes.inc(size)
        return size

    def _name_inside(self, blob: str) -> str:
        with self._services.storage.read(blob) as file:
            return zipped.name_inside(file)

    @asynccontextmanager
    async def _removed_after_errors(self, job: Job) -> AsyncIterator[None]:
        """Remove what is stored of the job if the block raises, even if the request is cancelled."""
        try:
            yield
        except BaseException:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._services.storage.delete_folder, job.folder)
            raise

    async def _new_job(self, format: Format) -> Job:
        if self._options.explain:
            # Made here, which takes a part of a second once, to reject at once what cannot be explained.
            await to_thread.run_sync(getattr, self._model, "explainer")
        job = self._options.new_job(self._model, format, self._services.settings)
        return replace(job, owner=self._caller.owner, rows_left=self._services.quotas.rows_left(self._caller))

    async def _file_job(self, job: Job) -> Job:
        return await to_thread.run_sync(self._services.intake.submit_file, job, self._key, self._digest.hexdigest())

    def _note(self, piece: Buffer) -> None:
        """Update the hash that identifies a repeated submission; skipped without a key, since hashing takes time."""
        if self._key:
            self._digest.update(piece)

    def _take(self, piece: Buffer) -> None:
        """Take in a piece of a file; raises StorageUnavailable if there is no room for it, since its length may be unknown."""
        self._services.admission.check_storage(memoryview(piece).nbytes)
        self._note(piece)

    async def _rows(self, body: bytes, read_rows: ReadRows) -> Job:
        """Validate and store the rows of a JSON body; invalid rows are reported to the caller at once."""
        if self._key:
            # It takes long enough for others to notice.
            await to_thread.run_sync(self._note, body)
        return await to_thread.run_sync(
            self._services.intake.submit_rows,
            body,
            partial(read_rows, body, self._model.contract),
            await self._new_job(Format.JSON),
            self._model,
            self._key,
            self._digest.hexdigest(),
            limiter=self._services.ingest_limiter,
        )

    async def _address(self, body: bytes, addresses: "_Addresses") -> Job:
        """Accept the URI of a file, or rows whose results go to a URI."""
        self._note(body)
        settings = self._services.settings
        format, encoding = format_of_name(addresses.input_uri)
        if format is None or not FORMATS[format].is_file:
            raise MalformedInput("input-uri-unsupported", accepted=FILE_ENDINGS, compressed=PACKED_ENDINGS)
        if not is_below(addresses.input_uri, settings.listed(settings.input_uri_prefixes)):
            raise MalformedInput("input-uri-not-allowed")
        if addresses.output_uri is not None:
            output_format(addresses.output_uri)
            if not is_below(addresses.output_uri, settings.listed(settings.output_uri_prefixes)):
                raise MalformedInput("output-uri-not-allowed")
        self._options = self._options.named(addresses.input_uri)
        job = await self._new_job(format)
        return await self._file_job(
            replace(job, encoding=encoding, input_uri=addresses.input_uri, output_uri=addresses.output_uri)
        )


class _Addresses(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON body that refers to a file instead of containing rows."""

    input_uri: str
    output_uri: str | None = None


def _addresses(body: bytes) -> _Addresses | None:
    """Parse a body that contains URIs; None if it has another shape, or is longer than any that has."""
    if len(body) > MAX_ADDRESS_BYTES or b'"input_uri"' not in body:
        return None
    try:
        return msgspec.json.decode(body, type=_Addresses)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _format_inside(name: str) -> Format:
    """Return the format of a file in an archive, from its name; raises UnsupportedInput."""
    format, encoding = format_of_name(name)
    if format is None or encoding or not FORMATS[format].is_file:
        raise UnsupportedInput("zip-name-unsupported", accepted=FILE_ENDINGS)
    return format


def _decompressed(body: bytes, encoding: Encoding, limit: int) -> bytes:
    with decoded(BytesIO(body), encoding, limit) as stream:
        return stream.read()

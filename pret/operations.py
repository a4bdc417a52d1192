"""All operations of the service, written once, as coroutines over either transport."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, cast

from pret import requests
from pret.activity import Activity
from pret.errors import JobFailed
from pret.formats import READABLE, WRITABLE, guess_format, is_tab_separated
from pret.jobs import Job, JobPage
from pret.model_operations import ModelOperations
from pret.models import AuditPage, Caller, Capabilities, Health, ServiceVersion
from pret.requests import Explain, Options, Reasons, Request, Row
from pret.responses import parse, parse_page
from pret.scores import JobRow, ResultsPage, Score, WhatIf
from pret.sinks import Target
from pret.tables import Table, is_table, table_upload
from pret.uploads import Source, Upload, check_source, name_in_zip, name_of, upload_of

MAX_PREFER_WAIT = 30.0
"""Seconds that the service may take to answer at once, rather than with a job."""
MAX_PAGE_ROWS = 10_000
Sending = tuple[Upload, str, str | None, Options]
"""A body, its format, how it is compressed, and the options that go with it."""


class Operations(ModelOperations):
    """The operations. All raise NotReachable, Rejected, Busy and ServerFault; each names what else it raises."""

    async def raw(self, request: Request) -> Any:
        """Send a request made by a function of `pret.requests` and return the JSON of the response as it is."""
        return parse(object, await self._send(request))

    async def score(
        self, row: Row, *, explain: Explain | None = None, reasons: Reasons = "all", language: str | None = None
    ) -> Score:
        """Score one row; raises InvalidRows if it does not fit the model's contract.

        `explain` lists that many contributions (1 to 20, or all), in words of `language` (fr or en); with `reasons="adverse"`,
        only those that an applicant may be given as reasons for a refusal.
        """
        return parse(Score, await self._send(requests.score(row, explain, reasons, language)))

    async def what_if(self, row: Row, features: Sequence[str] | None = None, *, language: str | None = None) -> WhatIf:
        """Score a row over the ranges of up to five features, by default those that weigh most; raises InvalidRows."""
        return parse(WhatIf, await self._send(requests.what_if(row, features, language)))

    async def score_many(self, rows: Iterable[Row] | Table, wait: float | None = None) -> list[Score]:
        """Score rows, in order; raises InvalidRows, JobFailed, and TimedOut after `wait` seconds (None: no limit)."""
        start = time.monotonic()
        prefer = min(MAX_PREFER_WAIT if wait is None else wait, MAX_PREFER_WAIT)
        response = await self._send(requests.score_many(rows, prefer, MAX_PREFER_WAIT))
        if response.status == 200:
            return parse(list[Score], response)
        job = parse(Job, response)
        await self.wait(job.id, None if wait is None else max(0.0, start + wait - time.monotonic()))
        async with aclosing(self.results(job.id)) as results:
            return [score async for score in results]

    async def submit(
        self,
        source: Source | Table,
        *,
        format: str | None = None,
        charset: str | None = None,
        keep: Sequence[str] = (),
        on_invalid: str = "reject",
        delimiter: str | None = None,
        decimal: str | None = None,
        missing: Sequence[str] = (),
        explain: int | None = None,
        name: str | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
        compress: bool = False,
    ) -> Job:
        """Submit a file, as a path, bytes, a binary stream or an iterator of bytes, or a table, such as a DataFrame.

        `format` is json, ndjson, csv, parquet, arrow or arrows, by default that of the file name, as is the compression
        (.gz, .zst, .bz2, .xz, .zip); `charset` is that of a text which is not UTF-8. A table is sent as Parquet, or as CSV
        without pyarrow. `keep` names columns, `missing` spells missing values of a CSV file; one string is split at commas.
        `explain` adds that many reasons to each row of the results, 1 to 20. `compress` sends what is not compressed with gzip. A
        lost connection never makes two jobs, since each call has its own `idempotency_key`. Raises
        InvalidRows (JSON), ValueError if the format is unknown, TypeError for what is no file, and OSError.
        """
        options = Options(keep, on_invalid, delimiter, decimal, name, callback_url, missing, explain)
        if is_table(source):
            body, sent_as, encoding, options = await self._of_table(source, format, options)
        else:
            body, sent_as, encoding, options = await self._of_file(cast(Source, source), format, options)
        if compress and encoding is None:
            body, encoding = body.compressed(), "gzip"
        key = idempotency_key or uuid.uuid4().hex
        return parse(Job, await self._send(requests.submit(body, sent_as, encoding, options, key, charset)))

    async def _of_table(self, table: Table, format: str | None, options: Options) -> Sending:
        body, sent_as = await self._transport.run_sync(partial(table_upload, table, format))
        # Those are of CSV that somebody else wrote.
        return body, sent_as, None, replace(options, delimiter=None, decimal=None, missing=())

    async def _of_file(self, source: Source, format: str | None, options: Options) -> Sending:
        check_source(source)
        name = options.name or name_of(source)
        inner, (guessed, encoding) = name, guess_format(name)
        if guessed is None and encoding == "zip":
            inner = await self._transport.run_sync(partial(name_in_zip, source))
            guessed, _ = guess_format(inner)
        if (format or guessed) is None:
            raise ValueError(f"Specify the format of the rows: {', '.join(READABLE)}.")
        delimiter = "\t" if options.delimiter is None and is_tab_separated(inner) else options.delimiter
        body = await self._transport.run_sync(partial(upload_of, source))
        return body, format or guessed or "", encoding, replace(options, name=name, delimiter=delimiter)

    async def submit_uri(
        self,
        input_uri: str,
        output_uri: str,
        *,
        keep: Sequence[str] = (),
        on_invalid: str = "reject",
        explain: int | None = None,
        name: str | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit a file in an object store (`s3://…`); the results are written there too."""
        options = Options(keep, on_invalid, name=name, callback_url=callback_url, explain=explain)
        key = idempotency_key or uuid.uuid4().hex
        return parse(Job, await self._send(requests.submit_uri(input_uri, output_uri, options, key)))

    async def job(self, job_id: str) -> Job:
        """Get a job; raises UnknownJob."""
        return parse(Job, await self._send(requests.job(job_id)))

    async def jobs(self, state: str | None = None, limit: int = 50, offset: int = 0) -> JobPage:
        """List some of the jobs, newest first."""
        return parse(JobPage, await self._send(requests.jobs(state, limit, offset)))

    async def all_jobs(self, state: str | None = None) -> AsyncGenerator[Job, None]:
        """Iterate over all jobs, newest first. Each is yielded once, even if it moves to a later page in the meantime."""
        seen: set[str] = set()
        offset: int | None = 0
        while offset is not None:
            page = await self.jobs(state, offset=offset)
            for job in page.jobs:
                if job.id not in seen:
                    seen.add(job.id)
                    yield job
            offset = page.next_offset

    async def job_row(
        self,
        job_id: str,
        row: int,
        *,
        explain: Explain | None = None,
        reasons: Reasons = "all",
        language: str | None = None,
    ) -> JobRow:
        """Get one row of a job as it came, with its score or what is invalid in it; the options are those of `score`."""
        return parse(JobRow, await self._send(requests.job_row(job_id, row, explain, reasons, language)))

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job; raises Rejected if it has ended."""
        return parse(Job, await self._send(requests.cancel(job_id)))

    async def remove(self, job_id: str) -> None:
        """Remove a job with its rows and results, now; an open job is cancelled first. Raises UnknownJob if it is gone."""
        await self._send(requests.remove(job_id))

    async def retry(self, job_id: str) -> Job:
        """Run a failed job again; raises Rejected if it has not failed, or its input is invalid or gone."""
        return parse(Job, await self._send(requests.retry(job_id)))

    async def events(self, job_id: str) -> AsyncGenerator[Job, None]:
        """Follow a job: yield it now and whenever it changes, until it has ended. Reconnects after a lost connection."""
        async with aclosing(self._follow(job_id, None)) as changes:
            async for job in changes:
                yield job

    async def wait(
        self, job_id: str, timeout: float | None = None, on_progress: Callable[[Job], object] | None = None
    ) -> Job:
        """Wait until a job has succeeded; raises JobFailed, and TimedOut after about `timeout` seconds.

        `on_progress` is called with the job now and whenever it changes.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        last: Job | None = None
        async with aclosing(self._follow(job_id, deadline)) as changes:
            async for last in changes:
                if on_progress:
                    on_progress(last)
        # Events leave out the report.
        job = await self.job(job_id) if last is None or last.state != "succeeded" else last
        if job.state == "succeeded":
            return job
        ending = "was cancelled" if job.state == "cancelled" else "failed"
        raise JobFailed(f"Job {job.id} {ending}{f': {job.error}' if job.error else '.'}", job)

    async def results_page(
        self,
        job_id: str,
        offset: int = 0,
        limit: int = 1000,
        *,
        partial: bool = False,
        id: str | None = None,
        column: str | None = None,
    ) -> ResultsPage:
        """Get some of the results, 10,000 at most.

        `partial` returns those that a running job has so far, `id` those with this value in a kept column (`column`, where there
        are several).
        """
        return parse_page(await self._send(requests.results_page(job_id, offset, limit, partial, id, column)))

    async def results(self, job_id: str) -> AsyncGenerator[Score, None]:
        """Iterate over all results, in the order of the rows."""
        offset: int | None = 0
        while offset is not None:
            page = await self.results_page(job_id, offset, MAX_PAGE_ROWS)
            for score in page.results:
                yield score
            offset = page.next_offset

    async def download(self, job_id: str, target: Target, format: str | None = None, *, partial: bool = False) -> int:
        """Download the results as one file, to a path or a binary stream; returns its size in bytes.

        `format` is csv, ndjson, parquet, arrow or arrows, by default that of the file name. A file appears once it is complete.
        A broken download is resumed where it broke. Raises UnknownJob, ValueError if the format is unknown, and OSError.
        """
        chosen = format or guess_format(name_of(target))[0]
        if chosen is None:
            raise ValueError(f"Specify the format of the results: {', '.join(WRITABLE)}.")
        return await self._download(requests.results_file(job_id, chosen, partial), target)

    async def caller(self) -> Caller:
        """Get whose key this client sends, and what it may do; raises NotAuthenticated if the service needs one."""
        return parse(Caller, await self._send(requests.caller()))

    async def audit(self, kind: str | None = None, limit: int = 100, offset: int = 0) -> AuditPage:
        """List changes and requests that were not let in (`kind`: changes or denials), newest first; for administrators."""
        return parse(AuditPage, await self._send(requests.audit(kind, limit, offset)))

    async def health(self) -> Health:
        """Get the state of the service and of each of its parts."""
        return parse(Health, await self._send(requests.health()))

    async def activity(self) -> Activity:
        """Get the last hour of the service: requests, latency, waiting tasks, refused applicants."""
        return parse(Activity, await self._send(requests.activity()))

    async def version(self) -> str:
        """Get the version of the service."""
        return parse(ServiceVersion, await self._send(requests.version())).version

    async def capabilities(self) -> Capabilities:
        """Get what the service can do: its formats, limits and result columns."""
        return parse(Capabilities, await self._send(requests.capabilities()))

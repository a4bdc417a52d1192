"""Everything that can be asked of the service, once, as coroutines over either transport."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from pret import requests
from pret.errors import JobFailed, Refused
from pret.models import (
    Health,
    Job,
    JobPage,
    ModelInfo,
    ModelSignature,
    ModelStatus,
    Reload,
    ResultsPage,
    Score,
    ServiceVersion,
    Version,
)
from pret.requests import Options, Request, Row
from pret.responses import json_of, markdown_of, parse, parse_page
from pret.session import Session
from pret.sinks import Target
from pret.uploads import Source, guess_format, name_of, upload_of

LONGEST_PREFER = 30.0
"""Seconds that the service is asked to wait in the call itself."""
LARGEST_PAGE = 10_000
"""Rows."""
NO_MODEL_CARD = "no-model-card"
"""Kind of the problem that a model without a card is; without a model the kind is another."""


class Operations(Session):
    """The calls. All raise PretError: NotReachable, Refused, Busy or ServerFault; what else is said with each."""

    async def raw(self, request: Request) -> Any:
        """Give the JSON of an answer as it is; requests are made by the functions of `pret.requests`."""
        return json_of(await self._send(request))

    async def score(self, row: Row) -> Score:
        """Score one row; raises InvalidRows if it breaks the contract of the model."""
        return parse(Score, await self._send(requests.score(row)))

    async def multiple(self, rows: Iterable[Row], wait: float | None = None) -> list[Score]:
        """Score rows, in their order; raises InvalidRows, JobFailed, and TimedOut after `wait` seconds (None: no limit)."""
        begun = time.monotonic()
        prefer = LONGEST_PREFER if wait is None else min(wait, LONGEST_PREFER)
        answer = await self._send(requests.multiple(rows, prefer, LONGEST_PREFER))
        if answer.status == 200:
            return list(parse(tuple[Score, ...], answer))
        job = parse(Job, answer)
        await self.wait(job.id, None if wait is None else max(0.0, begun + wait - time.monotonic()))
        async with aclosing(self.results(job.id)) as results:
            return [score async for score in results]

    async def submit(
        self,
        source: Source,
        *,
        format: str | None = None,
        keep: Sequence[str] = (),
        on_invalid: str = "reject",
        delimiter: str | None = None,
        decimal: str | None = None,
        name: str | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
        compress: bool = False,
    ) -> Job:
        """Submit a file: a path, bytes, a binary stream or an iterator of bytes.

        `format` is json, ndjson, csv, parquet, arrow or arrows; without it, it is taken from the name of the file, as is
        the encoding (.gz, .zst). `compress` sends the rest with gzip. A lost connection never makes two jobs: each call has an
        `idempotency_key` of its own. Raises Refused (JSON: InvalidRows), Busy, ValueError if the format is not known, OSError.
        """
        name = name or name_of(source)
        guessed, encoding = guess_format(name)
        if (format or guessed) is None:
            raise ValueError(f"Give the format of the input: {', '.join(requests.CONTENT_TYPES)}.")
        if delimiter is None and (name or "").lower().removesuffix(".gz").removesuffix(".zst").endswith(".tsv"):
            delimiter = "\t"
        body = upload_of(source)
        if compress and encoding is None:
            body, encoding = body.compressed(), "gzip"
        options = Options(keep, on_invalid, delimiter, decimal, name, callback_url)
        key = idempotency_key or uuid.uuid4().hex
        return parse(Job, await self._send(requests.submit(body, format or guessed or "", encoding, options, key)))

    async def submit_uri(
        self,
        input_uri: str,
        output_uri: str,
        *,
        keep: Sequence[str] = (),
        on_invalid: str = "reject",
        name: str | None = None,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit a file that lies in an object store, `s3://…`; the results are written there as well."""
        options = Options(keep, on_invalid, name=name, callback_url=callback_url)
        key = idempotency_key or uuid.uuid4().hex
        return parse(Job, await self._send(requests.submit_uri(input_uri, output_uri, options, key)))

    async def job(self, job_id: str) -> Job:
        """Look at a job; raises UnknownJob."""
        return parse(Job, await self._send(requests.job(job_id)))

    async def jobs(self, state: str | None = None, limit: int = 50, offset: int = 0) -> JobPage:
        """Look at some of the jobs, newest first."""
        return parse(JobPage, await self._send(requests.jobs(state, limit, offset)))

    async def all_jobs(self, state: str | None = None) -> AsyncGenerator[Job, None]:
        """Go through all the jobs, newest first; one that moves to a later page meanwhile comes once."""
        seen: set[str] = set()
        offset: int | None = 0
        while offset is not None:
            page = await self.jobs(state, offset=offset)
            for job in page.jobs:
                if job.id not in seen:
                    seen.add(job.id)
                    yield job
            offset = page.next_offset

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job; raises Refused if it has ended."""
        return parse(Job, await self._send(requests.cancel(job_id)))

    async def retry(self, job_id: str) -> Job:
        """Give a failed job another try; raises Refused if it has not failed or its input is gone."""
        return parse(Job, await self._send(requests.retry(job_id)))

    async def events(self, job_id: str) -> AsyncGenerator[Job, None]:
        """Follow a job: as it is now, then whenever it changes, until it has ended. A lost connection is made anew."""
        async with aclosing(self._follow(job_id, None)) as news:
            async for job in news:
                yield job

    async def wait(
        self, job_id: str, timeout: float | None = None, on_progress: Callable[[Job], object] | None = None
    ) -> Job:
        """Wait until a job has ended well; raises JobFailed, and TimedOut about `timeout` seconds from now.

        `on_progress` is called with each news of the job.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        last: Job | None = None
        async with aclosing(self._follow(job_id, deadline)) as news:
            async for last in news:
                if on_progress:
                    on_progress(last)
        # The events leave out the report, and only this answer has all.
        job = await self.job(job_id) if last is None or last.state != "succeeded" else last
        if job.state == "succeeded":
            return job
        ending = "was cancelled" if job.state == "cancelled" else "failed"
        raise JobFailed(f"Job {job.id} {ending}{f': {job.error}' if job.error else '.'}", job)

    async def results_page(
        self, job_id: str, offset: int = 0, limit: int = 1000, *, partial: bool = False
    ) -> ResultsPage:
        """Fetch some of the results, at most 10000; `partial` takes what there is of a job that still runs."""
        return parse_page(await self._send(requests.results_page(job_id, offset, limit, partial)))

    async def results(self, job_id: str) -> AsyncGenerator[Score, None]:
        """Go through all the results, in the order of the rows."""
        offset: int | None = 0
        while offset is not None:
            page = await self.results_page(job_id, offset, LARGEST_PAGE)
            for score in page.results:
                yield score
            offset = page.next_offset

    async def download(self, job_id: str, target: Target, format: str | None = None, *, partial: bool = False) -> int:
        """Fetch the results as one file, to a path or a binary stream, and give its size in bytes.

        `format` is csv, ndjson, parquet or arrow; without it, it is taken from the name of the target. A file gets its name
        when it is whole. A broken connection is resumed where it broke. Raises UnknownJob, Refused, ValueError, OSError.
        """
        chosen = format or guess_format(name_of(target))[0]
        if chosen is None:
            raise ValueError(f"Give the format of the results: {', '.join(requests.RESULT_FORMATS)}.")
        return await self._download(requests.results_file(job_id, chosen, partial), target)

    async def model_status(self) -> ModelStatus:
        """Tell the facts of the model file and which process serves which version."""
        return parse(ModelStatus, await self._send(requests.model_status()))

    async def model_signature(self) -> ModelSignature:
        """Tell the features that the model takes."""
        return parse(ModelSignature, await self._send(requests.model_signature()))

    async def model_info(self) -> ModelInfo:
        """Tell where the model comes from."""
        return parse(ModelInfo, await self._send(requests.model_info()))

    async def model_card(self) -> str | None:
        """Give the text in Markdown that describes the model; None where the model brings none along."""
        try:
            return markdown_of(await self._send(requests.model_card()))
        except Refused as error:
            if error.problem is not None and error.problem.kind == NO_MODEL_CARD:
                return None
            raise

    async def model_versions(self) -> tuple[Version, ...]:
        """List the changes of the active version and the refused attempts, newest first."""
        return parse(tuple[Version, ...], await self._send(requests.model_versions()))

    async def reload(self, revision: str | None = None) -> Reload:
        """Make a new version the active one on all processes or on none; raises Refused, whose problem says what each did."""
        return parse(Reload, await self._send(requests.reload(revision)))

    async def rollback(self) -> Reload:
        """Return to the version that was active before."""
        return parse(Reload, await self._send(requests.rollback()))

    async def health(self) -> Health:
        """Tell what is up, part by part."""
        return parse(Health, await self._send(requests.health()))

    async def version(self) -> str:
        """Tell which version of the service answers."""
        return parse(ServiceVersion, await self._send(requests.version())).version

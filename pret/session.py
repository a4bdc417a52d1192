"""Requests with retries: sent again after a lost connection, downloads from where they broke off."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TypeVar

import msgspec

from pret import requests
from pret.errors import Busy, NotReachable, PretError, ServerFault, TimedOut
from pret.jobs import Job
from pret.requests import Request
from pret.responses import Response, backoff, error_of, retry_delay
from pret.sinks import Sink, Target, open_sink
from pret.sse import Event, EventParser
from pret.transport import Stream, Transport

T = TypeVar("T")

LONGEST_SILENCE, LONGEST_SILENCE_WITH_LIMIT = 60.0, 2.0
"""Seconds without an event after which a connection counts as lost; the second value applies if there is a deadline."""
MAX_LOST_IN_A_ROW = 10
"""Connections that may be lost without an event in between; with the delays, that takes half a minute."""


class Session:
    """Sends requests over a transport, up to `retries` times more where that is safe."""

    def __init__(self, transport: Transport, retries: int) -> None:
        self._transport = transport
        self._retries = retries

    async def _send(self, request: Request) -> Response:
        """Send a request and read its response; raises PretError."""
        return await self._with_retries(request, self._fetch)

    async def _with_retries(self, request: Request, attempt: Callable[[Request], Awaitable[T]]) -> T:
        for number in count():
            try:
                return await attempt(request)
            except PretError as error:
                delay = retry_delay(number, error, request, self._retries)
                if delay is None:
                    raise
            await self._transport.sleep(delay)
        raise AssertionError("The attempts are bounded.")

    async def _fetch(self, request: Request) -> Response:
        stream = await self._open(request)
        return await _read_all(stream)

    async def _open(self, request: Request) -> Stream:
        """Open a successful response, its body not yet read; raises PretError for any other."""
        stream = await self._transport.send(request)
        if not stream.response.is_success(request):
            raise error_of(await _read_all(stream))
        return stream

    async def _follow(self, job_id: str, deadline: float | None) -> AsyncGenerator[Job, None]:
        """Yield the job and its changes until it has ended; raises TimedOut soon after the deadline (of `time.monotonic`)."""
        last: Job | None = None
        lost = 0
        while True:
            delay = None
            try:
                stream = await self._open(requests.events(job_id, _longest_silence(deadline)))
                try:
                    parser = EventParser()
                    while piece := await stream.read():
                        for job in map(_job_of, parser.feed(piece)):
                            lost = 0
                            if job != last:
                                last = job
                                yield job
                            if job.is_final:
                                return
                        _check_deadline(deadline, job_id, last)
                finally:
                    await stream.close()
                failure: PretError = NotReachable("The service stopped sending events before the job ended.", sent=True)
            except (NotReachable, Busy) as error:
                failure, delay = error, error.problem.retry_after if error.problem else None
            _check_deadline(deadline, job_id, last)
            if lost >= MAX_LOST_IN_A_ROW:
                raise failure
            await self._transport.sleep(_at_most(deadline, backoff(lost) if delay is None else delay))
            lost += 1

    async def _download(self, request: Request, target: Target) -> int:
        """Write the body of the response to the target; returns its size in bytes."""
        # Request first: without results, no file must be created.
        stream = await self._with_retries(request, self._open)
        try:
            sink = await self._transport.run_sync(partial(open_sink, target))
            try:
                size = await self._copy(request, stream, sink)
                await self._transport.run_sync(sink.finish)
            except BaseException:
                sink.discard()
                raise
        finally:
            await stream.close()
        return size

    async def _copy(self, request: Request, stream: Stream, sink: Sink) -> int:
        done = broken = 0
        while True:
            etag = stream.response.headers.get("etag")
            try:
                while piece := await stream.read():
                    await self._transport.run_sync(partial(sink.write, piece))
                    done, broken = done + len(piece), 0
                return done
            except NotReachable:
                if broken >= self._retries:
                    raise
            finally:
                await stream.close()
            await self._transport.sleep(backoff(broken))
            broken += 1
            stream = await self._with_retries(_rest_of(request, done, etag), self._open)
            if not _continues(stream.response, done):
                await self._transport.run_sync(sink.restart)
                done = 0


async def _read_all(stream: Stream) -> Response:
    pieces = []
    try:
        while piece := await stream.read():
            pieces.append(piece)
    finally:
        await stream.close()
    return replace(stream.response, content=b"".join(pieces))


def _job_of(event: Event) -> Job:
    try:
        return msgspec.json.decode(event.data, type=Job)
    except ValueError as error:
        raise ServerFault(
            f"An event of the job is not what this client expects ({error}). Do their versions match?"
        ) from error


def _longest_silence(deadline: float | None) -> float:
    if deadline is None:
        return LONGEST_SILENCE
    return min(max(deadline - time.monotonic(), 0.05), LONGEST_SILENCE_WITH_LIMIT)


def _at_most(deadline: float | None, seconds: float) -> float:
    return seconds if deadline is None else max(0.0, min(seconds, deadline - time.monotonic()))


def _check_deadline(deadline: float | None, job_id: str, last: Job | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise TimedOut(f"Job {job_id} has not finished yet; it continues.", last)


def _rest_of(request: Request, done: int, etag: str | None) -> Request:
    """Ask for the missing bytes of the same file; a weak ETag cannot tell whether it is the same."""
    if not done or etag is None or etag.startswith("W/"):
        return request
    return replace(request, headers={**request.headers, "Range": f"bytes={done}-", "If-Range": etag})


def _continues(response: Response, done: int) -> bool:
    """Return whether the response continues where the last one broke off, rather than starting over."""
    if response.status != 206:
        return not done
    if response.headers.get("content-range", "").startswith(f"bytes {done}-"):
        return True
    raise ServerFault("The service sent other bytes of the results than it was asked for.")

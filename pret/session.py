"""Requests that are sent until they are answered: again after a lost connection, and from where they broke off."""

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TypeVar

from pret import requests
from pret.decode import WrongShape, decode
from pret.errors import Busy, NotReachable, PretError, ServerFault, TimedOut
from pret.models import Job
from pret.requests import Request
from pret.responses import Answer, backoff, error_of, pause_before
from pret.sinks import Sink, Target, sink_of
from pret.sse import Event, EventParser
from pret.transport import Stream, Transport

T = TypeVar("T")

LONGEST_SILENCE, LONGEST_SILENCE_WITH_LIMIT = 60.0, 2.0
"""Seconds without an event after which a connection counts as lost; the second, where the time to wait has a limit."""
MOST_LOST_IN_A_ROW = 10
"""Connections for events that may be lost before one brings news: with the pauses, half a minute."""


class Session:
    """Sends over a transport; `retries` is how many times more a request is sent where that is safe."""

    def __init__(self, transport: Transport, retries: int) -> None:
        self._transport = transport
        self._retries = retries

    async def _send(self, request: Request) -> Answer:
        """Give the whole answer; raises PretError."""
        return await self._repeated(request, self._fetch)

    async def _repeated(self, request: Request, attempt: Callable[[Request], Awaitable[T]]) -> T:
        for number in count():
            try:
                return await attempt(request)
            except PretError as error:
                pause = pause_before(number, error, request, self._retries)
                if pause is None:
                    raise
            await self._transport.pause(pause)
        raise AssertionError("The attempts are bounded.")

    async def _fetch(self, request: Request) -> Answer:
        stream = await self._open(request)
        return await _read_all(stream)

    async def _open(self, request: Request) -> Stream:
        """Give an answer that is good, its body not yet read; raises PretError for any other."""
        stream = await self._transport.open(request)
        if not stream.answer.is_good(request):
            raise error_of(await _read_all(stream))
        return stream

    async def _follow(self, job_id: str, deadline: float | None) -> AsyncGenerator[Job, None]:
        """Give the job and its news until it has ended; raises TimedOut soon after the deadline (of `time.monotonic`)."""
        last: Job | None = None
        lost = 0
        while True:
            pause = None
            try:
                stream = await self._open(requests.events(job_id, _silence(deadline)))
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
                        _check(deadline, job_id, last)
                finally:
                    await stream.close()
                trouble: PretError = NotReachable(
                    "The service ended the news of the job before the job's end.", sent=True
                )
            except (NotReachable, Busy) as error:
                trouble, pause = error, error.problem.retry_after if error.problem else None
            _check(deadline, job_id, last)
            if lost >= MOST_LOST_IN_A_ROW:
                raise trouble
            await self._transport.pause(_within(deadline, backoff(lost) if pause is None else pause))
            lost += 1

    async def _download(self, request: Request, target: Target) -> int:
        """Bring the body of the answer to the target; gives its size in bytes."""
        # Opened before a file is made: there may be no results.
        stream = await self._repeated(request, self._open)
        try:
            sink = await self._transport.call(partial(sink_of, target))
            try:
                size = await self._pour(request, stream, sink)
                await self._transport.call(sink.finish)
            except BaseException:
                sink.discard()
                raise
        finally:
            await stream.close()
        return size

    async def _pour(self, request: Request, stream: Stream, sink: Sink) -> int:
        done = broken = 0
        while True:
            mark = stream.answer.headers.get("etag")
            try:
                while piece := await stream.read():
                    await self._transport.call(partial(sink.write, piece))
                    done, broken = done + len(piece), 0
                return done
            except NotReachable:
                if broken >= self._retries:
                    raise
            finally:
                await stream.close()
            await self._transport.pause(backoff(broken))
            broken += 1
            stream = await self._repeated(_rest_of(request, done, mark), self._open)
            if not _goes_on(stream.answer, done):
                await self._transport.call(sink.restart)
                done = 0


async def _read_all(stream: Stream) -> Answer:
    pieces = []
    try:
        while piece := await stream.read():
            pieces.append(piece)
    finally:
        await stream.close()
    return replace(stream.answer, content=b"".join(pieces))


def _job_of(event: Event) -> Job:
    try:
        return decode(Job, json.loads(event.data))
    except (WrongShape, ValueError) as error:
        raise ServerFault("The news of the job are not understood: is the client older than the service?") from error


def _silence(deadline: float | None) -> float:
    if deadline is None:
        return LONGEST_SILENCE
    return min(max(deadline - time.monotonic(), 0.05), LONGEST_SILENCE_WITH_LIMIT)


def _within(deadline: float | None, seconds: float) -> float:
    return seconds if deadline is None else max(0.0, min(seconds, deadline - time.monotonic()))


def _check(deadline: float | None, job_id: str, last: Job | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise TimedOut(f"Job {job_id} has not ended yet; it goes on.", last)


def _rest_of(request: Request, done: int, mark: str | None) -> Request:
    """Ask for what is missing, as long as the file is the same; a weak mark would not tell that."""
    if not done or mark is None or mark.startswith("W/"):
        return request
    return replace(request, headers={**request.headers, "Range": f"bytes={done}-", "If-Range": mark})


def _goes_on(answer: Answer, done: int) -> bool:
    """Tell whether the answer goes on where the last one broke off; else it begins anew."""
    if answer.status != 206:
        return not done
    if answer.headers.get("content-range", "").startswith(f"bytes {done}-"):
        return True
    raise ServerFault("The service sent another piece of the results than was asked for.")

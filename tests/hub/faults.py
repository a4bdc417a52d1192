"""What can be made to go wrong, with which calls, how often; and which calls there were."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from tests.hub.access import invalid_token, refusal

Kind = Literal["create", "info", "refs", "metadata", "download", "validate", "preupload", "upload", "commit"]
"""info resolves a revision; refs is tags; metadata is the HEAD of a file; download gives a file's bytes; upload is all of LFS."""

What = Literal["stall", "lose", "truncate", "corrupt", "drip"]
"""stall: the call waits until `heal` before anything is done; lose: it is done, and the connection closed before the body of the
answer; truncate: the connection is closed after half of the body; corrupt: one bit of the body is flipped; drip: the body takes
`seconds`. A number stands for an answer with that status, and nothing done."""

DRIPS = 20
LOOK_INTERVAL = 0.01
"""Seconds between two looks whether a stalled call may go on."""


@dataclass
class Fault:
    """One fault; `times` None means until healed, `path` is a pattern for the URL's path."""

    kind: Kind
    what: What | int
    times: int | None
    seconds: float
    path: str
    over: bool = False

    def matches(self, kind: str, path: str) -> bool:
        return self.times != 0 and self.kind == kind and fnmatchcase(path, self.path)


class Faults:
    """The faults that are switched on, of which the first that matches a call takes effect; and the calls by kind and path."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._calls: list[tuple[str, str]] = []

    def fail(
        self, kind: Kind, what: What | int, *, times: int | None = None, seconds: float = 1.0, path: str = "*"
    ) -> None:
        """Make the next `times` calls of a kind fail, to the paths that fit a pattern; see `What`. None: until `heal`."""
        self._faults.append(Fault(kind, what, times, seconds, path))

    def heal(self) -> None:
        """Switch all faults off; calls that a fault holds up go on at once."""
        for fault in self._faults:
            fault.over = True
        self._faults.clear()

    def count(self, kind: Kind | None = None, *, path: str = "*") -> int:
        """Count the calls of a kind since `forget`, to the paths that fit a pattern; each is optional."""
        return sum(kind in (None, name) and fnmatchcase(called, path) for name, called in self._calls)

    def forget(self) -> None:
        """Start counting anew."""
        self._calls.clear()

    def meet(self, kind: str, path: str) -> Fault | None:
        """Note a call and give the fault that it meets."""
        self._calls.append((kind, path))
        fault = next((fault for fault in self._faults if fault.matches(kind, path)), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
        return fault


class FaultyRoute(APIRoute):
    """A route whose name is the kind of its calls, which meet the faults of the app."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            fault: Fault | None = request.app.state.faults.meet(self.name, request.scope["path"])
            if fault is None:
                return await answer(request)
            if isinstance(fault.what, int):
                raise _told(fault.what, self.name)
            while fault.what == "stall" and not fault.over:
                await asyncio.sleep(LOOK_INTERVAL)
            return _spoilt(await answer(request), fault)

        return handle


def _told(status: int, kind: str) -> HTTPException:
    """Give the answer with a status as the Hub would give it for a reason of its own."""
    if status == 401:
        return invalid_token()
    code = "RepoNotFound" if kind == "info" else "EntryNotFound"
    return refusal(status, f"Told to answer {status}", code if status == 404 else None)


def _spoilt(response: Response, fault: Fault) -> Response:
    body = bytes(response.body)
    middle = len(body) // 2
    match fault.what:
        case "lose":
            return Cut(b"", response)
        case "truncate":
            return Cut(body[:middle], response)
        case "corrupt" if body:
            response.body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        case "drip":
            return StreamingResponse(_drips(body, fault), response.status_code, response.headers)
    return response


class Cut(Response):
    """A part of a response under the headers of the whole: the server closes the connection after it."""

    def __init__(self, part: bytes, whole: Response) -> None:
        super().__init__(part, whole.status_code)
        self.raw_headers = whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})


async def _drips(body: bytes, fault: Fault) -> AsyncIterator[bytes]:
    step = -(-len(body) // DRIPS)
    for start in range(0, len(body), step):
        await asyncio.sleep(0 if fault.over else fault.seconds / DRIPS)
        yield body[start : start + step]

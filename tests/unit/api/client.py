"""A client that calls the app in its own process, one request after the other, without a server."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from api.edge import Edge
from api.errors import PROBLEM_TYPE, URN
from api.services import Services
from shared.reasons import Reason
from shared.sentences import REASONS
from tests.factories import fields_of

T = TypeVar("T")


class ApiClient:
    """Operations the app between its start and its end; `with` starts and ends it."""

    def __init__(self, app: Edge, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()

    @property
    def services(self) -> Services:
        services: Services = self.app.app.state.services
        return services

    def __enter__(self) -> Self:
        self._runner.run(self._stack.enter_async_context(self.app.app.router.lifespan_context(self.app.app)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            # A fault must come back as the answer that a client would see, not as an exception.
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
                return await client.request(method, path, **options)

        return self._runner.run(call())

    def run(self, calls: Coroutine[Any, Any, T]) -> T:
        """Run calls that belong together in the loop of the app."""
        return self._runner.run(calls)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self.request("POST", path, **options)


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """Check the shape that every error has (RFC 9457), and give the document; its type and params make its sentence."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM_TYPE
    document: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "request_id", "params"} <= document.keys()
    assert document["status"] == status
    assert document["type"].startswith(URN)
    assert document["title"]
    assert document["request_id"] == response.headers["x-request-id"]
    reason = Reason(kind_of(document), document["params"])
    assert reason.params.keys() == fields_of(REASONS[reason.type])
    assert document["detail"]
    assert isinstance(document["detail"], list) or document["detail"] == reason.message
    return document


def kind_of(document: dict[str, Any]) -> str:
    """The type of a problem, as it stands in the table."""
    kind: str = document["type"].removeprefix(URN)
    return kind


async def in_pieces(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A body that is sent piece by piece, without its length."""
    for piece in pieces:
        yield piece

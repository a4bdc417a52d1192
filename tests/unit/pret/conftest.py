"""The contract server, and the two clients behind one face, so that each test asks both."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pret import AsyncClient, Client
from tests.unit.pret.contract_server import ContractServer, World


@pytest.fixture(scope="session")
def running_server() -> Iterator[ContractServer]:
    server = ContractServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running_server: ContractServer, monkeypatch: pytest.MonkeyPatch) -> ContractServer:
    """The server with nothing in it, which is also where PRET_URL leads."""
    running_server.world = World()
    running_server.cuts = []
    monkeypatch.setenv("PRET_URL", running_server.url)
    monkeypatch.delenv("PRET_KEY", raising=False)
    return running_server


@pytest.fixture
def world(server: ContractServer) -> World:
    return server.world


class Awaited:
    """AsyncClient with the face of Client: awaits each call in a loop, and lists what iterates."""

    def __init__(self, client: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client, self._loop = client, loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._client, name)

        def awaited(*arguments: Any, **options: Any) -> Any:
            result = call(*arguments, **options)
            return self._loop.run_until_complete(_listed(result) if inspect.isasyncgen(result) else result)

        return awaited


async def _listed(items: Any) -> list[Any]:
    return [item async for item in items]


@pytest.fixture(params=["blocking", "asyncio"])
def connect(request: pytest.FixtureRequest, server: ContractServer) -> Iterator[Callable[..., Any]]:
    """Makes clients of each kind in turn; they are closed after the test."""
    loop = asyncio.new_event_loop()
    opened: list[Any] = []

    def make(url: str | None = None, key: str | None = None, **options: Any) -> Any:
        if request.param == "blocking":
            opened.append(Client(url, key, **options))
        else:
            opened.append(Awaited(AsyncClient(url, key, **options), loop))
        return opened[-1]

    yield make
    for client in opened:
        client.close() if isinstance(client, Client) else client.aclose()
    loop.close()


@pytest.fixture
def client(connect: Callable[..., Any]) -> Any:
    return connect()

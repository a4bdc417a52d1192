"""The two transports, both over httpx: one for asyncio, and one that blocks.

The operations of the client are written once, as coroutines. Over `BlockingTransport` no coroutine is ever suspended, so `run`
completes it in one step, without an event loop.
"""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx

from pret.errors import NotReachable
from pret.requests import Request
from pret.responses import Response

T = TypeVar("T")

DEFAULT_URL = "http://127.0.0.1:8000"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Address:
    """The URL of the service, the key, and the timeout in seconds for the next chunk of a response."""

    url: str
    key: str | None
    timeout: float

    @classmethod
    def of(cls, url: str | None, key: str | None, timeout: float) -> "Address":
        """Fill in PRET_URL and PRET_KEY; raises ValueError if the address or the key is malformed."""
        url = (url or os.environ.get("PRET_URL") or DEFAULT_URL).rstrip("/")
        if not _is_address(url):
            raise ValueError(f"The address of the service must look like {DEFAULT_URL}.")
        key = key or os.environ.get("PRET_KEY") or None
        if key and not (key.isascii() and key.isprintable()):
            raise ValueError("A key must be printable ASCII. Check PRET_KEY.")
        return cls(url, key, timeout)

    def options(self) -> dict[str, Any]:
        """Return the options of an httpx client. Proxies are bypassed for localhost."""
        headers = {"User-Agent": "pret", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        parts = urlsplit(self.url)
        options = {"base_url": self.url, "headers": headers, "timeout": self.timeout}
        # Without TLS, loading the certificate authorities would only cost time: most of what a command takes.
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if parts.scheme == "http" else True
        return {**options, "verify": verify, "trust_env": parts.hostname not in LOOPBACK}


class Stream(Protocol):
    """A response whose body is read in pieces."""

    response: Response

    async def read(self) -> bytes:
        """Read the next piece, b"" at the end; raises NotReachable if the connection breaks."""

    async def close(self) -> None:
        """Release the connection."""


class Transport(Protocol):
    """The I/O that the operations need."""

    async def send(self, request: Request) -> Stream:
        """Send a request and read status and headers of its response; raises NotReachable."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def run_sync(self, function: Callable[[], T]) -> T:
        """Call a function that may block, such as one that writes a file."""

    async def close(self) -> None:
        """Close all connections."""


class BlockingTransport:
    """Blocks: its coroutines are never suspended."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client = httpx.Client(**address.options())

    async def send(self, request: Request) -> Stream:
        """Send a request."""
        body = None if request.body is None else iter(request.body)
        built = self._client.build_request(**_arguments(self._address, request), content=body)
        with _mapped_errors(self._address, request):
            return _BlockingStream(self._address, request, self._client.send(built, stream=True))

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    async def run_sync(self, function: Callable[[], T]) -> T:
        """Call the function."""
        return function()

    async def close(self) -> None:
        """Close all connections."""
        self._client.close()


class _BlockingStream:
    def __init__(self, address: Address, request: Request, response: httpx.Response) -> None:
        self._address, self._request = address, request
        self._original, self._pieces = response, response.iter_bytes()
        self.response = _head_of(response)

    async def read(self) -> bytes:
        with _mapped_errors(self._address, self._request):
            return next(self._pieces, b"")

    async def close(self) -> None:
        self._original.close()


class AsyncTransport:
    """For asyncio; files are read and written in threads."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client = httpx.AsyncClient(**address.options())

    async def send(self, request: Request) -> Stream:
        """Send a request."""
        body = None if request.body is None else _in_threads(iter(request.body))
        built = self._client.build_request(**_arguments(self._address, request), content=body)
        with _mapped_errors(self._address, request):
            return _AsyncStream(self._address, request, await self._client.send(built, stream=True))

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""
        await asyncio.sleep(seconds)

    async def run_sync(self, function: Callable[[], T]) -> T:
        """Call the function in a thread."""
        return await asyncio.to_thread(function)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


class _AsyncStream:
    def __init__(self, address: Address, request: Request, response: httpx.Response) -> None:
        self._address, self._request = address, request
        self._original, self._pieces = response, response.aiter_bytes()
        self.response = _head_of(response)

    async def read(self) -> bytes:
        with _mapped_errors(self._address, self._request):
            return await anext(self._pieces, b"")

    async def close(self) -> None:
        await self._original.aclose()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over BlockingTransport."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("Only a coroutine that is never suspended can run without an event loop.")


def iterate(items: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Iterate over an asynchronous generator over BlockingTransport."""
    try:
        while True:
            try:
                item = run(_next(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        run(_close(items))


async def _next(items: AsyncGenerator[T, None]) -> T:
    return await anext(items)


async def _close(items: AsyncGenerator[T, None]) -> None:
    await items.aclose()


async def _in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _arguments(address: Address, request: Request) -> dict[str, Any]:
    headers = dict(request.headers)
    if request.body and request.body.size is not None:
        headers["Content-Length"] = str(request.body.size)
    seconds = address.timeout if request.read_timeout is None else request.read_timeout
    timeout = httpx.Timeout(address.timeout, read=seconds)
    query = list(request.query) or None
    return {"method": request.method, "url": request.path, "params": query, "headers": headers, "timeout": timeout}


def _head_of(response: httpx.Response) -> Response:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status_code, headers, str(response.url))


@contextmanager
def _mapped_errors(address: Address, request: Request) -> Iterator[None]:
    """Turn the exceptions of httpx into NotReachable."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise NotReachable(
            f"Cannot connect to {address.url}. Is the service up? Start it with ./scripts/up, or set its address with "
            "PRET_URL or --url.",
            sent=False,
        ) from error
    except httpx.PoolTimeout as error:
        raise NotReachable("This client has too many requests under way.", sent=False) from error
    except httpx.TimeoutException as error:
        seconds = address.timeout if request.read_timeout is None else request.read_timeout
        raise NotReachable(f"{address.url} sent nothing for {seconds:.0f} s.", sent=True) from error
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise NotReachable(
            f"The connection to {address.url} broke before the response was complete.", sent=True
        ) from error

"""The blocking and the asyncio client: the same operations over two transports."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from pret.operations import Operations
from pret.transport import Address, AsyncTransport, BlockingTransport, iterate, run

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_TIMEOUT = 30.0
"""Seconds that a connection, or the next piece of a response, may take."""
DEFAULT_RETRIES = 3


class AsyncClient(Operations):
    """The client for asyncio.

    `url` and `key` default to PRET_URL (http://127.0.0.1:8000) and PRET_KEY. After a lost connection, and after 429 and 503 with
    Retry-After, a request is sent again up to `retries` times, where that is safe.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
    ) -> None:
        super().__init__(AsyncTransport(Address.of(url, key, timeout)), retries)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.close()


def _blocking(
    operation: Callable[Concatenate[Operations, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate["Client", P], T]:
    @wraps(operation)
    def blocking(client: "Client", /, *args: P.args, **options: P.kwargs) -> T:
        return run(operation(client._operations, *args, **options))

    return blocking


def _iterating(
    operation: Callable[Concatenate[Operations, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate["Client", P], Generator[T, None, None]]:
    @wraps(operation)
    def iterating(client: "Client", /, *args: P.args, **options: P.kwargs) -> Generator[T, None, None]:
        return iterate(operation(client._operations, *args, **options))

    return iterating


class Client:
    """The blocking client. Threads may share one.

    `url` and `key` default to PRET_URL (http://127.0.0.1:8000) and PRET_KEY. After a lost connection, and after 429 and 503 with
    Retry-After, a request is sent again up to `retries` times, where that is safe.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        retries: int = DEFAULT_RETRIES,
    ) -> None:
        self._transport = BlockingTransport(Address.of(url, key, timeout))
        self._operations = Operations(self._transport, retries)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        run(self._transport.close())

    raw = _blocking(Operations.raw)
    score = _blocking(Operations.score)
    what_if = _blocking(Operations.what_if)
    score_many = _blocking(Operations.score_many)
    submit = _blocking(Operations.submit)
    submit_uri = _blocking(Operations.submit_uri)
    job = _blocking(Operations.job)
    job_row = _blocking(Operations.job_row)
    jobs = _blocking(Operations.jobs)
    all_jobs = _iterating(Operations.all_jobs)
    cancel = _blocking(Operations.cancel)
    remove = _blocking(Operations.remove)
    retry = _blocking(Operations.retry)
    events = _iterating(Operations.events)
    wait = _blocking(Operations.wait)
    results_page = _blocking(Operations.results_page)
    results = _iterating(Operations.results)
    download = _blocking(Operations.download)
    model_status = _blocking(Operations.model_status)
    model_signature = _blocking(Operations.model_signature)
    importance = _blocking(Operations.importance)
    model_info = _blocking(Operations.model_info)
    model_card = _blocking(Operations.model_card)
    model_versions = _blocking(Operations.model_versions)
    reload = _blocking(Operations.reload)
    rollback = _blocking(Operations.rollback)
    caller = _blocking(Operations.caller)
    audit = _blocking(Operations.audit)
    activity = _blocking(Operations.activity)
    health = _blocking(Operations.health)
    version = _blocking(Operations.version)
    capabilities = _blocking(Operations.capabilities)

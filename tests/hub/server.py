"""The server: two sockets, of the Hub and of its CDN, in a thread of this process."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI

from tests.hub import publishing, reading
from tests.hub.faults import Faults
from tests.hub.store import Commit, Store

HOST = "127.0.0.1"


class HubServer(Faults):
    """The Hub, with its faults; it keeps its data and its addresses over `stop` and `start`."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self._ports = [0, 0]
        self._app = FastAPI(openapi_url=None)
        self._app.include_router(reading.router)
        self._app.include_router(publishing.router)
        self._app.state.store, self._app.state.faults = self.store, self

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._ports[0]}"

    def start(self) -> Self:
        sockets = [socket.create_server((HOST, port)) for port in self._ports]
        self._ports = [listening.getsockname()[1] for listening in sockets]
        # To the client another port is another place, to which it must not send its token.
        self._app.state.cdn_url = f"http://{HOST}:{self._ports[1]}/lfs"
        # No connection is closed for being idle, since the client may use it again just then.
        config = uvicorn.Config(self._app, log_config=None, lifespan="off", ws="none", timeout_keep_alive=3600)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(sockets,))
        self._thread.start()
        return self

    def stop(self) -> None:
        """Let all calls end, then close all connections."""
        self.heal()
        self._server.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def commits(self, repo_id: str) -> list[Commit]:
        """List all commits of a model, oldest first, with the one that made it."""
        return self.store.repositories[repo_id].commits

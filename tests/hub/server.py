"""The server: two listening sockets (the Hub and its CDN), a log of requests, and faults put into effect."""

import json
import os
import re
import socket
import socketserver
import threading
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import psutil

from tests.hub.accounts import ACCOUNTS, Account, Refusal
from tests.hub.faults import DEFAULT_SECONDS, Fault, Faults, What
from tests.hub.routes import CDN_ROUTES, HUB_ROUTES, Answer, Call, Function, Kind, Route, Site, as_json, find
from tests.hub.store import Commit, Store

HOST = "127.0.0.1"
CONTROL = "/_control/"
DRIPS = 20


@dataclass(frozen=True)
class Request:
    """One request as it came in; `pid` is the process that sent it, None where the system does not tell."""

    kind: Kind
    method: str
    path: str
    pid: int | None
    with_token: bool


class HubServer:
    """The Hub in this process; it keeps its addresses over `stop` and `start`."""

    def __init__(
        self, root: Path, *, port: int = 0, cdn_port: int = 0, accounts: tuple[Account, ...] = ACCOUNTS
    ) -> None:
        self.faults = Faults()
        self.stopping = threading.Event()
        self.site = Site(Store(root), {account.token: account for account in accounts}, "", "")
        self._ports = [port, cdn_port]
        self._listeners: list[_Listener] = []
        self._lock = threading.Lock()
        self._requests: list[Request] = []

    @property
    def url(self) -> str:
        return self.site.url

    @property
    def cdn_url(self) -> str:
        return self.site.cdn_url

    def start(self) -> Self:
        self.stopping.clear()
        for index, routes in enumerate([HUB_ROUTES, CDN_ROUTES]):
            listener = _Listener(self, self._ports[index], routes)
            self._ports[index] = listener.server_address[1]
            self._listeners.append(listener)
        self.site.url, self.site.cdn_url = (f"http://{HOST}:{port}" for port in self._ports)
        for listener in self._listeners:
            listener.thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and close all connections; calls that a fault holds up end without an answer."""
        self.stopping.set()
        self.heal()
        for listener in self._listeners:
            listener.stop()
        self._listeners.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fail(
        self,
        kind: Kind | None,
        what: What | int,
        *,
        times: int | None = None,
        seconds: float | None = None,
        path: str = "*",
    ) -> None:
        """Make the next `times` calls of a kind (None: of all kinds) fail; see `What`. None: all of them, until `heal`."""
        self.faults.add(Fault(what, kind, times, seconds, path))

    def heal(self) -> None:
        """Switch all faults off; calls that a fault holds up go on at once."""
        self.faults.heal()

    def revoke(self, token: str) -> None:
        """Make the token one that nobody has."""
        del self.site.accounts[token]

    def gate(self, repo_id: str) -> None:
        """Let only members of its namespace download the model."""
        self.site.store.repositories[repo_id].gated = True

    @property
    def requests(self) -> list[Request]:
        """All requests since the start or `forget`, in the order of their arrival."""
        with self._lock:
            return list(self._requests)

    def count(self, kind: Kind | None = None, *, path: str = "*", pid: int | None = None) -> int:
        """Count requests of a kind, to the paths that fit a pattern, of one process; each is optional."""
        return sum(
            kind in (None, request.kind) and pid in (None, request.pid) and fnmatchcase(request.path, path)
            for request in self.requests
        )

    def forget(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._requests.clear()

    def commits(self, repo_id: str) -> list[Commit]:
        """List all commits of a model, oldest first, with the one that made it."""
        return list(self.site.store.repositories[repo_id].commits.values())

    def note(self, request: Request) -> None:
        with self._lock:
            self._requests.append(request)

    def control(self, call: Call) -> Answer:
        """Do for another process what `fail`, `heal`, `requests`, `forget` and `commits` do in this one."""
        match call.method, call.path.removeprefix(CONTROL):
            case "POST", "faults":
                self.faults.add(Fault(**call.json))
            case "DELETE", "faults":
                self.heal()
            case "GET", "requests":
                counts = Counter(request.kind for request in self.requests)
                return as_json({"counts": counts, "requests": [asdict(request) for request in self.requests]})
            case "DELETE", "requests":
                self.forget()
            case "GET", "commits":
                repositories = self.site.store.repositories
                return as_json({repo: [asdict(commit) for commit in self.commits(repo)] for repo in repositories})
            case _:
                return as_json({"error": f"no {call.method} {call.path}"}, 404)
        return as_json({})


class _Listener(socketserver.ThreadingTCPServer):
    """One socket; each connection has a thread, which ends when the connection does."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, hub: HubServer, port: int, routes: list[Route]) -> None:
        self.hub = hub
        self.routes = routes
        self.connections: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), name=f"hub:{self.server_address[1]}")

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def stop(self) -> None:
        self.shutdown()
        self.thread.join()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener
    pid: int | None = None
    known = False

    def handle(self) -> None:
        # The other end may go away at any time, and `stop` closes the connection under a call.
        with suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the requests are kept."""

    def _serve(self) -> None:
        hub = self.server.hub
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        call = Call(hub.site, self.command, address.path, query, self._read_body(), self.headers["Authorization"])
        if address.path.startswith(CONTROL):
            self._send(_answer(hub.control, call), None)
            return
        kind, function = find(self.server.routes, call)
        path = unquote(address.path)
        hub.note(Request(kind, self.command, path, self._sender(), call.authorization is not None))
        fault = hub.faults.take(kind, path)
        if fault is not None and fault.what == "stall":
            fault.over.wait(fault.seconds)
            if hub.stopping.is_set() or self._sender_is_gone():
                self.close_connection = True
                return
        refusal = fault.refusal(kind) if fault is not None and isinstance(fault.what, int) else None
        self._send(_refused(refusal) if refusal is not None else _answer(function, call), fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def _read_body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _sender(self) -> int | None:
        """Look up which process is at the other end; once, and here first, since to look everywhere takes a while."""
        if not self.known:
            self.known = True
            with suppress(psutil.Error):
                if any(end.laddr == self.client_address for end in psutil.Process().net_connections("tcp4")):
                    self.pid = os.getpid()
                else:
                    ends = psutil.net_connections("tcp4")
                    self.pid = next((end.pid for end in ends if end.laddr == self.client_address), None)
        return self.pid

    def _sender_is_gone(self) -> bool:
        """Tell whether the other end has closed the connection."""
        with suppress(BlockingIOError):
            peeked: bytes = self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            return not peeked
        return False

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        what = fault.what if fault is not None else None
        if what == "lose":
            self.close_connection = True
            return
        whole = _with_a_bit_flipped(answer.body) if what == "corrupt" else answer.body
        start, end = self._wanted_part(answer)
        if start >= len(whole) > 0:
            answer, whole, start, end = Answer(416, headers={"Content-Range": f"bytes */{len(whole)}"}), b"", 0, 0
        self.send_response(206 if end - start < len(whole) else answer.status)
        if end - start < len(whole):
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(whole)}")
        ranges = {"Accept-Ranges": "bytes"} if "ETag" in answer.headers else {}
        request_id = {"X-Request-Id": f"Root=1-{uuid4().hex}"}
        for name, value in (answer.headers | ranges | request_id | {"Content-Length": str(end - start)}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if what == "truncate":
            end = max(start, min(end, len(whole) // 2))
            self.close_connection = True
        if fault is not None and what == "drip":
            self._drip(whole[start:end], fault)
        else:
            self.wfile.write(whole[start:end])

    def _wanted_part(self, answer: Answer) -> tuple[int, int]:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if wanted is None or answer.status != 200 or "ETag" not in answer.headers:
            return 0, len(answer.body)
        last = int(wanted[2]) + 1 if wanted[2] else len(answer.body)
        return int(wanted[1]), min(last, len(answer.body))

    def _drip(self, body: bytes, fault: Fault) -> None:
        step = max(1, -(-len(body) // DRIPS))
        for start in range(0, len(body), step):
            fault.over.wait((fault.seconds or DEFAULT_SECONDS) / DRIPS)
            self.wfile.write(body[start : start + step])


def _answer(function: Function, call: Call) -> Answer:
    """Give the true answer to a call; one at a time, so that a check holds until the change that rests on it."""
    try:
        with call.store.lock:
            return function(call)
    except Refusal as refusal:
        return _refused(refusal)
    except Exception:
        return as_json({"error": traceback.format_exc()}, 500)


def _refused(refusal: Refusal) -> Answer:
    body = {"error": refusal.message}
    headers = {"Content-Type": "application/json; charset=utf-8", **refusal.all_headers}
    return Answer(refusal.status, json.dumps(body).encode(), headers)


def _with_a_bit_flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body

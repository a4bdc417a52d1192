"""An S3-speaking server for tests, and a way to it that can be broken."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from unittest import mock

from scripts.lib.loopback import free_port
from tests.processes import Process, http, wait_for

BUCKET = "bucket"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "a-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret",
    # Whatever this machine is set up for is not asked.
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""What a process needs to use the server; add AWS_ENDPOINT_URL where its URLs do not say where the server is."""


class ObjectServer(Process):
    """A server with one bucket, in memory: what was stored ends with the process."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        super().__init__(command, folder / "objects.log", {**ENVIRONMENT, **(environment or {})})

    def url(self, prefix: str = "", port: int | None = None) -> str:
        """Name the storage below a prefix, by way of another port if one is given."""
        return f"s3://{BUCKET}/{prefix}?endpoint_override=127.0.0.1:{port or self.port}&scheme=http"

    def start(self) -> None:
        super().start()
        wait_for("the object server", lambda: http.put(f"{self.endpoint}/{BUCKET}").is_success)

    def keys(self, prefix: str = "") -> list[str]:
        """Name the objects below a prefix, without the marks that Arrow leaves for folders."""
        listing = http.get(f"{self.endpoint}/{BUCKET}", params={"list-type": "2", "prefix": prefix}).text
        keys = [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]
        return sorted(key.removeprefix(prefix) for key in keys if not key.endswith("/"))

    def requests(self) -> list[str]:
        """Give the log's lines of what was asked so far, such as `PUT /bucket/x HTTP/1.1`."""
        return [line.split('"')[1] for line in self.log.read_text().splitlines() if line.count('"') >= 2]


@contextmanager
def object_server(folder: Path, environment: dict[str, str] | None = None) -> Iterator[ObjectServer]:
    """A running server, and this process's environment such that it can use it."""
    server = ObjectServer(folder, environment)
    with mock.patch.dict(os.environ, ENVIRONMENT):
        for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
            os.environ.pop(name, None)
        server.start()
        try:
            yield server
        finally:
            server.stop()


Refuses = Callable[[str, str], int | None]
"""From the method and the path of a request to the status that it fails with; None to pass it on."""


@contextmanager
def broken_way(server: ObjectServer, refuses: Refuses) -> Iterator[int]:
    """Give a port that passes requests on to the server, but for those that it refuses."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size + 2)[:-2]
            self.rfile.readline()
            return content

        def pass_on(self) -> None:
            body = self.body()
            status, headers, content = refuses(self.command, self.path), [], b""
            if status is None:
                with closing(HTTPConnection("127.0.0.1", server.port)) as connection:
                    own = {"content-length", "transfer-encoding", "expect", "connection"}
                    passed = {name: value for name, value in self.headers.items() if name.lower() not in own}
                    connection.request(self.command, self.path, body, passed)
                    answer = connection.getresponse()
                    status, headers, content = answer.status, answer.getheaders(), answer.read()
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("connection", "date", "server", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            length = dict(headers).get("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = pass_on  # noqa: N815

    way = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    way.daemon_threads = True
    serving = Thread(target=way.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield way.server_port
    finally:
        way.shutdown()
        way.server_close()
        serving.join()

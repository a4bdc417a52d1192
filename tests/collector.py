"""A collector of traces on loopback: it takes OTLP, or answers 500, or does not answer at all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Manner = Literal["takes", "fails", "hangs"]


class Collector:
    """What was received, and where it listens."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.requests = 0
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.closing = threading.Event()
        self.url = ""

    def take(self, body: bytes) -> None:
        self.requests += 1
        if self.manner == "hangs":
            self.closing.wait(60)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                fact.value.string_value for fact in resource.resource.attributes if fact.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)

    def environment(self) -> dict[str, str]:
        """The standard variables, with short time-outs."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }


@contextmanager
def collecting(manner: Manner = "takes") -> Iterator[Collector]:
    """Listen until the block ends."""
    collector = Collector(manner)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            body = b"a long answer\n" * 100 if manner == "fails" else b""
            self.send_response(500 if manner == "fails" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be silent."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                """The exporter did not wait."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()

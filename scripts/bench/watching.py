"""Measures what watching costs a single score: metrics, the access log and traces, beside a checkout without them. Needs wrk.

Run: .venv/bin/python scripts/bench/watching.py --base ../without [--rounds 5] [--seconds 5]

One API process for each way, all up all the time, of which one is asked at a time over 16 connections; the order changes with the
rounds. Beside the requests per second it tells the processor time of the API for one, on which other programs have less influence.
"""

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.bench.comparing.load import Request, measure, require_wrk
from scripts.bench.comparing.models import demo_model, example
from scripts.bench.comparing.processes import Started, first_answer, running
from scripts.bench.comparing.protocols import ONE_ROW
from scripts.lib.loopback import free_port

CONNECTIONS = 16
BASE = "without"
ONE_IN_100 = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="a checkout without metrics, logs and traces")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is taken (%(default)s)")
    parser.add_argument("--seconds", type=int, default=5, help="how long each time (%(default)s)")
    options = parser.parse_args()
    require_wrk()
    with ExitStack() as stack:
        collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.enter_context(_collector())}
        ways = {
            BASE: (options.base.resolve(), {}),
            "metrics": (ROOT, {"ACCESS_LOG_SHARE": "0"}),
            "metrics, and one line in 1,000": (ROOT, {}),
            "a line for each": (ROOT, {"ACCESS_LOG_SHARE": "1"}),
            "one trace in 100": (ROOT, collector | ONE_IN_100),
            "a trace for each": (ROOT, collector),
        }
        servers = {name: stack.enter_context(_served(*way)) for name, way in ways.items()}
        _compare(servers, options.rounds, options.seconds)
    return 0


def _compare(servers: dict[str, Started], rounds: int, seconds: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
    names = list(servers)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(_measured(servers[name], seconds))
    print("| way | requests/s | µs of processor time |\n|---|---|---|")
    for name, taken in found.items():
        rate, time = (median(figures) for figures in zip(*taken, strict=True))
        # Of each round, as the machine may have been slower in some.
        pairs = list(zip(taken, found[BASE], strict=True))
        rates, times = (median(own[i] / base[i] - 1 for own, base in pairs) for i in (0, 1))
        print(f"| {name} | {rate:,.0f} ({rates:+.1%}) | {time:.1f} ({times:+.1%}) |")


def _measured(server: Started, seconds: int) -> tuple[float, float]:
    """Give the requests per second, and microseconds of processor time for one."""
    request = _request(server.url)
    before = _processor_time(server.pid)
    load = measure(request, CONNECTIONS, seconds)
    return load.rate, (_processor_time(server.pid) - before) / (load.rate * seconds) * 1e6


def _processor_time(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _request(url: str) -> Request:
    return Request(url + ONE_ROW.path, ONE_ROW.body([example(demo_model())]), ONE_ROW.headers)


@contextmanager
def _served(checkout: Path, environment: dict[str, str]) -> Iterator[Started]:
    """Serve the demo model with one API process of a checkout, without Redis, which single scores do not need."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pret-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        settings = {
            "PYTHONPATH": str(checkout),
            "REDIS_URL": "redis://127.0.0.1:1/0",
            "MODEL_DIR": str(demo_model()),
            "MODEL_CACHE_DIR": str(folder / "cache"),
            "STORAGE_URL": str(folder / "storage"),
        }
        command = ["sh", "-c", 'cd "$1" && exec "$2" -m api --port "$3"', "-", str(checkout), sys.executable, str(port)]
        with running(command, port, folder / "api.log", settings | environment) as started:
            first_answer(_request(started.url), started)
            yield started


@contextmanager
def _collector() -> Iterator[str]:
    """Take traces, and forget them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main())

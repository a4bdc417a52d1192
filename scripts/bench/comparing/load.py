"""Load from wrk: one way of measuring for all servers, one thread for all connections, each sending its next request at once."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.bench.comparing.environments import CannotCompare

TIMEOUT = 60
LONG_ENOUGH = 3600
"""Seconds of a load that is ended from outside."""

SCRIPT = """
local body = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = body:read("*a")
{headers}
function done(summary, latency)
  local errors = summary.errors
  print("found", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status)
end
"""
"""Numbers for programs: requests, then microseconds, then failures of connections and answers of another status than 2xx."""


@dataclass(frozen=True)
class Request:
    """What is sent, again and again."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """What came of a load: answers a second, and percentiles of their times in seconds."""

    rate: float
    p50: float
    p99: float


def require_wrk() -> None:
    """Raise CannotCompare if there is no wrk."""
    if shutil.which("wrk") is None:
        raise CannotCompare(
            "wrk is missing, which makes the load. Install it: apt-get install wrk, or brew install wrk."
        )


def measure(request: Request, connections: int, seconds: float) -> Load:
    """Load a server for so long; raises CannotCompare if one answer is an error."""
    with _wrk(request, connections, seconds) as running:
        return _read(request, running.communicate()[0])


@contextmanager
def loaded(request: Request, connections: int) -> Iterator[None]:
    """Load a server while the block runs; raises CannotCompare at its end if one answer was an error."""
    with _wrk(request, connections, LONG_ENOUGH) as running:
        yield
        running.send_signal(signal.SIGINT)
        _read(request, running.communicate()[0])


@contextmanager
def computing(programs: int) -> Iterator[None]:
    """Run so many programs that do nothing but compute while the block runs."""
    with ExitStack() as stack:
        for _ in range(programs):
            stack.callback(stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"])).kill)
        yield


@contextmanager
def _wrk(request: Request, connections: int, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    with tempfile.TemporaryDirectory(prefix="pret-bench-") as folder:
        body, script = Path(folder, "body"), Path(folder, "script.lua")
        body.write_bytes(request.body)
        headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items())
        script.write_text(SCRIPT.format(body=body, headers=headers))
        options = ["-t1", f"-c{connections}", f"-d{seconds:.0f}s", f"--timeout={TIMEOUT}s", "-s", str(script)]
        with subprocess.Popen(["wrk", *options, request.url], stdout=subprocess.PIPE, text=True) as running:
            try:
                yield running
            finally:
                running.kill()


def _read(request: Request, output: str) -> Load:
    found = [line.split() for line in output.splitlines() if line.startswith("found")]
    if not found:
        raise CannotCompare(f"wrk did not measure {request.url}; it said:\n{output}")
    requests, duration, p50, p99, failures, statuses = map(float, found[0][1:])
    if not requests:
        raise CannotCompare(
            f"{request.url} gave no answer in {duration / 1e6:.0f} s; measure for longer, with --seconds."
        )
    if failures or statuses:
        raise CannotCompare(
            f"{request.url} under load: {requests:.0f} answers, of which {statuses:.0f} were errors; "
            f"{failures:.0f} connections failed. A figure would mean nothing."
        )
    return Load(requests / duration * 1e6, p50 / 1e6, p99 / 1e6)

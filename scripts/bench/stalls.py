"""How long one request keeps all others waiting: large JSON bodies are sent while a caller scores single applicants.

Run: .venv/bin/python scripts/bench/stalls.py [--times 3] [--kinds columns,keys]

The service is this checkout's, on free ports and in a folder of its own. For each kind of body, the longest wait of the caller
is told, in the best of several rounds: in all, and without the time in which the threads of the API could have gone on, but other
programs had the processors. The exit code is 1 if that is longer than LONGEST.
"""

import argparse
import os
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.bench.fuzzing.large import BODIES, Body
from scripts.bench.fuzzing.probe import Probe
from scripts.bench.fuzzing.service import Service, running_service

LONGEST = 0.1
"""Seconds for which one request may keep others waiting."""

PATIENCE = 300.0
QUIET = 0.3
"""Seconds for which the caller scores before and after the request."""


def main() -> int:
    """Measure what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--kinds", default=",".join(BODIES), help="of %(default)s")
    options = parser.parse_args()
    kinds = options.kinds.split(",")
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="pret-stalls-") as name, running_service(Path(name), seed=1) as service:
        print(f"{'body':24} {'bytes':>11} {'answer':>7} {'in':>8} {'longest wait':>13} {'own share':>10} {'memory':>7}")
        waits = [_measured(service, kind, options.times) for kind in kinds]
    return int(max(waits) > LONGEST)


def _measured(service: Service, kind: str, times: int) -> float:
    body = BODIES[kind](service.rows)
    # From now on, the most memory that the process has had at once is counted anew.
    Path(f"/proc/{service.api().pid}/clear_refs").write_text("5")
    rounds = [_round(service, body) for _ in range(times)]
    own, wait, seconds, status = min(rounds)
    memory = _most_memory(service.api().pid)
    size = f"{len(body.content):11,}"
    waits = f"{1000 * wait:10.0f} ms {1000 * own:7.0f} ms"
    print(f"{kind:24} {size} {status:7} {seconds:6.1f} s {waits} {memory:4.0f} MB", flush=True)
    return own


def _most_memory(pid: int) -> float:
    """Return the most memory that a process has had at once, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))


def _delays(pid: int) -> float:
    """Return the seconds for which the threads of a process have waited for a processor."""
    found = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found += int((task / "schedstat").read_text().split()[1])
    return found / 1e9


def _round(service: Service, body: Body) -> tuple[float, float, float, int]:
    """Send the body once; return the longest wait, own share and whole, the time until the answer, and its status."""
    delays = partial(_delays, service.api().pid)
    with Probe(service.address, service.rows[0], PATIENCE, delays=delays) as probe:
        time.sleep(QUIET)
        began = time.perf_counter()
        with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
            answer = http.post(f"{service.url}{body.path}", content=body.content, headers=body.headers)
        seconds = time.perf_counter() - began
        time.sleep(QUIET)
    return max(probe.net_times), max(probe.times), seconds, answer.status_code


if __name__ == "__main__":
    sys.exit(main())

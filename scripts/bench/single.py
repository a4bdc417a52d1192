"""Requests per second and latency of single scoring, against two reference apps in the same run.

Needs wrk. Run: .venv/bin/python scripts/bench/single.py [--model exported_model] [--rounds 3] [--seconds 5]
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

APPS = {
    "bare ASGI app": "scripts.bench.reference_apps:bare",
    "FastAPI route, pydantic body, constant answer": "scripts.bench.reference_apps:usual",
    "POST /individual_score": "api.main:app",
}
PORT = 8377
URL = f"http://127.0.0.1:{PORT}/individual_score"
CONNECTIONS = (1, 16, 64)
UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True)
class Measured:
    """What wrk saw of one app: requests/s, and percentiles of the latency in microseconds."""

    rate: float
    p50: float
    p99: float


Runs = dict[tuple[str, int], list[Measured]]
"""Of each app at each number of connections, a measurement a round."""


def main() -> None:
    """Measure each app in turn, several rounds, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--model", type=Path, default=Path("exported_model"), help="folder of the model")
    options = parser.parse_args()
    os.environ["MODEL_DIR"] = str(options.model)
    body = (options.model / "input_example.json").read_text().strip()
    runs: Runs = {(name, count): [] for count in CONNECTIONS for name in APPS}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method="POST"\nwrk.headers["Content-Type"]="application/json"\nwrk.body=[==[{body}]==]\n')
        script.flush()
        for _ in range(options.rounds):
            for name in APPS:
                for count, measured in zip(CONNECTIONS, measure(APPS[name], script.name, options.seconds), strict=True):
                    runs[name, count].append(measured)
    show(runs)


def show(runs: Runs) -> None:
    """Print the medians, and what they are of those of the bare app, which is the first."""
    bare = next(iter(APPS))
    print("connections  requests/s  p50 us  p99 us  rate   p50  app; rate and p50 are of the bare app's")
    for (name, count), found in runs.items():
        rate, p50, p99 = (median(found, of) for of in ("rate", "p50", "p99"))
        rates, p50s = rate / median(runs[bare, count], "rate"), p50 / median(runs[bare, count], "p50")
        print(f"{count:11} {rate:11.0f} {p50:7.0f} {p99:7.0f} {rates:5.2f} {p50s:5.2f}  {name}")


def median(found: list[Measured], of: str) -> float:
    """Give the median of one of the figures."""
    values: list[float] = [getattr(each, of) for each in found]
    return statistics.median(values)


def measure(app: str, script: str, seconds: int) -> list[Measured]:
    """Measure one app in a process of its own, with each number of connections in turn."""
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(PORT), "--no-access-log", "--log-level", "error"]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."}) as server:
        try:
            wait_for_answer()
            return [load(script, seconds, count) for count in CONNECTIONS]
        finally:
            server.terminate()


def load(script: str, seconds: int, connections: int) -> Measured:
    """Send requests for some seconds."""
    wrk = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, URL]
    output = subprocess.run(wrk, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in output, output
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    latency = dict(re.findall(r"(50|99)%\s+([\d.]+[a-z]+)", output))
    assert rate, output
    return Measured(float(rate[1]), microseconds(latency["50"]), microseconds(latency["99"]))


def microseconds(text: str) -> float:
    """Read a time of wrk's, such as `1.25ms`."""
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS[unit]


def wait_for_answer() -> None:
    """Wait until the server answers, whatever it says."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.post(URL, json={}, trust_env=False)
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise TimeoutError(URL)


if __name__ == "__main__":
    main()

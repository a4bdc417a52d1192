"""Requests per second of single scoring, against two reference apps in the same run. Needs wrk and a model in exported_model/.

Run: .venv/bin/python scripts/bench/single.py [--rounds 3] [--seconds 5]
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

OURS = "api.main:app"
APPS = {
    "bare ASGI app": "scripts.bench.reference_apps:bare",
    "FastAPI route, pydantic body, constant answer": "scripts.bench.reference_apps:usual",
    "POST /individual_score": OURS,
}
PORT = 8377
URL = f"http://127.0.0.1:{PORT}/individual_score"
CONNECTIONS = 16


def main() -> None:
    """Measure each app in turn, several rounds, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args()
    body = Path("exported_model/input_example.json").read_text().strip()
    rates: dict[str, list[float]] = {name: [] for name in APPS}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method="POST"\nwrk.headers["Content-Type"]="application/json"\nwrk.body=[==[{body}]==]\n')
        script.flush()
        for _ in range(options.rounds):
            for name, app in APPS.items():
                rates[name].append(measure(app, script.name, options.seconds))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    bare, usual, ours = medians.values()
    for name, rate in medians.items():
        print(f"{rate:9.0f} requests/s  {name}")
    print(f"ratio to the bare app {ours / bare:.2f}, to the usual route {ours / usual:.2f}")


def measure(app: str, script: str, seconds: int) -> float:
    """Give the requests per second of one app in a process of its own."""
    served = ["api"] if app == OURS else ["uvicorn", app, "--no-access-log", "--log-level", "error"]
    command = [sys.executable, "-m", *served, "--port", str(PORT)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."}) as server:
        try:
            wait_for_answer()
            wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, URL]
            output = subprocess.run(wrk, check=True, capture_output=True, text=True).stdout
        finally:
            server.terminate()
    assert "Non-2xx" not in output, output
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found, output
    return float(found[1])


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

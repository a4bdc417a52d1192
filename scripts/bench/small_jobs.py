"""How long small jobs wait beside a large one, against a running service, and what they cost the large one.

Run: ./scripts/up in one terminal, then .venv/bin/python scripts/bench/small_jobs.py [--jobs 2000] [--rows 5000000]

The large job is sent first. Once it is being scored, the small ones are submitted one after the other, without waiting for any.
A job's time is the service's own: from its submission to its end. `slow_model.py` makes a model with which the large job lasts.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.bench.make_portfolio import ID_COLUMN, portfolio, write_portfolio

ENDED = ("succeeded", "failed", "cancelled")
POLL_SECONDS = 0.05

Job = dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--jobs", type=int, default=2000, help="small jobs (%(default)s)")
    parser.add_argument("--small-rows", type=int, default=5, help="rows of each small job (%(default)s)")
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of the large job, 0 for none (%(default)s)")
    options = parser.parse_args()
    with httpx.Client(base_url=options.url, timeout=60, trust_env=False) as client:
        large = send_large(client, options.rows) if options.rows else None
        began = time.perf_counter()
        ids = send_small(client, options.jobs, options.small_rows)
        print(f"{len(ids):,} jobs of {options.small_rows} rows submitted in {time.perf_counter() - began:.1f} s")
        small = [wait_for(client, job_id, lambda job: job["state"] in ENDED) for job_id in ids]
        print(f"  each took {spread([job['seconds'] for job in small])}")
        if large is not None:
            large = wait_for(client, large["id"], lambda job: job["state"] in ENDED)
            first = sum(job["finished_at"] < large["finished_at"] for job in small)
            print(f"1 job of {options.rows:,} rows took {large['seconds']:.1f} s; {first:,} small ones ended before it")


def send_large(client: httpx.Client, rows: int) -> Job:
    """Submit a large job, and give it once it is being scored."""
    with tempfile.TemporaryDirectory(prefix="pret-bench-") as folder:
        file = Path(folder, "large.parquet")
        write_portfolio(file, rows)
        answer = client.post("/jobs", params={"keep": ID_COLUMN}, files={"file": file.open("rb")})
    job_id = answer.raise_for_status().json()["id"]
    return wait_for(client, job_id, lambda job: job["rows_done"] > 0)


def send_small(client: httpx.Client, count: int, rows: int) -> list[str]:
    """Submit the small jobs; give their ids."""
    table = next(portfolio(rows)).drop_columns([ID_COLUMN])
    body, headers = json.dumps(table.to_pylist()).encode(), {"Content-Type": "application/json"}
    return [client.post("/jobs", content=body, headers=headers).raise_for_status().json()["id"] for _ in range(count)]


def wait_for(client: httpx.Client, job_id: str, is_far_enough: Callable[[Job], bool]) -> Job:
    """Poll the job until it is as far as asked for."""
    while True:
        job: Job = client.get(f"/jobs/{job_id}").raise_for_status().json()
        if is_far_enough(job):
            return job
        assert job["state"] not in ENDED, job
        time.sleep(POLL_SECONDS)


def spread(seconds: list[float]) -> str:
    """Tell the median, the 95th percentile and the longest."""
    ordered = sorted(seconds)
    return f"p50 {statistics.median(ordered):.2f} s, p95 {ordered[int(0.95 * len(ordered))]:.2f} s, at most {ordered[-1]:.2f} s"


if __name__ == "__main__":
    main()

"""Rows per second of a JSON batch that is followed as a job, and how long a small one takes that is waited for.

Run: ./scripts/up in one terminal, then .venv/bin/python scripts/bench/batch.py [--url http://127.0.0.1:8000] [--rows 100000]
Large batches that are waited for, and single applicants beside them, are in scripts/bench/peers.py.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec

JSON_BODY = {"Content-Type": "application/json"}
PAGE = 10_000
ROUNDS = 5
SMALL_ROUNDS = 100
SMALL_ROWS = 100


class PageEnd(msgspec.Struct):
    """What of a page of results tells where the next one begins."""

    next_offset: int | None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    example = json.loads(Path("exported_model/input_example.json").read_text())
    body = json.dumps([varied(example) for _ in range(options.rows)]).encode()
    small = json.dumps([varied(example) for _ in range(SMALL_ROWS)]).encode()
    with httpx.Client(base_url=options.url, timeout=60, headers=JSON_BODY, trust_env=False) as client:
        client.post("/multiple_score", content=small, headers={"Prefer": "wait=30"}).raise_for_status()
        runs = [big_job(client, body) for _ in range(ROUNDS)]
        waits = sorted(waited_batch(client, small) for _ in range(SMALL_ROUNDS))
    submit, scored, fetched = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"{options.rows} rows, {len(body) / 1e6:.0f} MB of JSON, median of {ROUNDS}:")
    print(f"  submitted after {submit:.2f} s, succeeded after {scored:.2f} s ({options.rows / scored:,.0f} rows/s),")
    print(f"  all results fetched after {fetched:.2f} s ({options.rows / fetched:,.0f} rows/s)")
    print(
        f"{SMALL_ROWS} rows with Prefer: wait, {SMALL_ROUNDS} times: "
        f"p50 {1000 * statistics.median(waits):.0f} ms, p95 {1000 * waits[int(0.95 * len(waits))]:.0f} ms"
    )


def varied(example: dict[str, Any]) -> dict[str, Any]:
    """Change the amounts a little, so that rows and their JSON differ as real ones do."""
    return {
        name: round(value * random.uniform(0.9, 1.1), 4) if isinstance(value, float) and value > 1 else value
        for name, value in example.items()
    }


def big_job(client: httpx.Client, body: bytes) -> tuple[float, float, float]:
    """Give the seconds until a job is accepted, has succeeded, and is fetched."""
    began = time.perf_counter()
    job = client.post("/jobs", content=body).raise_for_status().json()
    submitted = time.perf_counter()
    while job["state"] not in ("succeeded", "failed"):
        time.sleep(0.01)
        job = client.get(f"/jobs/{job['id']}").json()
    scored = time.perf_counter()
    assert job["state"] == "succeeded", job
    offset: int | None = 0
    while offset is not None:
        page = client.get(f"/jobs/{job['id']}/results", params={"offset": offset, "limit": PAGE}).raise_for_status()
        # Reading the scores is the client's own time; the service's ends with the last byte.
        offset = msgspec.json.decode(page.content, type=PageEnd).next_offset
    return submitted - began, scored - began, time.perf_counter() - began


def waited_batch(client: httpx.Client, body: bytes) -> float:
    """Give the seconds for a batch that is waited for."""
    began = time.perf_counter()
    answer = client.post("/multiple_score", content=body, headers={"Prefer": "wait=10"})
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

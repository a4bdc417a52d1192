"""Rows per second of JSON batches, followed as jobs and waited for, and how long single applicants take beside them.

Run: ./scripts/up in one terminal, then .venv/bin/python scripts/bench/batch.py [--url http://127.0.0.1:8000] [--rows 100000]
"""

import argparse
import json
import multiprocessing
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

JSON_BODY = {"Content-Type": "application/json"}
PAGE = 10_000
ROUNDS = 5
SMALL_ROUNDS = 100
SMALL_ROWS = 100
WAITED_ROWS = 10_000
WAITED_ROUNDS = 20
CLIENTS = 8
SINGLES = 2000
PAUSE = 0.001
"""Seconds between two single applicants."""


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
    shapes = shapes_of([varied(example) for _ in range(WAITED_ROWS)])
    small = json.dumps([varied(example) for _ in range(SMALL_ROWS)]).encode()
    with httpx.Client(base_url=options.url, timeout=60, headers=JSON_BODY, trust_env=False) as client:
        client.post("/multiple_score", content=small, headers={"Prefer": "wait=30"}).raise_for_status()
        runs = [big_job(client, body) for _ in range(ROUNDS)]
        waits = sorted(waited_batch(client, small) for _ in range(SMALL_ROUNDS))
        shaped = {
            name: statistics.median(waited_batch(client, each) for _ in range(WAITED_ROUNDS))
            for name, each in shapes.items()
        }
        alone = single_p99(client, example)
        with batches_of_clients(options.url, shapes["records"]):
            beside = single_p99(client, example)
    submit, scored, fetched = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"{options.rows} rows, {len(body) / 1e6:.0f} MB of JSON, median of {ROUNDS}:")
    print(f"  submitted after {submit:.2f} s, succeeded after {scored:.2f} s ({options.rows / scored:,.0f} rows/s),")
    print(f"  all results fetched after {fetched:.2f} s ({options.rows / fetched:,.0f} rows/s)")
    print(
        f"{SMALL_ROWS} rows with Prefer: wait, {SMALL_ROUNDS} times: "
        f"p50 {1000 * statistics.median(waits):.0f} ms, p95 {1000 * waits[int(0.95 * len(waits))]:.0f} ms"
    )
    for name, seconds in shaped.items():
        print(
            f"{WAITED_ROWS} rows with Prefer: wait as {name}: {1000 * seconds:.1f} ms ({WAITED_ROWS / seconds:,.0f} rows/s)"
        )
    print(
        f"one row, p99: alone {1000 * alone:.2f} ms, beside {CLIENTS} clients with such batches {1000 * beside:.2f} ms, "
        f"ratio {beside / alone:.1f} (aim: at most 5)"
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


def shapes_of(rows: list[dict[str, Any]]) -> dict[str, bytes]:
    """Write the rows in three of the shapes of JSON."""
    names = list(rows[0])
    shapes = {
        "records": rows,
        "dataframe_split": {"dataframe_split": {"columns": names, "data": [list(row.values()) for row in rows]}},
        "columns": {"columns": {name: [row[name] for row in rows] for name in names}},
    }
    return {name: json.dumps(shape).encode() for name, shape in shapes.items()}


def single_p99(client: httpx.Client, row: dict[str, Any]) -> float:
    """Give the 99th percentile of the seconds of single applicants, one after the other."""
    body = json.dumps(row).encode()
    seconds = []
    for _ in range(SINGLES):
        began = time.perf_counter()
        client.post("/individual_score", content=body).raise_for_status()
        seconds.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    return statistics.quantiles(seconds, n=100)[-1]


@contextmanager
def batches_of_clients(url: str, body: bytes) -> Iterator[None]:
    """Have clients, each in a process of its own, send the batch again and again while the block runs."""
    context = multiprocessing.get_context("spawn")
    stopped, ready = context.Event(), context.Barrier(CLIENTS + 1)
    clients = [context.Process(target=keep_sending, args=(url, body, stopped, ready)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    ready.wait(60)
    try:
        yield
    finally:
        stopped.set()
        for client in clients:
            client.join()
    assert all(client.exitcode == 0 for client in clients), "a batch failed"


def keep_sending(url: str, body: bytes, stopped: Any, ready: Any) -> None:
    """Send the batch until told to stop."""
    with httpx.Client(base_url=url, timeout=60, headers=JSON_BODY, trust_env=False) as client:
        waited_batch(client, body)
        ready.wait(60)
        while not stopped.is_set():
            waited_batch(client, body)


if __name__ == "__main__":
    main()

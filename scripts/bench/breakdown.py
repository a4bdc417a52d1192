"""Tells where the processor time of a single request and of a file goes, by the part of the project. Needs wrk, py-spy and PyPI.

Run: .venv/bin/python scripts/bench/breakdown.py [--rows 10000000] [--write docs/performance.md]

The service is this checkout's with the demo model, on free ports. Single requests come over one connection; the file is Parquet,
and is followed until its results are fetched. What executes in C counts for the part that has called it.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from pret import Client
from scripts.bench.comparing.command import run
from scripts.bench.comparing.load import Request, measure
from scripts.bench.comparing.models import demo_model, example
from scripts.bench.comparing.page import BREAKDOWN
from scripts.bench.comparing.processes import Started, first_answer
from scripts.bench.comparing.protocols import ONE_ROW
from scripts.bench.comparing.sampling import Seconds, sampled
from scripts.bench.comparing.service import service
from scripts.bench.make_portfolio import ID_COLUMN, write_portfolio

SECONDS = 15
LEAST_SHARE = 0.02
"""What takes less is summed up in one line."""


def main() -> int:
    """Measure and print; the exit code is 2 if that is not possible."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the file (%(default)s)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, between its marks")
    options = parser.parse_args()
    return run(BREAKDOWN, options.write, lambda: _tables(options.rows))


def _tables(rows: int) -> list[str]:
    with _served() as (folder, started):
        return [*_single(started), "", *_file(started, folder, rows)]


@contextmanager
def _served() -> Iterator[tuple[Path, Started]]:
    with tempfile.TemporaryDirectory(prefix="pret-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with service(folder, demo_model()) as started:
            yield folder, started


def _single(started: Started) -> list[str]:
    request = Request(started.url + ONE_ROW.path, ONE_ROW.body([example(demo_model())]), ONE_ROW.headers)
    first_answer(request, started)
    with sampled(started.pid, ROOT) as seconds:
        load = measure(request, 1, SECONDS)
    of_api = {where: time for where, time in seconds.items() if where[0] == "api"}
    head = f"a single request, p50 {1e6 * load.p50:.0f} µs"
    return list(_table(head, "µs", of_api, 1e6 / (load.rate * SECONDS)))


def _file(started: Started, folder: Path, rows: int) -> list[str]:
    source = folder / "portfolio.parquet"
    write_portfolio(source, rows)
    with Client(started.url) as client, sampled(started.pid, ROOT) as seconds:
        job = client.wait(client.submit(source, keep=[ID_COLUMN]).id)
        client.download(job.id, folder / "scores.parquet")
    return list(_table(f"{rows:,} rows of Parquet", "s", seconds, 1))


def _table(head: str, unit: str, seconds: Seconds, scale: float) -> Iterator[str]:
    total = sum(seconds.values())
    yield from (f"| {head} | process | {unit} of processor time | share |", "|---|---|---|---|")
    large = {where: time for where, time in seconds.items() if time >= LEAST_SHARE * total}
    for (process, part), time in sorted(large.items(), key=lambda item: -item[1]):
        yield f"| {part} | {process} | {time * scale:.3g} | {time / total:.0%} |"
    rest = total - sum(large.values())
    yield f"| what takes less than {LEAST_SHARE:.0%} each | | {rest * scale:.3g} | {rest / total:.0%} |"
    yield f"| all | | {total * scale:.3g} | |"


if __name__ == "__main__":
    sys.exit(main())

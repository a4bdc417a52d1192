"""How fast files are scored, end to end, by a running service; how much memory it takes; and how long small jobs wait meanwhile.

Run: ./scripts/up in one terminal, then .venv/bin/python scripts/bench/portfolio.py [--rows 10000000] [--formats parquet,csv]

The yardstick is what the machine can do at best: `predict_proba` of the same model, on all cores, on a matrix that is in memory
already. Every score of every downloaded file is compared with it, bit for bit. Nothing else should run on the machine. The
service must serve the model in --model; start it anew before, for the memory of a process does not shrink.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import numpy.typing as npt
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from catboost import CatBoostClassifier

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402 - found by the line above
from scripts.bench.make_portfolio import ID_COLUMN, portfolio, write_portfolio
from shared.formats.format import FORMATS

CONTENT_TYPES = {format.value: facts.media_types[0] for format, facts in FORMATS.items() if facts.is_file}
PIECE = 2**20
POLL_SECONDS = 0.02

REFERENCE_ROWS = 2_000_000
REFERENCE_ROUNDS = 3
SMALL_ROWS = 100
JSON_ROWS = 10_000
JSON_ROUNDS = 20

AIMS = {
    "parquet": "at least 0.55",
    "csv": "at least 0.30",
    "memory": "at most 1.15, and 350 MB",
    "wait": "p95 at most 300 ms",
    "json": "at least 150,000 rows/s",
}
"""What the figures are to reach, on two cores with nothing else on them."""

Matrix = npt.NDArray[np.float32]
Job = dict[str, Any]


@dataclass
class Line:
    """One line of the table."""

    what: str
    figure: str
    aim: str = ""


@dataclass
class Run:
    """One file on its way through the service: times in seconds since its first byte was sent, peaks of memory in bytes.

    Of a file that is read in place, `read` is when its chunks were planned.
    """

    form: str
    rows: int
    uploaded: float
    read: float
    scored: float
    fetched: float
    memory: dict[str, int]
    explain: int = 0
    """Reasons with each score."""

    @property
    def rate(self) -> float:
        """Rows a second from the first byte that was sent to the last one that was received."""
        return self.rows / self.fetched

    @property
    def title(self) -> str:
        """What was sent."""
        return f"{self.rows:,} rows of {self.form}" + (f", {self.explain} reasons each" if self.explain else "")


@dataclass
class SmallJobs:
    """Seconds that each small job took, waited for in the call and followed as a job."""

    waited: list[float] = field(default_factory=list)
    followed: list[float] = field(default_factory=list)


def main() -> None:
    """Measure everything in one run and print the table."""
    options = _parser().parse_args()
    model = CatBoostClassifier().load_model(str(options.model / "model.cb"))
    with (
        tempfile.TemporaryDirectory(prefix="pret-bench-", dir=options.folder) as folder,
        httpx.Client(base_url=options.url, timeout=httpx.Timeout(60, read=600), trust_env=False) as client,
    ):
        served = client.get("/router_health").raise_for_status().json()
        assert served["status"] == "ready", served
        bench = Bench(client, model, Path(folder), options.pid or pid_of_service(options.url))
        explained = (options.explained, options.explain)
        lines = bench.measure(
            options.formats.split(","), options.rows, options.small_file, options.large_file, explained
        )
    width = max(len(line.what) for line in lines)
    print()
    for line in lines:
        print(f"{line.what:{width}}  {line.figure:>34}  {line.aim}".rstrip())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument(
        "--model", type=Path, default=ROOT / "exported_model", help="folder of the model that is served"
    )
    parser.add_argument("--formats", default="parquet,csv", help=f"some of {','.join(CONTENT_TYPES)}")
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of each file that is timed")
    parser.add_argument("--small-file", type=int, default=1_000_000, help="rows of the smaller of two, for memory")
    parser.add_argument("--large-file", type=int, default=20_000_000, help="rows of the larger one")
    parser.add_argument("--explained", type=int, default=1_000_000, help="rows of a file whose scores are explained")
    parser.add_argument("--explain", type=int, default=5, help="reasons with each of these")
    parser.add_argument("--folder", type=Path, help="where the files go; some 4 GB for 20,000,000 rows")
    parser.add_argument("--pid", type=int, help="a process of the service, if it is not to be found by its port")
    return parser


class Bench:
    """The measurements, one after the other."""

    def __init__(self, client: httpx.Client, model: CatBoostClassifier, folder: Path, service: int) -> None:
        self._client = client
        self._model = model
        self._folder = folder
        self._service = service
        self._cores = os.cpu_count() or 1

    def measure(
        self, forms: list[str], rows: int, small_file: int, large_file: int, explained: tuple[int, int]
    ) -> list[Line]:
        """Measure; the smaller of two files goes first, since the memory of a process does not shrink."""
        best = self.reference()
        lines = [Line(f"predict_proba, {self._cores} threads, matrix in memory", f"{best:,.0f} rows/s")]
        json_rate = self.json_rate()
        small_jobs = SmallJobs()
        small = self.file_run(forms[0], small_file)
        large = self.file_run(forms[0], large_file, small_jobs)
        timed = [self.file_run(form, rows) for form in forms]
        timed.append(self.file_run(forms[0], explained[0], explain=explained[1]))
        for run in timed:
            times = f"sent {run.uploaded:.1f} s, read {run.read:.1f} s, scored {run.scored:.1f} s, fetched {run.fetched:.1f} s"
            lines.append(Line(f"{run.title}: {times}", f"{run.rate:,.0f} rows/s"))
            aim = "" if run.explain else AIMS.get(run.form, "")
            lines.append(Line("  of predict_proba", f"{run.rate / best:.2f}", aim))
        lines.append(Line(f"{JSON_ROWS:,} rows of JSON, waited for", f"{json_rate:,.0f} rows/s", AIMS["json"]))
        lines += self.memory_lines([small, large, *timed])
        lines.append(
            Line(f"  {large.rows:,} rows to {small.rows:,} rows, largest ratio", _growth(small, large), AIMS["memory"])
        )
        for how, seconds in (("waited for", small_jobs.waited), ("as a job", small_jobs.followed)):
            lines.append(
                Line(f"{SMALL_ROWS} rows of JSON, {how}, beside the large file", _spread(seconds), AIMS["wait"])
            )
        return lines

    def reference(self) -> float:
        """Give the rows a second of the bare model."""
        matrix = np.asfortranarray(np.concatenate([self._matrix(batch) for batch in portfolio(REFERENCE_ROWS)]))
        seconds = []
        for _ in range(REFERENCE_ROUNDS):
            began = time.perf_counter()
            self._predict(matrix)
            seconds.append(time.perf_counter() - began)
        return len(matrix) / statistics.median(seconds)

    def file_run(self, form: str, rows: int, beside: SmallJobs | None = None, explain: int = 0) -> Run:
        """Send a file, wait, fetch all results as Parquet, and compare every score; small jobs run beside it if asked for."""
        source, target = self._folder / f"portfolio.{form}", self._folder / "results.parquet"
        print(f"making {rows:,} rows of {form} ...", flush=True)
        write_portfolio(source, rows)
        print(f"scoring {source.stat().st_size / 1e6:,.0f} MB ...", flush=True)
        with PeakMemory(self._service) as memory:
            began = time.perf_counter()
            job = self._send(source, form, explain)
            uploaded = time.perf_counter() - began
            small_jobs = _Beside(self._client, beside, self._small_body()) if beside is not None else None
            read, scored = self._follow(job, began)
            if small_jobs is not None:
                small_jobs.stop()
            self._fetch(job, target)
            fetched = time.perf_counter() - began
        print("comparing ...", flush=True)
        self._compare(target, rows)
        source.unlink()
        target.unlink()
        return Run(form, rows, uploaded, read, scored, fetched, memory.peaks, explain)

    def json_rate(self) -> float:
        """Give the rows a second of a JSON array whose answers are waited for."""
        body = json.dumps(_json_rows(JSON_ROWS)).encode()
        expected = self._predict(np.asfortranarray(self._matrix(next(portfolio(JSON_ROWS)))))
        seconds = []
        for _ in range(JSON_ROUNDS):
            began = time.perf_counter()
            answer = _wait_for_scores(self._client, body)
            seconds.append(time.perf_counter() - began)
            assert [row["score"] for row in answer.json()] == expected.tolist()
        return JSON_ROWS / statistics.median(seconds)

    def memory_lines(self, runs: list[Run]) -> list[Line]:
        """Tell the peak of each kind of process, for each run."""
        return [
            Line(
                f"memory at its peak, {run.title}",
                ", ".join(f"{kind} {peak / 1e6:,.0f}" for kind, peak in sorted(run.memory.items())) + " MB",
            )
            for run in runs
        ]

    def _send(self, source: Path, form: str, explain: int) -> Job:
        headers = {"Content-Type": CONTENT_TYPES[form]}
        params: dict[str, str | int] = {"keep": ID_COLUMN} | ({"explain": explain} if explain else {})
        answer = self._client.post("/jobs", params=params, content=_pieces(source), headers=headers)
        assert answer.status_code == 202, answer.text
        job: Job = answer.json()
        return job

    def _follow(self, job: Job, began: float) -> tuple[float, float]:
        """Wait for the end; give the seconds until the file was read, and until all of it was scored."""
        read = 0.0
        while job["state"] not in ("succeeded", "failed", "cancelled"):
            time.sleep(POLL_SECONDS)
            job = self._client.get(f"/jobs/{job['id']}").raise_for_status().json()
            if not read and job["rows"] is not None:
                read = time.perf_counter() - began
        assert job["state"] == "succeeded", job
        return read, time.perf_counter() - began

    def _fetch(self, job: Job, target: Path) -> None:
        with (
            self._client.stream("GET", f"/jobs/{job['id']}/results", params={"format": "parquet"}) as answer,
            target.open("wb") as file,
        ):
            assert answer.status_code == 200, answer.read()
            for piece in answer.iter_raw():
                file.write(piece)

    def _compare(self, target: Path, rows: int) -> None:
        """See that the file has the id and the score of every row, in order."""
        found = pq.read_table(target, columns=[ID_COLUMN, "score"])
        assert found.num_rows == rows, f"{found.num_rows} rows came back of {rows}"
        # A column that is kept of a CSV file is text.
        ids, scores = pc.cast(found[ID_COLUMN], pa.int64()).to_numpy(), found["score"].to_numpy()
        start = 0
        for batch in portfolio(rows):
            end = start + batch.num_rows
            assert np.array_equal(ids[start:end], batch.column(ID_COLUMN).to_numpy()), f"ids differ after row {start}"
            expected = self._predict(np.asfortranarray(self._matrix(batch)))
            assert np.array_equal(scores[start:end], expected), f"scores differ after row {start}"
            start = end

    def _matrix(self, batch: Any) -> Matrix:
        """Give the features in the order of the model, as CatBoost reads them."""
        columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in self._model.feature_names_]
        return np.stack([column.astype(np.float32) for column in columns], axis=1)

    def _predict(self, matrix: Matrix) -> npt.NDArray[np.float64]:
        scores: npt.NDArray[np.float64] = self._model.predict_proba(matrix, thread_count=self._cores)[:, 1]
        return scores

    def _small_body(self) -> bytes:
        return json.dumps(_json_rows(SMALL_ROWS)).encode()


class _Beside:
    """Submits small jobs one after the other, in a thread, until it is told to stop."""

    def __init__(self, client: httpx.Client, times: SmallJobs, body: bytes) -> None:
        self._client = httpx.Client(base_url=client.base_url, timeout=60, trust_env=False)
        self._times = times
        self._body = body
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it after the small job that is under way, and raise what went wrong meanwhile."""
        self._stopped.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._times.waited, "no small job ended beside the large file; take a larger one"

    def _run(self) -> None:
        try:
            with self._client as client:
                while not self._stopped.is_set():
                    began = time.perf_counter()
                    _wait_for_scores(client, self._body)
                    between = time.perf_counter()
                    _follow_small_job(client, self._body)
                    self._times.waited.append(between - began)
                    self._times.followed.append(time.perf_counter() - between)
        except BaseException as error:
            self._error = error


class PeakMemory:
    """Reads the largest resident memory of each process of the service, by its kind, while the block runs; as Linux counts it."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self.peaks: dict[str, int] = {}

    def __enter__(self) -> "PeakMemory":
        for process in self._processes():
            # Has the kernel begin to count anew.
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes():
            with suppress(OSError, psutil.NoSuchProcess):
                status = Path(f"/proc/{process.pid}/status").read_text()
                peak = int(status.partition("VmHWM:")[2].split()[0]) << 10
                what = kind_of(process.cmdline())
                self.peaks[what] = max(self.peaks.get(what, 0), peak)

    def _processes(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]


def kind_of(command: list[str]) -> str:
    """Tell from its command line what a process of the service is."""
    text = " ".join(command)
    marks = {
        "supervisord": "supervisor",
        "-m api": "api",
        "flower": "flower",
        "reader@": "reader",
        "worker.app": "worker",
        "valkey-server": "redis",
        "redis-server": "redis",
    }
    return next((kind for mark, kind in marks.items() if mark in text), "other")


def pid_of_service(url: str) -> int:
    """Find the process that all processes of the service descend from, by the port of the API."""
    port = urlsplit(url).port
    for process in psutil.process_iter():
        with suppress(psutil.AccessDenied, psutil.NoSuchProcess):
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in process.net_connections("tcp")):
                above = [one for one in process.parents() if kind_of(one.cmdline()) == "supervisor"]
                return (above or [process])[-1].pid
    raise SystemExit(f"Nothing on this machine listens at port {port}; start the service, or give --pid.")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _json_rows(rows: int) -> list[dict[str, Any]]:
    return next(portfolio(rows)).drop_columns([ID_COLUMN]).to_pylist()  # type: ignore[no-any-return]


def _wait_for_scores(client: httpx.Client, body: bytes) -> httpx.Response:
    headers = {"Content-Type": "application/json", "Prefer": "wait=30"}
    answer = client.post("/multiple_score", content=body, headers=headers)
    assert answer.status_code == 200, answer.text[:1000]
    return answer


def _follow_small_job(client: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    job = client.post("/jobs", content=body, headers=headers).raise_for_status().json()
    while job["state"] not in ("succeeded", "failed"):
        time.sleep(POLL_SECONDS / 4)
        job = client.get(f"/jobs/{job['id']}").raise_for_status().json()
    results = client.get(f"/jobs/{job['id']}/results").raise_for_status().json()
    assert len(results["results"]) == SMALL_ROWS


def _growth(small: Run, large: Run) -> str:
    ratios = {kind: large.memory[kind] / small.memory[kind] for kind in large.memory.keys() & small.memory.keys()}
    kind = max(ratios, key=lambda name: ratios[name])
    return f"{ratios[kind]:.2f} ({kind})"


def _spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p50, p95 = statistics.median(ordered), ordered[int(0.95 * len(ordered))]
    return f"p50 {1000 * p50:.0f} ms, p95 {1000 * p95:.0f} ms ({len(ordered)})"


if __name__ == "__main__":
    main()

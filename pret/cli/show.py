"""Output of results: tables and sentences on stdout, progress on stderr; plain text unless on a terminal."""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from pret.jobs import InvalidValue, Job
from pret.models import ReloadedProcess

SHA_LENGTH, SHOWN_LENGTH = 40, 12
LINE_INTERVAL = 5.0
"""Seconds between two lines of progress where no bar is shown."""
PROCESSES = ("kind", "host", "pid", "before", "after", "seconds", "error")
"""The header of the table of processes after a reload."""


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], stream: TextIO | None = None) -> None:
    """Print a table, with a frame only on a terminal."""
    stream = stream or sys.stdout
    cells = [[cell(value) for value in row] for row in rows]
    if stream.isatty():
        shown = Table(*header)
        for line in cells:
            shown.add_row(*line)
        Console(file=stream, markup=False).print(shown)
        return
    lines = [list(header), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip(), file=stream)


def record(body: Any, leave_out: Sequence[str] = ()) -> None:
    """Print the fields of a model, one per line, without those that are unknown."""
    values = [(field.name, getattr(body, field.name)) for field in fields(body) if field.name not in leave_out]
    known = [(name, cell(value)) for name, value in values if value not in (None, ())]
    width = max(len(name) for name, _ in known)
    for name, text in known:
        print(f"{name.ljust(width)}  {text}")


def cell(value: Any) -> str:
    """Return a value as a short text."""
    if value is None or value == ():
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    text = str(value)
    is_commit = len(text) == SHA_LENGTH and set(text) <= set("0123456789abcdef")
    return text[:SHOWN_LENGTH] if is_commit else text


def process_rows(processes: Sequence[ReloadedProcess]) -> list[tuple[Any, ...]]:
    """Return the rows of the table with the header `PROCESSES`."""
    return [
        (each.kind, each.host, each.pid, each.version_before, each.version, each.seconds, each.error)
        for each in processes
    ]


def invalid_values(found: Sequence[InvalidValue], total: int) -> None:
    """Print invalid values on stderr."""
    if not found:
        return
    table(("row", "column", "message"), [(value.row, value.column, value.message) for value in found], sys.stderr)
    if total > len(found):
        print(f"... and {total - len(found):,} more", file=sys.stderr)


def progress_of(job: Job) -> str:
    """Describe the progress of a job in one line."""
    if job.is_final or job.state == "queued":
        return job.state
    if job.stage == "reading" or job.rows is None:
        return f"reading: {job.rows_read:,} rows"
    parts = [f"{job.stage or job.state}: {job.rows_done:,} of {job.rows:,} rows"]
    if job.rows_per_second:
        parts.append(f"{job.rows_per_second:,.0f} rows/s")
    if job.eta_seconds is not None:
        parts.append(f"{job.eta_seconds:.0f} s left")
    return ", ".join(parts)


class Follower:
    """Shows the progress of a job: a bar on a terminal, else a line when the stage changes and every few seconds."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: Progress | None = None
        self._stage: tuple[str, str | None] | None = None
        self._last_line = 0.0
        if self._stream.isatty():
            console = Console(file=self._stream)
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "Follower":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, job: Job) -> None:
        """Show the progress of the job."""
        line, stage = progress_of(job), (job.state, job.stage)
        if self._bar:
            known = None if job.stage == "reading" else job.rows
            self._bar.update(self._task, description=line, total=known, completed=job.rows_done)
        elif stage != self._stage or time.monotonic() - self._last_line >= LINE_INTERVAL:
            print(line, file=self._stream, flush=True)
            self._stage, self._last_line = stage, time.monotonic()


def summary(job: Job, stream: TextIO) -> None:
    """Print the outcome of a job in one line."""
    counts = [f"{job.rows or 0:,} rows", f"{job.granted:,} granted", f"{job.refused:,} refused"]
    if job.invalid:
        counts.append(f"{job.invalid:,} invalid")
    seconds = "" if job.seconds is None else f" in {job.seconds:.1f} s"
    print(f"{', '.join(counts)}{seconds}, by model {cell(job.model_version)}", file=stream)
    unseen = [f"{name} in {_rows(count)}" for name, count in job.unseen_categories.items() if count]
    if unseen:
        print(f"Categories that the model has not seen in training: {', '.join(unseen)}", file=stream)


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"

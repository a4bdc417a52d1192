"""Whether a job that has ended ended as it should: in its state, its counts, and every single score."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from scripts.bench.make_portfolio import ID_COLUMN
from scripts.bench.soaking.client import Broken, Client, Job
from scripts.bench.soaking.models import Floats, Models, same
from scripts.bench.soaking.orders import Order
from shared.formats.format import FORMATS, Format

PAGE = 1000

LASTING = {"storage-unavailable", "storage-full", "redis-unavailable"}
"""States that last: one of them may meet every attempt at a unit of work."""

EXCUSES = LASTING | {"worker-died"}
"""Why a unit of work may be given up while faults come one upon another: never that what was stored is missing."""

GIVEN_UP = {"chunk-given-up", "file-given-up"}


def check_counts(job: Job) -> None:
    """See that the numbers of a job that succeeded agree with each other."""
    counts = {name: job[name] for name in ("rows", "rows_read", "rows_done", "granted", "refused", "invalid")}
    agree = job["rows_done"] == job["rows"] == job["granted"] + job["refused"] + job["invalid"]
    if not agree:
        raise Broken("the counts of a job agree", f"job {job['id']}: {counts}")


def check_success(client: Client, models: Models, order: Order, job: Job) -> None:
    """See that every row has exactly one score, that of the job's version to the bit, or one named error."""
    check_counts(job)
    version = models.versions.get(job["model_version"])
    if version is None:
        raise Broken("only good models serve", f"job {job['id']} is of version {job['model_version']}")
    expected = models.expected(order, version.id)
    counted = (job["rows"], job["refused"], job["invalid"])
    wanted = (order.rows, int((expected >= version.threshold).sum()), int(np.isnan(expected).sum()))
    if counted != wanted:
        raise Broken("the counts of a job are those of its rows", f"job {job['id']}: {counted}, not {wanted}")
    check_results(client, models, order, job, expected)


def check_results(client: Client, models: Models, order: Order, job: Job, expected: Floats) -> None:
    """Fetch the results, and compare every score, and every id where there is one."""
    check_table(fetched(client, job["id"], order), models, order, job, expected)


def check_output(path: Path, models: Models, order: Order, job: Job) -> None:
    """Compare what the service has written to an address."""
    if not path.exists():
        raise Broken("the results are written to where they should", f"job {job['id']}: there is no such file")
    check_table(
        table_of(path.read_bytes(), order.results), models, order, job, models.expected(order, job["model_version"])
    )


def check_table(table: pa.Table, models: Models, order: Order, job: Job, expected: Floats) -> None:
    """Compare every score of a table of results, and every id where there is one."""
    if table.num_rows != order.rows:
        raise Broken("every row has exactly one result", f"job {job['id']}: {table.num_rows} of {order.rows}")
    if not same(table["score"].to_pylist(), expected):
        raise Broken("every score is that of the job's version", f"job {job['id']} ({order.kind})")
    if order.keep and [int(value) for value in table[ID_COLUMN].to_pylist()] != models.ids(order).tolist():
        raise Broken("every result stands where its row stood", f"job {job['id']} ({order.kind})")
    if order.on_invalid == "flag" and order.bad:
        named = [position for position, error in enumerate(table["error"].to_pylist()) if error]
        if named != models.bad_rows(order).tolist():
            raise Broken("every invalid row has a named error", f"job {job['id']} ({order.kind})")


def fetched(client: Client, job_id: str, order: Order) -> pa.Table:
    """Fetch the results of an order in the format that it wants them in."""
    if order.results is Format.JSON:
        return table_of_rows(pages(client, job_id))
    return table_of(client.get(f"/jobs/{job_id}/results", format=str(order.results)).content, order.results)


def table_of_rows(rows: list[dict[str, Any]]) -> pa.Table:
    """Make columns of those results that are looked at."""
    return pa.table({name: [row.get(name) for row in rows] for name in (ID_COLUMN, "score", "error")})


def table_of(content: bytes, format: Format) -> pa.Table:
    """Read a file of results."""
    if format is Format.NDJSON:
        return table_of_rows([json.loads(line) for line in content.splitlines()])
    if format is Format.CSV:
        # An empty cell is one without a value, in a column of text too.
        return pacsv.read_csv(io.BytesIO(content), convert_options=pacsv.ConvertOptions(strings_can_be_null=True))
    if format is Format.PARQUET:
        return pq.read_table(io.BytesIO(content))
    opened = pa.ipc.open_file(content) if format is Format.ARROW else pa.ipc.open_stream(content)
    return opened.read_all()


def pages(client: Client, job_id: str) -> list[dict[str, Any]]:
    """Fetch results page by page."""
    rows: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        page = client.get(f"/jobs/{job_id}/results", offset=offset, limit=PAGE).json()
        rows += page["results"]
        offset = page["next_offset"]
    return rows


def reason_within(job: Job) -> str:
    """Give the type of the reason for which a unit was given up, or of the error itself."""
    error = job["error"] or {}
    inner = error.get("params", {}).get("reason") or {}
    return str(inner.get("type") or error.get("type"))


def is_given_up(job: Job) -> bool:
    """Whether it failed for attempts that came to nothing."""
    return (job["error"] or {}).get("type") in GIVEN_UP


assert set(Format) == set(FORMATS), "every format of results is read here"

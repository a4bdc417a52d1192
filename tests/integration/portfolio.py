"""Rows as files, in every format that the service reads, and results as they are read again."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.factories import Row
from tests.processes import Service

CSV = "text/csv"
NDJSON = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.file"
STREAM = "application/vnd.apache.arrow.stream"

ID = "SK_ID_CURR"


def with_ids(rows: Iterable[Row]) -> list[Row]:
    return [{ID: 100_000 + i} | row for i, row in enumerate(rows)]


def names_of(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def table(rows: list[Row]) -> pa.Table:
    return pa.table({name: [row.get(name) for row in rows] for name in names_of(rows)})


def as_csv(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names_of(rows))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_ndjson(rows: list[Row]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def as_parquet(rows: list[Row], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table(rows), sink, **options)
    return sink.getvalue()


def as_arrow(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table(rows).schema) as writer:
        writer.write_table(table(rows), max_chunksize=333)
    return sink.getvalue()


def as_stream(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table(rows).schema) as writer:
        writer.write_table(table(rows), max_chunksize=100)
    return sink.getvalue()


def zstd(body: bytes) -> bytes:
    compressed: bytes = pa.Codec("zstd").compress(body, asbytes=True)
    return compressed


def zipped(data: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("portfolio", data)
    return content.getvalue()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "bz2": bz2.compress,
    "xz": partial(lzma.compress, preset=9),
    "zip": zipped,
}


def pieces(body: bytes, size: int = 10_000) -> Iterator[bytes]:
    """The body as it goes out by chunked transfer."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def rows_of(form: str, body: bytes) -> list[Row]:
    """Read a file of results again."""
    if form == "ndjson":
        return [json.loads(line) for line in body.splitlines()]
    if form == "csv":
        types = {"score": float, "prediction": int, ID: int}
        return [
            {name: types.get(name, str)(value) if value else None for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(body.decode(), newline=""))
        ]
    if form == "parquet":
        found: list[Row] = pq.read_table(io.BytesIO(body)).to_pylist()
        return found
    opened = pa.ipc.open_file(body) if form == "arrow" else pa.ipc.open_stream(body)
    read: list[Row] = opened.read_all().to_pylist()
    return read


class Pace:
    """What hinders the workers of `paced_worker` just now."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.settings = {"PACE_FOLDER": str(folder)}

    def set(self, what: str, number: float) -> None:
        """Say how slow one kind of work is, or how many bytes are free."""
        new = self._folder / f"{what}.new"
        new.write_text(str(number))
        new.replace(self._folder / what)

    def free(self) -> None:
        """Let all take no longer than it takes, and the disk be as it is."""
        for path in self._folder.iterdir():
            path.unlink()


def check_job(made: Service, job_id: str, rows: list[Row], expected: list[float | None]) -> None:
    """The job has counted each row once, and its results are the model's own scores, by the ids and in their order."""
    job = made.wait_until_ended(job_id)
    assert (job["state"], job["error"]) == ("succeeded", None)
    assert (job["rows"], job["rows_read"], job["rows_done"]) == (len(rows), len(rows), len(rows))
    found = rows_of("ndjson", results(made, job_id, "ndjson"))
    assert [int(row[ID]) for row in found] == [row[ID] for row in rows]
    assert [row["score"] for row in found] == expected
    refused = sum(row["decision"] == "Refusé" for row in found)
    assert (job["refused"], job["granted"]) == (refused, len(rows) - refused)


def results(made: Service, job_id: str, form: str) -> bytes:
    return made.client.get(f"/jobs/{job_id}/results", params={"format": form}).raise_for_status().content


def folder_of(made: Service, job_id: str) -> Path:
    return made.storage / "jobs" / job_id


def folders(made: Service) -> list[Path]:
    return list((made.storage / "jobs").glob("*"))

"""Bad files over one running service: each is refused in a sentence, leaves nothing, and the next good one is done as ever."""

import bz2
import gzip
import io
import lzma
import re
import socket
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.reasons import Reason
from tests.factories import Kit, Row, make_rows
from tests.integration.portfolio import (
    ARROW,
    CSV,
    ID,
    NDJSON,
    PARQUET,
    STREAM,
    as_arrow,
    as_csv,
    as_ndjson,
    as_parquet,
    as_stream,
    check_job,
    folders,
    pieces,
    results,
    rows_of,
    table,
    with_ids,
)
from tests.processes import Service, service, wait_for

MIB = 2**20
LIMITS = {"MAX_FILE_BYTES": str(256 * MIB), "MAX_QUEUED_ROWS": "2000000"}
MAX_GROWTH = 100 * MIB
ARROW_GROWTH = 260 * MIB
"""What a reading may take at all; a batch of Arrow is there as a whole or not at all."""
SENTENCE = re.compile(r"[A-Z0-9].{10,}[.?]", re.DOTALL)

ROWS = with_ids(make_rows(60, seed=17, purpose=True))


HEADER = ",".join(ROWS[0])
LINE = as_csv(ROWS).decode().split("\r\n")[1]


def csv_of(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join((header, *lines)).encode()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory, mixed: Kit) -> Iterator[Service]:
    settings = {"CHUNK_LEASE": "15", "RECONCILE_INTERVAL": "0.5"}
    with service(tmp_path_factory.mktemp("service"), **settings, **LIMITS) as made:
        made.offer(mixed)
        made.start_api()
        made.start_worker(concurrency=1)
        # What an ordinary file takes, and the model, is there before anything is measured.
        ordinary = made.upload(csv_of(*[LINE] * 300_000))
        assert made.wait_until_ended(ordinary)["state"] == "succeeded"
        remove(made)
        yield made


@pytest.fixture
def running(lasting: Service, mixed: Kit) -> Iterator[Service]:
    """The service; after each test it has nothing stored, knows of no fault of its own, and does the next job."""
    children = [child.pid for child in lasting.workers[0].children()]
    yield lasting
    wait_for("nothing to be left", lambda: not folders(lasting))
    assert [child.pid for child in lasting.workers[0].children()] == children
    good = lasting.upload(as_csv(ROWS), keep=ID)
    check_job(lasting, good, ROWS, list(mixed.expected(ROWS)))
    remove(lasting)
    for log in (lasting.api.log, lasting.workers[0].log):
        assert "Traceback" not in log.read_text()


def remove(made: Service) -> None:
    """Remove the folders of jobs that succeeded, so that what is there afterwards was left by another."""
    for folder in folders(made):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def send(
    made: Service, body: Any, content_type: str = CSV, encoding: str | None = None, **query: str
) -> httpx.Response:
    headers = {"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {})
    return made.client.post("/jobs", content=body, headers=headers, params=query, timeout=60)


def rejection(made: Service, answer: httpx.Response) -> str:
    """What the service says against a file, at once or by a failed job."""
    if answer.status_code != 202:
        assert 400 <= answer.status_code < 500, answer.text
        detail = answer.json()["detail"]
        assert SENTENCE.fullmatch(detail), detail
        return str(detail)
    job = made.wait_until_ended(answer.json()["id"])
    assert job["state"] == "failed"
    error = job["error"]
    assert error["message"] == Reason.from_dict(error).message
    assert SENTENCE.fullmatch(error["message"]) or job["report"]["errors"], error
    # The file is at fault, not the service: it is not tried again and cannot be.
    assert not error["type"].endswith("given-up")
    assert made.client.post(f"/jobs/{job['id']}/retry").status_code == 409
    assert made.client.get(f"/jobs/{job['id']}/results").status_code == 409
    return str(error["message"])


def zipped(*files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number, file in enumerate(files):
            archive.writestr(zipfile.ZipInfo(f"{number}.csv"), file, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def without(name: str) -> list[Row]:
    return [{key: value for key, value in row.items() if key != name} for row in ROWS]


BAD: dict[str, tuple[str, bytes, str]] = {
    "empty CSV": (CSV, b"", "empty"),
    "blank CSV": (CSV, b"\n\n\n", "empty"),
    "no header": (CSV, f"{LINE}\n{LINE}\n".encode(), "does not look like a header"),
    "header only": (CSV, csv_of(), "no rows"),
    "other columns": (CSV, b"a,b\n1,2\n", "income"),
    "a missing column": (CSV, as_csv(without("income")), "income"),
    "a misspelt column": (CSV, as_csv(ROWS).replace(b"income", b"Income", 1), "Income"),
    "a column twice": (CSV, csv_of(f"{LINE},1", header=f"{HEADER},income"), "income"),
    "too few fields": (CSV, csv_of(LINE, LINE.rpartition(",")[0]), "Line 3"),
    "too many fields": (CSV, csv_of(LINE, LINE, f"{LINE},1"), "Line 4"),
    "UTF-16": (CSV, as_csv(ROWS).decode().encode("utf-16"), "UTF-16"),
    "Latin-1": (CSV, as_csv(ROWS).decode().encode("latin-1"), "UTF-8"),
    "a NUL": (CSV, as_csv(ROWS).replace(b"car", b"c\0r"), "NUL"),
    "an open quote": (CSV, csv_of(LINE, f'"{LINE}'), "quote"),
    "other delimiters": (CSV, as_csv(ROWS).replace(b",", b";"), "delimiter"),
    "Parquet as CSV": (CSV, as_parquet(ROWS), ""),
    "CSV as Parquet": (PARQUET, as_csv(ROWS), "not in Parquet format"),
    "CSV as Arrow": (ARROW, as_csv(ROWS), "Arrow"),
    "half an NDJSON": (NDJSON, as_ndjson(ROWS)[:-20], ""),
    "NDJSON of numbers": (NDJSON, b"1\n2\n", ""),
    "deep NDJSON": (NDJSON, b'{"a":' * 100_000, ""),
    "empty NDJSON": (NDJSON, b"\n\n", ""),
    "half a Parquet": (PARQUET, as_parquet(ROWS)[:-200], "Parquet"),
    "Parquet without its middle": (PARQUET, as_parquet(ROWS)[:500] + as_parquet(ROWS)[-3000:], "Parquet"),
    "no rows in Parquet": (PARQUET, as_parquet(ROWS[:1])[:0] or b"PAR1", "Parquet"),
    "half an Arrow file": (ARROW, as_arrow(ROWS)[:-100], "Arrow"),
    "half an Arrow stream": (STREAM, as_stream(ROWS)[:-300], "Arrow"),
    "nothing but a schema": (STREAM, as_stream([])[:0] or b"\xff\xff\xff\xff\0\0\0\0", ""),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_rejected_in_a_sentence(running: Service, case: str) -> None:
    content_type, body, words = BAD[case]
    assert words in rejection(running, send(running, body, content_type))


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(gzip.compress(as_csv(ROWS), mtime=0)[:-30], "gzip", id="gzip cut off"),
        pytest.param(gzip.compress(as_csv(ROWS), mtime=0)[:100], "gzip", id="nothing but the beginning"),
        pytest.param(bz2.compress(as_csv(ROWS))[:-30], "bz2", id="bz2 cut off"),
        pytest.param(lzma.compress(as_csv(ROWS))[:-30], "xz", id="xz cut off"),
        pytest.param(zipped(as_csv(ROWS))[:-30], "zip", id="zip cut off"),
        pytest.param(zipped(as_csv(ROWS), as_csv(ROWS)), "zip", id="two files in a zip"),
        pytest.param(as_csv(ROWS), "zip", id="not zip"),
        pytest.param(as_csv(ROWS), "gzip", id="not gzip"),
        pytest.param(as_csv(ROWS), "zstd", id="not zstd"),
        pytest.param(b"\x28\xb5\x2f\xfd" + bytes(50), "zstd", id="nothing but the magic number"),
    ],
)
def test_what_is_compressed_badly_is_rejected(running: Service, body: bytes, encoding: str) -> None:
    assert encoding in rejection(running, send(running, body, CSV, encoding))


def lying(found: bytes, instead: bytes) -> list[bytes]:
    """Parquet files of 1000 rows in which one number of the metadata is another."""
    body = as_parquet(with_ids(make_rows(1000, purpose=True)))
    footer = len(body) - 8 - struct.unpack("<I", body[-8:-4])[0]
    places = [place.start() for place in re.finditer(re.escape(found), body) if place.start() >= footer]
    return [body[:place] + instead + body[place + len(found) :] for place in places]


THOUSAND, OTHERS = b"\xd0\x0f", (b"\xd2\x0f", b"\xfe\x7f")
"""The number of rows as the metadata have it, and 1001 and 8191 instead."""


def test_parquet_whose_metadata_lie_is_refused_or_read_as_it_is(running: Service, mixed: Kit) -> None:
    rows = with_ids(make_rows(1000, purpose=True))
    answers = [send(running, body, PARQUET, keep=ID) for other in OTHERS for body in lying(THOUSAND, other)]
    assert len(answers) > 10
    refused = 0
    for answer in answers:
        job = running.wait_until_ended(answer.json()["id"])
        if job["state"] == "succeeded":
            # That number was of no consequence.
            check_job(running, job["id"], rows, list(mixed.expected(rows)))
        else:
            rejection(running, answer)
            refused += 1
    assert refused > len(answers) / 2
    remove(running)


def test_a_bit_that_is_flipped_in_the_footer_of_parquet_is_refused_or_does_no_harm(running: Service) -> None:
    body = as_parquet(ROWS, row_group_size=20)
    footer = len(body) - 8 - struct.unpack("<I", body[-8:-4])[0]
    answers = []
    for place in range(footer, len(body), (len(body) - footer) // 40):
        flipped = body[:place] + bytes([body[place] ^ 1 << place % 8]) + body[place + 1 :]
        answers.append(send(running, flipped, PARQUET))
    for answer in answers:
        if running.wait_until_ended(answer.json()["id"])["state"] == "failed":
            rejection(running, answer)
    remove(running)


@pytest.mark.parametrize("on_invalid", ["reject", "flag"])
def test_a_row_group_that_cannot_be_decoded_is_found_in_mid_file(running: Service, on_invalid: str) -> None:
    body = as_parquet(ROWS, row_group_size=20, compression="zstd", use_dictionary=False)
    column = pq.read_metadata(io.BytesIO(body)).row_group(1).column(0)
    # The end of the page; its header, which is at the beginning, stays as it is.
    place = column.data_page_offset + column.total_compressed_size - 10
    damaged = body[:place] + b"\xff" * 10 + body[place + 10 :]
    said = rejection(running, send(running, damaged, PARQUET, on_invalid=on_invalid, keep=ID))
    assert "Parquet" in said


@contextmanager
def small_growth(made: Service, limit: int = MAX_GROWTH) -> Iterator[None]:
    """The processes of the API and the worker may grow by so many bytes within."""
    processes = [psutil.Process(made.api.pid), *made.workers[0].children()]
    before = [process.memory_info().rss for process in processes]
    peaks, end = list(before), threading.Event()

    def look() -> None:
        while not end.wait(0.01):
            for i, process in enumerate(processes):
                with suppress(psutil.NoSuchProcess):
                    peaks[i] = max(peaks[i], process.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        end.set()
        watcher.join()
    growths = [peak - first for peak, first in zip(peaks, before, strict=True)]
    assert max(growths) < limit, [growth // MIB for growth in growths]


def bomb(content: bytes, times: int, head: bytes = b"") -> bytes:
    """The gzip form of a head and the content so many times."""
    packer = zlib.compressobj(6, wbits=31)
    return b"".join([packer.compress(head), *(packer.compress(content) for _ in range(times)), packer.flush()])


def page_bomb(column: str) -> bytes:
    """A Parquet file of a few kilobytes with a page of 200 MB of text."""
    sink = io.BytesIO()
    plain = table(ROWS[:2]).to_pydict() | {column: ["a" * (100 * MIB), "b" * (100 * MIB)]}
    pq.write_table(pa.table(plain), sink, compression="zstd", use_dictionary=False)
    return sink.getvalue()


def row_bomb() -> bytes:
    """A Parquet file of a few kilobytes with three million equal rows."""
    row = table(ROWS[:1])
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, row.schema, compression="zstd") as writer:
        group = pa.table({name: pa.repeat(row[name][0], MIB) for name in row.column_names}, row.schema)
        for _ in range(3):
            writer.write_table(group)
    return sink.getvalue()


def chunk_bomb() -> bytes:
    """An Arrow stream whose zstd bodies become 400 MB."""
    sink = io.BytesIO()
    rows = pa.table(table(ROWS[:1]).to_pydict() | {"purpose": ["a" * (200 * MIB)]})
    with pa.ipc.new_stream(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(rows)
        writer.write_table(rows)
    return sink.getvalue()


def xz_bomb(megabytes: int, preset: int, head: bytes) -> bytes:
    """A head and so many megabytes of zeros as xz."""
    packer = lzma.LZMACompressor(preset=preset)
    zeros = (packer.compress(bytes(MIB)) for _ in range(megabytes))
    return b"".join([packer.compress(head), *zeros, packer.flush()])


BOMBS: dict[str, tuple[str, Callable[[], bytes], str | None]] = {
    "gzip of zeros": (CSV, lambda: bomb(bytes(MIB), 400), "gzip"),
    "gzip of rows": (CSV, lambda: bomb(f"{LINE}\n".encode() * 10_000, 250, csv_of() + b"\n"), "gzip"),
    "gzip of JSON": (NDJSON, lambda: bomb(b'{"income":"' + b"a" * MIB, 200), "gzip"),
    "a page of Parquet": (PARQUET, lambda: page_bomb("purpose"), None),
    "rows of Parquet": (PARQUET, row_bomb, None),
    "a batch of Arrow": (STREAM, chunk_bomb, None),
    "xz of zeros": (CSV, lambda: xz_bomb(300, 6, b""), "xz"),
    "zip of rows": (CSV, lambda: zipped(csv_of(*[LINE] * 2_500_000)), "zip"),
    "a gzip of Parquet": (PARQUET, lambda: bomb(bytes(MIB), 300, b"PAR1"), "gzip"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_does_not_go_off(running: Service, case: str) -> None:
    content_type, make, encoding = BOMBS[case]
    body = make()
    assert len(body) < 4 * MIB
    with small_growth(running, ARROW_GROWTH if content_type == STREAM else MAX_GROWTH):
        rejection(running, send(running, body, content_type, encoding))


@pytest.mark.parametrize("content_type", [CSV, NDJSON])
def test_a_line_of_a_hundred_megabytes_is_refused(running: Service, content_type: str) -> None:
    start = csv_of(LINE) + b"\n" if content_type == CSV else as_ndjson(ROWS[:1]) + b'\n{"income":"'
    with small_growth(running):
        said = rejection(running, send(running, (start if i == 0 else b"a" * MIB for i in range(101)), content_type))
    assert "longer than 16" in said


@pytest.mark.parametrize("content_type", [CSV, NDJSON, PARQUET])
def test_very_many_columns_are_refused(running: Service, content_type: str) -> None:
    # Writing Parquet of so many takes the test too long.
    names = [f"c{i}" for i in range(25_000 if content_type == PARQUET else 100_000)]
    body = {
        CSV: lambda: csv_of(",".join(["1"] * len(names)), header=",".join(names)),
        NDJSON: lambda: b"{%s}" % b",".join(b'"%s":1' % name.encode() for name in names),
        PARQUET: lambda: parquet_of(pa.table({name: [1] for name in names})),
    }[content_type]()
    with small_growth(running):
        rejection(running, send(running, body, content_type))


def parquet_of(content: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(content, sink)
    return sink.getvalue()


NOW = datetime.now(UTC)


IMPOSSIBLE: list[tuple[str, Any]] = [
    ("income", [1.0]),
    ("income", {"a": 1.0}),
    ("income", NOW),
    ("income", "1"),
    ("income", b"1"),
    ("age", True),
    ("purpose", 1),
    (ID, [1]),
    (ID, b"1"),
]


@pytest.mark.parametrize("content_type", [PARQUET, STREAM])
def test_a_column_of_a_type_that_cannot_be_is_refused_by_name(running: Service, content_type: str) -> None:
    write = {PARQUET: parquet_of, STREAM: stream_of}[content_type]
    plain = table(ROWS)
    for column, value in IMPOSSIBLE:
        values = pa.array([value] * len(ROWS))
        content = plain.set_column(plain.column_names.index(column), column, values)
        assert column in rejection(running, send(running, write(content), content_type, keep=ID))


def stream_of(content: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, content.schema) as writer:
        writer.write_table(content)
    return sink.getvalue()


def test_dictionaries_decimals_and_times_are_taken_where_they_make_sense(running: Service, mixed: Kit) -> None:
    rows = [row | {"income": round(row["income"], 2)} for row in ROWS]
    plain = table(rows)
    changed = {
        "income": pa.array([Decimal(repr(row["income"])) for row in rows], pa.decimal128(20, 2)),
        "purpose": plain["purpose"].combine_chunks().dictionary_encode(),
        "when": pa.array([NOW] * len(rows)),
    }
    columns = {name: plain[name].combine_chunks() for name in plain.column_names} | changed
    job_id = running.upload(parquet_of(pa.table(columns)), PARQUET, keep=f"{ID},when,income")
    check_job(running, job_id, rows, list(mixed.expected(rows)))
    found = rows_of("parquet", results(running, job_id, "parquet"))
    assert [row["when"] for row in found] == [NOW] * len(rows)
    assert [float(row["income"]) for row in found] == [row["income"] for row in rows]
    remove(running)


def test_formulas_and_tricky_names_come_out_harmless(running: Service) -> None:
    tricks = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "-5"]
    name = "../../etc/=passwd"
    rows = [row | {name: tricks[i % len(tricks)]} for i, row in enumerate(ROWS)]
    job_id = running.upload(as_csv(rows), keep=name, name="../../../etc/pass\r\nwd.csv")
    assert running.wait_until_ended(job_id)["state"] == "succeeded"
    answer = running.client.get(f"/jobs/{job_id}/results", params={"format": "csv"})
    found = rows_of("csv", answer.content)
    assert [row[name] for row in found[:6]] == [f"'{trick}" for trick in tricks[:5]] + ["-5"]
    assert answer.headers["content-disposition"] == 'attachment; filename="pass__wd-scores.csv"'
    outside = running.storage.parent
    assert {path.name for path in outside.iterdir()} >= {"storage", "model"}
    assert not list(outside.rglob("*passwd*"))
    assert [folder.name for folder in folders(running)] == [job_id]
    remove(running)


@pytest.mark.parametrize("keep", ["../../etc/passwd", "nothing", "\0", "a" * 1000])
def test_a_column_to_keep_that_is_not_there_is_refused(running: Service, keep: str) -> None:
    said = rejection(running, send(running, as_csv(ROWS), keep=keep))
    assert "keep" in said or "column" in said
    assert len(said) < 400


def raw_answer(made: Service, head: str, body: bytes, *, hang_up: bool = True) -> bytes:
    """Send what one likes to call a request, perhaps hang up, and give how the answer begins."""
    with socket.create_connection(("127.0.0.1", made.port), 30) as connection:
        connection.sendall(
            f"POST /jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n{head}\r\n\r\n".encode() + body
        )
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        return connection.recv(65536)


def jobs_of(made: Service) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = made.client.get("/jobs?limit=200").json()["jobs"]
    return jobs


def test_a_length_that_promises_too_much_makes_no_job(running: Service) -> None:
    before = jobs_of(running)
    for body in (as_csv(ROWS), as_csv(ROWS) * 1000):
        assert raw_answer(running, f"Content-Length: {len(body) + 1000}", body) == b""
    for length in (str(2**62), "9" * 30, "-1", "x"):
        answer = raw_answer(running, f"Content-Length: {length}", as_csv(ROWS), hang_up=False)
        assert re.match(rb"HTTP/1.1 4(00|13) ", answer), answer
    wait_for("nothing to be left", lambda: not folders(running))
    assert jobs_of(running) == before


def test_a_length_that_promises_too_little_makes_a_file_that_ends_there_or_none(running: Service) -> None:
    before = jobs_of(running)
    answer = raw_answer(running, f"Content-Length: {len(HEADER) + 2}", as_csv(ROWS), hang_up=False)
    # What follows is no request, and the server may answer that first.
    assert re.match(rb"HTTP/1.1 (202|400) ", answer), answer
    wait_for("nothing to be left", lambda: not folders(running))
    for job in jobs_of(running)[: -len(before)]:
        assert job["error"]["type"] == "no-rows"


def test_chunks_that_break_off_make_no_job(running: Service) -> None:
    before = jobs_of(running)
    for end in (b"", b"zz\r\n", b"5\r\nab"):
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces(as_csv(ROWS))) + end
        assert b" 202 " not in raw_answer(running, "Transfer-Encoding: chunked", body)
    wait_for("nothing to be left", lambda: not folders(running))
    assert jobs_of(running) == before


def test_many_bad_files_at_once_are_all_refused(running: Service) -> None:
    answers = [send(running, csv_of(LINE, "1"), name="../x") for _ in range(20)]
    assert {rejection(running, answer) for answer in answers} == {
        f"Line 3 has 1 field, but the header has {len(ROWS[0])}."
    }

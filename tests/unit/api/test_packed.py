"""Compressed files over HTTP: by the header or by the name, each is scored as it is without its compression."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable

import pytest

from shared.formats.format import ENCODINGS, FILE_ENDINGS, PACKED_ENDINGS, STREAMED, Format
from tests.factories import Kit
from tests.unit.api.client import ApiClient, assert_problem, in_pieces, kind_of
from tests.unit.workbench import Workbench, as_file

ROWS = 10


def zipped(data: bytes, *names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), data)
    return content.getvalue()


def in_zip(data: bytes) -> bytes:
    return zipped(data, "anything")


@pytest.fixture
def csv(numbers: Kit) -> bytes:
    return as_file(numbers.rows[:ROWS])


def assert_scored(api: ApiClient, bench: Workbench, numbers: Kit, job_id: str) -> None:
    job = bench.score_all(bench.read(job_id))
    assert (job.state, job.error) == ("succeeded", None)
    page = api.get(f"/jobs/{job_id}/results").json()
    assert [answer["score"] for answer in page["results"]] == numbers.expected(numbers.rows[:ROWS])


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZip", gzip.compress),
        ("gzip", lambda data: gzip.compress(data) + bytes(1000)),
        ("bz2", bz2.compress),
        ("bzip2", bz2.compress),
        ("x-bzip2", bz2.compress),
        ("xz", lzma.compress),
        ("x-xz", lzma.compress),
        ("zip", in_zip),
    ],
)
def test_the_header_says_the_compression(
    api: ApiClient, api_bench: Workbench, numbers: Kit, csv: bytes, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    headers = {"Content-Type": "text/csv", "Content-Encoding": encoding}
    response = api.post("/jobs", content=pack(csv), headers=headers)
    assert_scored(api, api_bench, numbers, response.json()["id"])


def with_tabs(csv: bytes) -> bytes:
    return csv.replace(b",", b"\t")


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("rows.csv.bz2", bz2.compress),
        ("rows.CSV.XZ", lzma.compress),
        ("rows.csv.zip", in_zip),
        ("portfolio.zip", lambda csv: zipped(csv, "november/rows.csv")),
        ("portfolio.zip", lambda csv: zipped(csv, "rows.csv", "folder/")),
        ("portfolio.zip", lambda csv: zipped(csv, ".DS_Store", "folder/", "folder/.DS_Store", "folder/rows.csv")),
        ("portfolio.zip", lambda csv: zipped(csv, "__MACOSX/", "__MACOSX/._rows.txt", "rows.csv")),
        ("portfolio.ZIP", lambda csv: zipped(csv, "rows.csv", "__MACOSX/._rows.csv")),
        ("rows.tsv", with_tabs),
        ("rows.tsv.gz", lambda csv: gzip.compress(with_tabs(csv))),
        ("portfolio.zip", lambda csv: zipped(with_tabs(csv), "rows.tsv")),
    ],
)
def test_the_name_of_a_file_in_a_form_says_the_compression(
    api: ApiClient, api_bench: Workbench, numbers: Kit, csv: bytes, name: str, pack: Callable[[bytes], bytes]
) -> None:
    response = api.post("/jobs", files={"file": (name, pack(csv))})
    assert (response.json()["name"], response.json()["format"]) == (name, "csv")
    assert_scored(api, api_bench, numbers, response.json()["id"])


def test_an_archive_that_comes_byte_by_byte_is_stored_as_it_is(
    api: ApiClient, api_bench: Workbench, numbers: Kit
) -> None:
    content = zipped(as_file(numbers.rows[:ROWS], Format.PARQUET), "rows.parquet")
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
    body = head + content + b"\r\n--x--\r\n"
    pieces = [body[i : i + 7] for i in range(0, len(body), 7)]
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Idempotency-Key": "archive"}
    first, again = (api.post("/jobs", content=in_pieces(pieces), headers=headers).json() for _ in range(2))
    assert (first["format"], again["id"]) == ("parquet", first["id"])
    assert_scored(api, api_bench, numbers, first["id"])


@pytest.mark.parametrize(
    ("name", "content", "status", "kind"),
    [
        ("rows.zip", zipped(b"x", "rows.xlsx"), 415, "zip-name-unsupported"),
        ("rows.zip", zipped(b"x", "folder/"), 400, "zip-not-one-file"),
        ("rows.zip", zipped(b"x", "november.csv", "december.csv"), 400, "zip-not-one-file"),
        ("rows.zip", zipped(b"x", "rows.csv")[:-30], 400, "compressed-data-cut-off"),
        ("rows.zip", zipped(b"[]", "rows.json"), 415, "zip-name-unsupported"),
        ("rows.zip", zipped(b"x", "rows.csv.gz"), 415, "zip-name-unsupported"),
        ("rows.zip", b"age\n5\n", 400, "compressed-data-damaged"),
        ("rows.zip", b"", 400, "file-empty"),
        ("rows.rar", b"Rar!", 415, "file-name-unsupported"),
        ("rows.csv.7z", b"7z", 415, "file-name-unsupported"),
        ("rows.xz", lzma.compress(b"x"), 415, "file-name-unsupported"),
    ],
)
def test_what_cannot_be_told_from_the_name_is_rejected_with_what_can(
    api: ApiClient, api_bench: Workbench, name: str, content: bytes, status: int, kind: str
) -> None:
    document = assert_problem(api.post("/jobs", files={"file": (name, content)}), status)
    assert kind_of(document) == kind
    if status == 415:
        assert document["params"]["accepted"] == FILE_ENDINGS
        assert document["params"].get("compressed", PACKED_ENDINGS) == [".gz", ".zst", ".bz2", ".xz", ".zip"]
    assert api_bench.stored_files() == []


def test_an_archive_of_two_files_fails_the_job(api: ApiClient, api_bench: Workbench, csv: bytes) -> None:
    response = api.post("/jobs", files={"file": ("rows.csv.zip", zipped(csv, "november.csv", "december.csv"))})
    job = api_bench.read(response.json()["id"])
    assert job.error is not None
    assert (job.error.type, job.error.params) == ("zip-not-one-file", {"count": 2})


@pytest.mark.parametrize("media", ["application/zip", "Application/X-Zip-Compressed; x=y"])
@pytest.mark.parametrize(("name", "form"), [("rows.csv", Format.CSV), ("folder/rows.pq", Format.PARQUET)])
def test_an_archive_may_be_the_body(
    api: ApiClient, api_bench: Workbench, numbers: Kit, media: str, name: str, form: Format
) -> None:
    content = zipped(as_file(numbers.rows[:ROWS], form), ".DS_Store", name)
    headers = {"Content-Type": media, "Idempotency-Key": "archive"}
    first, again = (api.post("/jobs?name=november", content=content, headers=headers).json() for _ in range(2))
    assert (first["format"], first["name"], again["id"]) == (form, "november", first["id"])
    assert_scored(api, api_bench, numbers, first["id"])


def test_the_text_in_an_archive_may_have_a_charset_and_a_delimiter_of_its_own(
    api: ApiClient, api_bench: Workbench, numbers: Kit, csv: bytes
) -> None:
    content = zipped(with_tabs(csv).decode().encode("utf-16"), "rows.tsv")
    headers = {"Content-Type": "application/zip; charset=utf-16"}
    assert_scored(api, api_bench, numbers, api.post("/jobs", content=content, headers=headers).json()["id"])


@pytest.mark.parametrize(
    ("headers", "content", "status", "kind"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(in_zip(b"x")), 415, "compression-not-allowed"),
        ({}, zipped(b"x", "rows.xlsx"), 415, "zip-name-unsupported"),
        ({}, b"age\n5\n", 400, "compressed-data-damaged"),
        ({}, b"", 400, "file-empty"),
        ({"Content-Type": "application/zip; charset=koi8-r"}, zipped(b"x", "rows.csv"), 415, "charset-unsupported"),
    ],
    # The bytes have the time in them, so they are no name for a test.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_archive_that_cannot_be_read_is_rejected_and_not_kept(
    api: ApiClient, api_bench: Workbench, headers: dict[str, str], content: bytes, status: int, kind: str
) -> None:
    response = api.post("/jobs", content=content, headers={"Content-Type": "application/zip"} | headers)
    assert kind_of(assert_problem(response, status)) == kind
    assert api_bench.stored_files() == []


@pytest.mark.parametrize("encoding", ["bz2", "xz"])
def test_rows_in_json_may_be_compressed_too(api: ApiClient, api_bench: Workbench, numbers: Kit, encoding: str) -> None:
    body = json.dumps(numbers.rows[:ROWS]).encode()
    packed = bz2.compress(body) if encoding == "bz2" else lzma.compress(body)
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    job = api.post("/jobs", content=packed, headers=headers).json()
    assert job["rows"] == ROWS


@pytest.mark.parametrize(
    ("media", "encoding", "accepted"),
    [
        ("text/csv", "br", ENCODINGS),
        ("text/csv", "gzip, gzip", ENCODINGS),
        ("application/json", "zip", STREAMED),
        ("application/json", "lz4", STREAMED),
    ],
)
def test_other_compressions_are_rejected_with_those_that_are_read(
    api: ApiClient, media: str, encoding: str, accepted: tuple[str, ...]
) -> None:
    headers = {"Content-Type": media, "Content-Encoding": encoding}
    document = assert_problem(api.post("/jobs", content=b"x", headers=headers), 415)
    assert (kind_of(document), document["params"]) == ("compression-unsupported", {"accepted": list(accepted)})


@pytest.mark.parametrize("name", ["rows.zip", "rows.csv.rar", "rows.xz"])
def test_an_address_must_name_the_format_too(api: ApiClient, name: str) -> None:
    document = assert_problem(api.post("/jobs", json={"input_uri": f"s3://bucket/{name}"}), 400)
    assert (kind_of(document), document["params"]["compressed"]) == ("input-uri-unsupported", PACKED_ENDINGS)

"""Bodies in the charset that they declare: CSV, NDJSON and JSON are scored alike; what is not read is rejected by 415."""

import codecs
import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import fakeredis
import pytest

from shared.formats.charset import CHARSETS
from shared.formats.format import Format
from tests.factories import Kit, Row
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.api.conftest import api_in
from tests.unit.workbench import Workbench, as_file

DECLARED = [
    ("windows-1252", "cp1252"),
    ('"Windows-1252"', "cp1252"),
    ("iso-8859-1", "latin-1"),
    ("latin1", "latin-1"),
    ("utf-16", "utf-16"),
    ("UTF-8", "utf-8"),
    ("utf-8", "utf-8-sig"),
    (None, "utf-8-sig"),
    (None, "utf-8"),
]
CHARSET = pytest.mark.parametrize(("charset", "codec"), DECLARED)


@pytest.fixture(scope="module")
def mixed_bench(mixed: Kit, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server, decode_responses=True)
    made = Workbench.set_up(tmp_path_factory.mktemp("charset"), server, client)
    made.offer(mixed)
    return made


@pytest.fixture(scope="module")
def mixed_api(mixed_bench: Workbench) -> Iterator[ApiClient]:
    """The API with a model whose categories have accents."""
    with api_in(mixed_bench.folder, mixed_bench.client) as client:
        yield client


@pytest.fixture
def rows(mixed: Kit) -> list[Row]:
    found = [row | {"nom": f"Zoë n° {i}"} for i, row in enumerate(mixed.rows[:20]) if row.get("purpose") == "café"]
    assert found
    return found


def content_type(media: str, charset: str | None) -> str:
    return media if charset is None else f"{media}; charset={charset}"


def expected(mixed: Kit, rows: list[Row]) -> list[tuple[float, str]]:
    return list(zip(mixed.expected(rows), [row["nom"] for row in rows], strict=True))


def scored(api: ApiClient, job_id: str) -> list[tuple[float, str]]:
    page = api.get(f"/jobs/{job_id}/results").json()
    return [(answer["score"], answer["nom"]) for answer in page["results"]]


@CHARSET
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("media", "form"), [("text/csv", Format.CSV), ("application/x-ndjson", Format.NDJSON)])
def test_a_file_is_read_in_the_charset_that_it_declares(
    mixed_api: ApiClient,
    mixed_bench: Workbench,
    mixed: Kit,
    rows: list[Row],
    charset: str | None,
    codec: str,
    packed: bool,
    media: str,
    form: Format,
) -> None:
    text = as_file(rows, form).decode() if form is Format.CSV else lines_of(rows)
    body = text.encode(codec)
    headers = {"Content-Type": content_type(media, charset)} | ({"Content-Encoding": "gzip"} if packed else {})
    response = mixed_api.post("/jobs?keep=nom", content=gzip.compress(body) if packed else body, headers=headers)
    job = mixed_bench.score_all(mixed_bench.read(response.json()["id"]))
    assert job.error is None
    assert scored(mixed_api, job.id) == expected(mixed, rows)


def lines_of(rows: list[Row]) -> str:
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


@CHARSET
def test_a_json_body_is_read_in_the_charset_that_it_declares(
    mixed_api: ApiClient, mixed_bench: Workbench, mixed: Kit, rows: list[Row], charset: str | None, codec: str
) -> None:
    body = json.dumps(rows, ensure_ascii=False).encode(codec)
    headers = {"Content-Type": content_type("application/json", charset)}
    response = mixed_api.post("/jobs?keep=nom", content=body, headers=headers)
    job = mixed_bench.score_all(mixed_bench.parts.store.get(response.json()["id"]))
    assert scored(mixed_api, job.id) == expected(mixed, rows)


@CHARSET
def test_single_rows_and_arrays_are_read_in_it_too(
    mixed_api: ApiClient, mixed: Kit, rows: list[Row], charset: str | None, codec: str
) -> None:
    headers = {"Content-Type": content_type("application/json", charset)}
    plain = [{name: value for name, value in row.items() if name != "nom"} for row in rows]
    one = mixed_api.post("/individual_score", content=dumped(plain[0], codec), headers=headers)
    assert one.json()["score"] == mixed.expected(plain)[0]
    many = mixed_api.post("/multiple_score", content=dumped(plain, codec), headers=headers)
    assert (many.status_code, many.json()["rows"]) == (202, len(plain))


def dumped(value: Any, codec: str) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(codec)


def test_a_part_of_a_form_has_a_charset_of_its_own(
    mixed_api: ApiClient, mixed_bench: Workbench, mixed: Kit, rows: list[Row]
) -> None:
    body = as_file(rows).decode().encode("cp1252")
    files = {"file": ("rows.csv", body, "text/csv; charset=windows-1252")}
    response = mixed_api.post("/jobs", data={"keep": "nom"}, files=files)
    job = mixed_bench.score_all(mixed_bench.read(response.json()["id"]))
    assert scored(mixed_api, job.id) == expected(mixed, rows)


@pytest.mark.parametrize("charset", ["iso-8859-15", "koi8-r", "utf-16le", "utf-7", "rot13", "nothing"])
@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/jobs", "text/csv"),
        ("/jobs", "application/x-ndjson"),
        ("/jobs", "application/json"),
        ("/multiple_score", "application/json"),
        ("/individual_score", "application/json"),
        ("/reload_model", "application/json"),
    ],
)
def test_another_charset_is_rejected_with_those_that_are_read(
    api: ApiClient, path: str, media: str, charset: str
) -> None:
    response = api.post(path, content=b"{}", headers={"Content-Type": content_type(media, charset)})
    document = assert_problem(response, 415)
    assert (kind_of(document), document["params"]) == ("charset-unsupported", {"accepted": list(CHARSETS)})
    assert charset not in response.text


def test_another_charset_of_a_part_is_rejected_too(api: ApiClient) -> None:
    files = {"file": ("rows.csv", b"age\n1\n", "text/csv; charset=koi8-r")}
    assert kind_of(assert_problem(api.post("/jobs", files=files), 415)) == "charset-unsupported"


@pytest.mark.parametrize(
    ("charset", "spoil", "kind"),
    [
        ("windows-1252", lambda csv: csv + b"\x81", "text-not-in-charset"),
        ("utf-16", lambda csv: csv.decode().encode("utf-16-le"), "utf16-without-mark"),
        ("utf-16", lambda csv: csv.decode().encode("utf-16") + b"\0", "text-not-in-charset"),
        ("utf-8", lambda csv: csv.decode().encode("utf-16"), "csv-utf16"),
        ("utf-8", lambda csv: csv + "é".encode("cp1252"), "csv-not-utf8"),
        ("utf-8", lambda csv: csv.replace(b"income", "é".encode("cp1252")), "csv-not-utf8"),
    ],
)
def test_what_is_not_in_its_charset_is_told(
    api: ApiClient, api_bench: Workbench, numbers: Kit, charset: str, spoil: Callable[[bytes], bytes], kind: str
) -> None:
    body = spoil(as_file(numbers.rows[:5]))
    response = api.post("/jobs", content=body, headers={"Content-Type": content_type("text/csv", charset)})
    error = api_bench.read(response.json()["id"]).error
    assert error is not None
    assert error.type == kind
    if not kind.startswith("csv"):
        as_json = {"Content-Type": content_type("application/json", charset)}
        assert kind_of(assert_problem(api.post("/individual_score", content=body, headers=as_json), 400)) == kind


def test_a_charset_of_what_is_no_text_means_nothing(api: ApiClient, api_bench: Workbench, numbers: Kit) -> None:
    body = as_file(numbers.rows[:5], Format.PARQUET)
    headers = {"Content-Type": "application/vnd.apache.parquet; charset=binary"}
    job = api_bench.read(api.post("/jobs", content=body, headers=headers).json()["id"])
    assert (job.rows, job.error) == (5, None)


def test_the_charset_is_part_of_the_submission(api: ApiClient, numbers: Kit) -> None:
    body, key = as_file(numbers.rows[:5]), {"Idempotency-Key": "charset"}
    sent = [
        api.post("/jobs", content=body, headers=key | {"Content-Type": content_type("text/csv", charset)})
        for charset in (None, "UTF8", "latin1")
    ]
    assert [response.status_code for response in sent] == [202, 202, 422]


def test_the_revision_of_a_reload_may_follow_a_mark(api: ApiClient) -> None:
    headers = {"Content-Type": "application/json"}
    response = api.post("/reload_model", content=codecs.BOM_UTF8 + b'{"revision": "v1"}', headers=headers)
    assert kind_of(assert_problem(response, 404)) == "revision-in-folder"

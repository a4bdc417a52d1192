"""Files over HTTP, in every format and by every way in; the worker's part is done by hand."""

import asyncio
import gzip
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from api.schemas import ResultsPage
from shared.reasons import Reason
from shared.sentences import INVALID_PARAMETERS
from shared.settings import Settings
from tests.factories import Kit, Row
from tests.unit.api.client import ApiClient, assert_problem, in_pieces, kind_of
from tests.unit.workbench import Workbench, as_file

CSV = "text/csv"
ROWS = 10


@pytest.fixture
def rows(numbers: Kit) -> list[Row]:
    return [row | {"SK_ID_CURR": 100_000 + i} for i, row in enumerate(numbers.rows[:ROWS])]


def table(rows: list[Row]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def as_csv(rows: list[Row]) -> bytes:
    text: str = table(rows).to_pandas(types_mapper=pd.ArrowDtype).to_csv(index=False)
    return text.encode()


def as_ndjson(rows: list[Row]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def as_parquet(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table(rows), sink)
    return sink.getvalue()


def as_arrow(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    pyarrow.feather.write_feather(table(rows), sink, compression="lz4")
    return sink.getvalue()


def as_stream(rows: list[Row]) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table(rows).schema) as writer:
        writer.write_table(table(rows), max_chunksize=3)
    return sink.getvalue()


FORMATS = pytest.mark.parametrize(
    ("content_type", "written"),
    [
        (CSV, as_csv),
        ("application/x-ndjson", as_ndjson),
        ("application/vnd.apache.parquet", as_parquet),
        ("application/vnd.apache.arrow.file", as_arrow),
        ("application/vnd.apache.arrow.stream", as_stream),
    ],
)


def read(bench: Workbench, job_id: str) -> None:
    """Do what the worker's tasks do."""
    bench.score_all(bench.read(job_id))


def submitted(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/jobs/{job['id']}"
    return job


def done(api: ApiClient, bench: Workbench, response: httpx.Response) -> dict[str, Any]:
    job = submitted(response)
    assert (job["state"], job["stage"], job["rows"]) == ("queued", "reading", None)
    read(bench, job["id"])
    ended: dict[str, Any] = api.get(f"/jobs/{job['id']}").json()
    return ended


def scores_of(api: ApiClient, job: dict[str, Any]) -> list[float | None]:
    page = api.get(f"/jobs/{job['id']}/results").json()
    return [answer["score"] for answer in page["results"]]


@FORMATS
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_file_is_scored_as_the_model_scores_it(
    api: ApiClient,
    api_bench: Workbench,
    rows: list[Row],
    numbers: Kit,
    content_type: str,
    written: Callable[[list[Row]], bytes],
    encoding: str | None,
) -> None:
    body = gzip.compress(written(rows)) if encoding else written(rows)
    headers = {"Content-Type": content_type} | ({"Content-Encoding": encoding} if encoding else {})
    response = api.post("/jobs?keep=SK_ID_CURR", content=in_pieces([body[:50], body[50:]]), headers=headers)
    job = done(api, api_bench, response)
    assert (job["state"], job["error"], job["rows"], job["rows_done"]) == ("succeeded", None, ROWS, ROWS)
    assert scores_of(api, job) == numbers.expected(numbers.rows[:ROWS])
    kept = [answer["SK_ID_CURR"] for answer in api.get(f"/jobs/{job['id']}/results").json()["results"]]
    assert [int(value) for value in kept] == [row["SK_ID_CURR"] for row in rows]


JSON_SHAPES: list[Callable[[list[Row]], Any]] = [
    lambda rows: rows,
    lambda rows: {"dataframe_records": rows},
    lambda rows: {"columns": table(rows).to_pydict()},
    lambda rows: {
        "dataframe_split": {
            "columns": table(rows).column_names,
            "data": [list(row.values()) for row in table(rows).to_pylist()],
        }
    },
]


@pytest.mark.parametrize("shape", JSON_SHAPES)
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_json_in_every_shape_is_checked_at_once(
    api: ApiClient,
    api_bench: Workbench,
    rows: list[Row],
    numbers: Kit,
    shape: Callable[[list[Row]], Any],
    encoding: str | None,
) -> None:
    headers = {"Content-Type": "application/json"} | ({"Content-Encoding": encoding} if encoding else {})
    body = json.dumps(shape(rows)).encode()
    body = gzip.compress(body) if encoding else body
    job = submitted(api.post("/jobs?keep=SK_ID_CURR", content=body, headers=headers))
    assert (job["stage"], job["rows"]) == ("scoring", ROWS)
    api_bench.score_all(api_bench.parts.store.get(job["id"]))
    answers = api.get(f"/jobs/{job['id']}/results").json()["results"]
    assert [answer["score"] for answer in answers] == numbers.expected(numbers.rows[:ROWS])
    assert [answer["SK_ID_CURR"] for answer in answers] == [row["SK_ID_CURR"] for row in rows]
    bad = json.dumps(shape([*rows[:3], rows[3] | {"age": 3}])).encode()
    problem = assert_problem(
        api.post("/jobs?keep=SK_ID_CURR", content=bad, headers={"Content-Type": "application/json"}), 422
    )
    assert problem["detail"][0]["loc"] == ["body", 3, "age"]


def test_a_file_may_come_in_a_form(api: ApiClient, api_bench: Workbench, rows: list[Row], numbers: Kit) -> None:
    fields = {"keep": "SK_ID_CURR", "on_invalid": "flag"}
    files = {"file": ("../../C:\\a b/porté=folio.CSV", as_csv(rows), "application/octet-stream")}
    job = done(api, api_bench, api.post("/jobs", data=fields, files=files))
    assert (job["state"], job["keep"], job["on_invalid"]) == ("succeeded", ["SK_ID_CURR"], "flag")
    assert scores_of(api, job) == numbers.expected(numbers.rows[:ROWS])
    file = api.get(f"/jobs/{job['id']}/results?format=csv")
    assert file.headers["content-disposition"] == 'attachment; filename="port__folio-scores.csv"'


FORM_HEADER = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "multipart/form-data"}, b"", 400),
        (FORM_HEADER, b"", 400),
        (FORM_HEADER, b"no form", 400),
        (FORM_HEADER, b'--x\r\nContent-Disposition: form-data; name="keep"\r\n\r\nA\r\n--x--\r\n', 400),
        (FORM_HEADER, b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nage\r\n1', 400),
        (
            FORM_HEADER,
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\nage\r\n--x--\r\n',
            415,
        ),
        (FORM_HEADER, b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n\r\n--x--\r\n', 400),
        (
            FORM_HEADER,
            b'--x\r\nContent-Disposition: form-data; name="k"\r\n\r\n' + b"A" * 20_000 + b"\r\n--x--\r\n",
            413,
        ),
        (
            FORM_HEADER,
            b'--x\r\nContent-Disposition: form-data; name="on_invalid"\r\n\r\nno\r\n'
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\nage\r\n--x--\r\n',
            422,
        ),
        # Names in character sets that nobody knows, and a boundary that is none.
        *(
            (FORM_HEADER, b"--x\r\nContent-Disposition: form-data; " + name + b"\r\n\r\nage\r\n--x--\r\n", 400)
            for name in (
                b"name=f; filename*=undefined''x.png",
                b"name=f; filename*=idna''x",
                b"name=f; filename*=x''a%00b",
            )
        ),
        (FORM_HEADER, b"--x\r\nContent-Type: text/csv; charset=undefined\r\n\r\nage\r\n--x--\r\n", 400),
        ({"Content-Type": 'multipart/form-data; boundary="a\nb"'}, b"--a", 400),
        ({"Content-Type": CSV}, b"", 400),
        ({"Content-Type": "text/plain"}, b"x", 415),
        ({}, b"x", 415),
        ({"Content-Type": CSV, "Content-Encoding": "br"}, b"x", 415),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"no gzip", 400),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, gzip.compress(b"[]" * 10**6, mtime=0), 413),
    ],
)
def test_what_is_no_file_is_rejected_and_leaves_nothing(
    api: ApiClient, api_bench: Workbench, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert_problem(api.post("/jobs", content=body, headers=headers), status)
    assert api_bench.stored_files() == []
    assert api_bench.client.keys("pret:job:*") == []


@pytest.mark.parametrize(
    "query",
    [
        "on_invalid=maybe",
        "delimiter=ab",
        "delimiter=1",
        "delimiter=%22",
        "decimal=;",
        "delimiter=,&decimal=,",
        "keep=A,A",
        "keep=score",
        "keep=error",
        "keep=errors",
        "keep=" + ",".join(f"c{i}" for i in range(101)),
        "name=" + "a" * 1001,
    ],
)
def test_options_that_make_no_sense_are_rejected(api: ApiClient, query: str) -> None:
    problem = assert_problem(api.post(f"/jobs?{query}", content=b"age\n1\n", headers={"Content-Type": CSV}), 422)
    [detail] = problem["detail"]
    assert detail["loc"][0] == "query"
    assert detail["type"] in {*INVALID_PARAMETERS, "literal_error", "string_too_long"}


@pytest.mark.parametrize(("line", "state"), [(b"sep=;\n", "succeeded"), (b"", "failed")])
def test_decimal_commas_need_a_delimiter_only_where_the_file_has_none(
    api: ApiClient, api_bench: Workbench, numbers: Kit, line: bytes, state: str
) -> None:
    body = line + as_file(numbers.rows[:ROWS]).replace(b",", b";").replace(b".", b",")
    answer = api.post("/jobs?decimal=,", content=body, headers={"Content-Type": CSV})
    job = api_bench.score_all(api_bench.read(answer.json()["id"]))
    assert (job.state, job.error and job.error.type) == (state, None if line else "csv-signs-equal")


def test_a_callback_needs_an_allowed_host(api: ApiClient) -> None:
    url = "/jobs?callback_url=https://example.com/x"
    problem = assert_problem(api.post(url, content=b"age\n1\n", headers={"Content-Type": CSV}), 400)
    assert kind_of(problem) == "webhooks-disabled"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"input_uri": "s3://bucket/x.csv"}, "input-uri-not-allowed"),
        ({"input_uri": "file:///etc/passwd"}, "input-uri-unsupported"),
        ({"input_uri": "s3://bucket/x.json"}, "input-uri-unsupported"),
    ],
)
def test_an_address_must_be_allowed(api: ApiClient, body: dict[str, str], kind: str) -> None:
    assert kind_of(assert_problem(api.post("/jobs", json=body), 400)) == kind


def test_a_bad_row_fails_the_job_with_a_report(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    bad = [*rows[:4], rows[4] | {"age": 3, "income": -1}, rows[5] | {"income": None}, *rows[6:]]
    job = done(
        api,
        api_bench,
        api.post("/jobs", content=as_parquet(bad), headers={"Content-Type": "application/vnd.apache.parquet"}),
    )
    sentence = "3 values break the feature contract; the report lists up to 100."
    assert job["error"] == {"type": "invalid-rows", "message": sentence, "params": {"count": 3, "limit": 100}}
    assert (job["state"], job["rows_done"]) == ("failed", 0)
    assert (job["report"]["invalid_rows"], job["report"]["invalid_values"]) == (2, 3)
    assert [(error["row"], error["column"]) for error in job["report"]["errors"]] == [
        *((4, "income"), (4, "age")),
        (5, "income"),
    ]
    assert job["report"]["errors"][1] == {
        "row": 4,
        "column": "age",
        "type": "greater_than_equal",
        "message": "Input should be greater than or equal to 18",
        "params": {"limit": 18},
    }
    assert api_bench.stored_files() == []
    problem = assert_problem(api.post(f"/jobs/{job['id']}/retry"), 409)
    assert problem["detail"] == "The job failed because its input is invalid. Correct it and submit a new job."
    assert api.get("/jobs").json()["jobs"][0]["report"] is None


def test_flagged_rows_have_errors_and_the_others_a_score(
    api: ApiClient, api_bench: Workbench, rows: list[Row], numbers: Kit
) -> None:
    bad = [*rows[:4], rows[4] | {"age": 3}, rows[5] | {"income": None}, *rows[6:]]
    url = "/jobs?on_invalid=flag&keep=SK_ID_CURR"
    job = done(api, api_bench, api.post(url, content=as_csv(bad), headers={"Content-Type": CSV}))
    assert (job["state"], job["rows_done"], job["invalid"]) == ("succeeded", ROWS, 2)
    assert job["granted"] + job["refused"] == ROWS - 2
    answers = api.get(f"/jobs/{job['id']}/results").json()["results"]
    expected: list[float | None] = list(numbers.expected(numbers.rows[:ROWS]))
    expected[4] = expected[5] = None
    assert [answer["score"] for answer in answers] == expected
    assert [answer["error"] is not None for answer in answers] == [score is None for score in expected]
    assert answers[4]["error"].startswith("age: ")
    message = "Input should be greater than or equal to 18"
    assert answers[4]["errors"] == [
        {"column": "age", "type": "greater_than_equal", "message": message, "params": {"limit": 18}}
    ]
    assert [answer["errors"] is not None for answer in answers] == [score is None for score in expected]
    ResultsPage.model_validate(api.get(f"/jobs/{job['id']}/results").json(), strict=True)
    lines = api.get(f"/jobs/{job['id']}/results?format=ndjson").text.splitlines()
    assert json.loads(json.loads(lines[4])["errors"]) == answers[4]["errors"]
    assert (answers[4]["decision"], answers[4]["prediction"], answers[4]["SK_ID_CURR"]) == (None, None, "100004")


def test_every_result_file_says_the_same(api: ApiClient, api_bench: Workbench, rows: list[Row], numbers: Kit) -> None:
    response = api.post(
        "/jobs?keep=SK_ID_CURR", content=as_parquet(rows), headers={"Content-Type": "application/vnd.apache.parquet"}
    )
    job = done(api, api_bench, response)
    expected = numbers.expected(numbers.rows[:ROWS])
    path = f"/jobs/{job['id']}/results"
    files = {
        form: api.get(path, params={"format": form}).content for form in ("csv", "ndjson", "parquet", "arrow", "arrows")
    }
    tables = {
        "csv": pd.read_csv(io.BytesIO(files["csv"])),
        "ndjson": pd.DataFrame([json.loads(line) for line in files["ndjson"].splitlines()]),
        "parquet": pq.read_table(io.BytesIO(files["parquet"])).to_pandas(),
        "arrow": pa.ipc.open_file(files["arrow"]).read_all().to_pandas(),
        "arrows": pa.ipc.open_stream(files["arrows"]).read_all().to_pandas(),
    }
    for frame in tables.values():
        assert list(frame.columns) == ["SK_ID_CURR", "score", "prediction", "decision"]
        assert frame["score"].tolist() == expected
        assert frame["SK_ID_CURR"].tolist() == [row["SK_ID_CURR"] for row in rows]
        assert set(frame["decision"]) <= {"Accordé", "Refusé"}
    for accept, form in (("text/csv", "csv"), ("foo/bar, application/vnd.apache.parquet;q=0.9, */*", "parquet")):
        assert api.get(path, headers={"Accept": accept}).content == files[form]
    assert_problem(api.get(path, headers={"Accept": "image/png"}), 406)
    assert_problem(api.get(path, params={"format": "xlsx"}), 422)


READERS: dict[str, Callable[[bytes], pd.DataFrame]] = {
    "csv": lambda content: pd.read_csv(io.BytesIO(content)),
    "ndjson": lambda content: pd.DataFrame([json.loads(line) for line in content.splitlines()]),
    "parquet": lambda content: pq.read_table(io.BytesIO(content)).to_pandas(),
    "arrow": lambda content: pa.ipc.open_file(content).read_all().to_pandas(),
    "arrows": lambda content: pa.ipc.open_stream(content).read_all().to_pandas(),
}


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ({"limit": 1}, 0, 1),
        ({"offset": 3}, 3, ROWS),
        ({"offset": 2, "limit": 5}, 2, 7),
        ({"offset": 8, "limit": 5}, 8, ROWS),
        ({"offset": ROWS, "limit": 1}, ROWS, ROWS),
    ],
)
def test_a_file_may_be_of_some_of_the_rows(
    api: ApiClient, api_bench: Workbench, rows: list[Row], form: str, query: dict[str, int], start: int, end: int
) -> None:
    job = done(api, api_bench, api.post("/jobs?keep=SK_ID_CURR", content=as_csv(rows), headers={"Content-Type": CSV}))
    path = f"/jobs/{job['id']}/results"
    whole = READERS[form](api.get(path, params={"format": form}).content)
    answer = api.get(path, params={"format": form} | query, headers={"Range": "bytes=0-3"})
    assert (answer.status_code, "accept-ranges" in answer.headers, "etag" in answer.headers) == (200, False, False)
    assert answer.headers["x-model-version"] == job["model_version"]
    found = READERS[form](answer.content)
    if start < end:
        assert found.equals(whole[start:end].reset_index(drop=True))
    else:
        assert len(found) == 0
    page = api.get(path, params=query).json()["results"]
    assert [answer["score"] for answer in page] == whole["score"][start:end].tolist()


def test_only_so_many_rows_may_be_asked_for(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    job = done(api, api_bench, api.post("/jobs", content=as_csv(rows), headers={"Content-Type": CSV}))
    for query in ("limit=0", "limit=10001", "offset=-1", "limit=x"):
        assert_problem(api.get(f"/jobs/{job['id']}/results?format=csv&{query}"), 422)


def test_a_download_is_resumed(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    job = done(api, api_bench, api.post("/jobs", content=as_csv(rows), headers={"Content-Type": CSV}))
    path = f"/jobs/{job['id']}/results?format=parquet"
    whole = api.get(path)
    assert (whole.status_code, whole.headers["accept-ranges"]) == (200, "bytes")
    tag, size = whole.headers["etag"], len(whole.content)

    def part(asked: str, **headers: str) -> httpx.Response:
        return api.get(path, headers={"Range": asked, **headers})

    for asked, start, end in (("bytes=100-", 100, size), ("bytes=5-9", 5, 10), ("bytes=-7", size - 7, size)):
        answer = part(asked, **{"If-Range": tag})
        assert (answer.status_code, answer.content) == (206, whole.content[start:end])
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    assert part("bytes=0-4", **{"If-Range": '"other"'}).content == whole.content
    for passed_over in ("lines=1-2", "bytes=9-5", "bytes=-", "bytes=1-2,5-6"):
        assert (part(passed_over).status_code, part(passed_over).content) == (200, whole.content)
    beyond = part(f"bytes={size}-")
    assert_problem(beyond, 416)
    assert beyond.headers["content-range"] == f"bytes */{size}"


def test_partial_results_are_the_rows_done_so_far(
    api: ApiClient, api_bench: Workbench, rows: list[Row], numbers: Kit
) -> None:
    job = submitted(api.post("/jobs", json=[{k: v for k, v in row.items() if k != "SK_ID_CURR"} for row in rows]))
    path = f"/jobs/{job['id']}/results"
    assert api.get(f"{path}?partial=true").json()["results"] == []
    api_bench.score(job["id"], 1)
    assert api.get(f"{path}?partial=true").json()["results"] == []
    api_bench.score(job["id"], 0)
    assert [answer["score"] for answer in api.get(f"{path}?partial=true").json()["results"]] == numbers.expected(
        numbers.rows[:8]
    )
    csv = api.get(f"{path}?partial=true&format=csv").text.splitlines()
    assert len(csv) == 9
    assert_problem(api.get(path), 409)


def test_the_same_key_is_the_same_job(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    headers = {"Content-Type": CSV, "Idempotency-Key": "k1"}
    first = submitted(api.post("/jobs", content=as_csv(rows), headers=headers))
    again = submitted(api.post("/jobs", content=as_csv(rows), headers=headers))
    assert again["id"] == first["id"]
    assert len(api_bench.stored_files()) == 1
    for path, body in (("/jobs", as_csv(rows[:5])), ("/jobs?on_invalid=flag", as_csv(rows))):
        assert kind_of(assert_problem(api.post(path, content=body, headers=headers), 422)) == "idempotency-conflict"
    other = submitted(api.post("/jobs", content=as_csv(rows), headers=headers | {"Idempotency-Key": "k2"}))
    assert other["id"] != first["id"]
    assert api.get("/jobs").json()["total"] == 2


def test_jobs_are_listed_newest_first(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    plain = [{k: v for k, v in row.items() if k != "SK_ID_CURR"} for row in rows]
    ids = [submitted(api.post("/jobs", json=plain))["id"] for _ in range(3)]
    api_bench.score_all(api_bench.parts.store.get(ids[1]))
    page = api.get("/jobs?limit=2").json()
    assert ([job["id"] for job in page["jobs"]], page["total"], page["next_offset"]) == (ids[:0:-1], 3, 2)
    assert [job["id"] for job in api.get("/jobs?offset=2").json()["jobs"]] == ids[:1]
    assert [job["id"] for job in api.get("/jobs?state=succeeded").json()["jobs"]] == [ids[1]]
    assert_problem(api.get("/jobs?state=lost"), 422)


def test_events_tell_the_end(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    plain = [{k: v for k, v in row.items() if k != "SK_ID_CURR"} for row in rows]
    job = submitted(api.post("/jobs", json=plain))
    api_bench.score_all(api_bench.parts.store.get(job["id"]))
    answer = api.get(f"/jobs/{job['id']}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("event: end\ndata: {")
    assert json.loads(answer.text.splitlines()[1].removeprefix("data: "))["state"] == "succeeded"
    assert_problem(api.get(f"/jobs/{'0' * 32}/events"), 404)


def test_a_full_queue_and_a_full_storage_take_no_job(
    api: ApiClient, api_bench: Workbench, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(**changes: Any) -> Settings:
        return api.services.settings.model_copy(update=changes)

    submitted(api.post("/jobs", content=as_csv(rows), headers={"Content-Type": CSV}))
    job = submitted(api.post("/jobs", json=[{k: v for k, v in row.items() if k != "SK_ID_CURR"} for row in rows]))
    for changes, status in (({"max_queued_rows": ROWS}, 429), ({"min_free_bytes": 2**60}, 503)):
        monkeypatch.setattr(api.services.admission, "_settings", limited(**changes))
        for body in ({"content": as_csv(rows), "headers": {"Content-Type": CSV}}, {"json": rows}):
            answer = api.post("/jobs", **body)
            assert_problem(answer, status)
            assert int(answer.headers["retry-after"]) > 0
    assert {job["id"]} < {listed["id"] for listed in api.get("/jobs").json()["jobs"]}
    assert api.get("/jobs").json()["total"] == 2


MEGABYTE = 2**20
ROOM = 4
"""Megabytes."""


@pytest.fixture
def small_disk(api: ApiClient, api_bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has room for little more than what must stay free."""
    root = api_bench.folder / "storage"

    def free_bytes() -> int:
        kept = api.services.settings.min_free_bytes
        return kept + ROOM * MEGABYTE - sum(path.stat().st_size for path in root.rglob("*") if path.is_file())

    monkeypatch.setattr(api.services.storage, "free_bytes", free_bytes)


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("media", [CSV, "application/zip", "multipart/form-data; boundary=x"])
def test_a_file_of_unknown_length_ends_where_the_room_does(api: ApiClient, api_bench: Workbench, media: str) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        if "form" in media:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
        for number in range(10 * ROOM):
            sent = number
            yield b"1,2,3,4\n" * (MEGABYTE // 8)

    answer = api.post("/jobs", content=in_pieces(pieces()), headers={"Content-Type": media})
    assert kind_of(assert_problem(answer, 503)) == "storage-full"
    assert ROOM - 1 <= sent <= ROOM + 2
    assert api_bench.stored_files() == []


def test_a_file_of_results_is_not_made_where_there_is_no_room(
    api: ApiClient, api_bench: Workbench, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = [{k: v for k, v in row.items() if k != "SK_ID_CURR"} for row in rows]
    job = submitted(api.post("/jobs", json=plain))
    api_bench.score_all(api_bench.parts.store.get(job["id"]))
    monkeypatch.setattr(api.services.storage, "free_bytes", lambda: 0)
    stored = api_bench.stored_files()
    url = f"/jobs/{job['id']}/results?format=csv"
    assert kind_of(assert_problem(api.get(url, headers={"Range": "bytes=1-"}), 503)) == "storage-full"
    assert api_bench.stored_files() == stored
    assert api.get(url).status_code == 200


def test_a_client_that_hangs_up_leaves_nothing(api: ApiClient, api_bench: Workbench, rows: list[Row]) -> None:
    messages = iter([{"type": "http.request", "body": as_csv(rows), "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(_: Any) -> None:
        """Nobody listens any more."""

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/jobs",
        "raw_path": b"/jobs",
        "query_string": b"",
        "headers": [(b"content-type", CSV.encode()), (b"host", b"localhost")],
        "server": ("127.0.0.1", 8000),
        "app": api.app,
    }
    asyncio.run(api.app(scope, receive, send))
    assert next(messages, None) is None
    assert api_bench.stored_files() == []
    assert api_bench.parts.store.open_jobs() == []


def test_a_failed_job_is_done_again(api: ApiClient, api_bench: Workbench, rows: list[Row], numbers: Kit) -> None:
    plain = [{k: v for k, v in row.items() if k != "SK_ID_CURR"} for row in rows]
    job = submitted(api.post("/jobs", json=plain))
    problem = assert_problem(api.post(f"/jobs/{job['id']}/retry"), 409)
    assert (kind_of(problem), problem["params"]) == ("job-not-failed", {"state": "queued"})
    api_bench.score(job["id"], 0)
    api_bench.parts.store.fail(job["id"], Reason("storage-full"))
    again = submitted(api.post(f"/jobs/{job['id']}/retry"))
    assert (again["state"], again["rows_done"], again["error"]) == ("queued", 0, None)
    api_bench.score_all(api_bench.parts.store.get(job["id"]))
    assert scores_of(api, job) == numbers.expected(numbers.rows[:ROWS])


@pytest.mark.parametrize(
    ("accept", "status"),
    [("text/csv;q=0, */*;q=0.1", 200), ("text/*", 200), ("image/png, text/csv;q=0", 406), ("text/csv; q=x", 200)],
)
def test_formats_that_are_not_wanted_are_not_given(
    api: ApiClient, api_bench: Workbench, rows: list[Row], accept: str, status: int
) -> None:
    job = done(api, api_bench, api.post("/jobs", content=as_csv(rows), headers={"Content-Type": CSV}))
    answer = api.get(f"/jobs/{job['id']}/results", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["content-type"].startswith("application/json" if "*/*" in accept else "text/csv")


def test_the_options_of_a_form_are_part_of_the_submission(api: ApiClient, rows: list[Row]) -> None:
    headers = {"Idempotency-Key": "form"}
    files = {"file": ("portfolio.csv", as_csv(rows))}
    submitted(api.post("/jobs", data={"keep": "SK_ID_CURR"}, files=files, headers=headers))
    submitted(api.post("/jobs", data={"keep": "SK_ID_CURR"}, files=files, headers=headers))
    assert_problem(api.post("/jobs", data={"keep": "age"}, files=files, headers=headers), 422)
    assert api.get("/jobs").json()["total"] == 1


def test_a_form_of_endless_fields_is_rejected(api: ApiClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="keep"\r\n\r\n\r\n' * 1000
    assert_problem(api.post("/jobs", content=body, headers=FORM_HEADER), 413)


def test_a_bad_field_of_a_form_is_named(api: ApiClient, rows: list[Row]) -> None:
    files = {"file": ("portfolio.csv", as_csv(rows))}
    problem = assert_problem(api.post("/jobs", data={"on_invalid": "no"}, files=files), 422)
    assert problem["detail"][0]["loc"] == ["body", "on_invalid"]


@pytest.mark.parametrize("columns", ["=cmd|1", "+x", "@y"])
def test_a_kept_column_with_a_formula_for_a_name_is_defused(
    api: ApiClient, api_bench: Workbench, rows: list[Row], columns: str
) -> None:
    named = [row | {columns: "=1+1"} for row in rows]
    job = done(
        api,
        api_bench,
        api.post("/jobs", params={"keep": columns}, content=as_csv(named), headers={"Content-Type": CSV}),
    )
    header, first, *_ = api.get(f"/jobs/{job['id']}/results?format=csv").text.splitlines()
    assert header.startswith(f"'{columns},")
    assert first.startswith("'=1+1,")


@pytest.mark.parametrize("charset", ["undefined", "idna", "punycode", "a%00b", "hex", "utf-16", "none"])
@pytest.mark.parametrize("head", ["; filename*=", '; filename="x.csv"; filename*=', '; filename="x.csv"; name*=', ""])
def test_a_form_in_a_charset_that_there_is_not_is_no_fault_of_ours(api: ApiClient, charset: str, head: str) -> None:
    place = f"{head}{charset}''x.csv" if head else f'; filename="x.csv"\r\nContent-Type: text/csv; charset={charset}'
    body = f'--x\r\nContent-Disposition: form-data; name="file"{place}\r\n\r\na\n1\n\r\n--x--\r\n'
    response = api.post("/jobs", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert response.status_code in (202, 400, 415)


@pytest.mark.parametrize(
    "address", [b"a\xff.csv", b"a\\ud800.csv", b"a\\u0000.csv", b"s3://[/a.csv", b"\xed\xa0\x80.csv"]
)
@pytest.mark.parametrize("place", [b'{"input_uri": "%s"}', b'{"input_uri": "s3://a/b.csv", "output_uri": "%s"}'])
def test_an_address_of_signs_that_are_none_is_refused(api: ApiClient, place: bytes, address: bytes) -> None:
    response = api.post("/jobs", content=place % address, headers={"Content-Type": "application/json"})
    assert_problem(response, 400)

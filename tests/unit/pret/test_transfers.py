"""Files on their way to the service and back, whole and broken, blocking and in asyncio."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from pret import NotReachable, Rejected
from tests.unit.pret.contract_server import ContractServer, World, job_body, succeeded

Connect = Callable[..., Any]


@pytest.mark.parametrize(
    ("name", "content_type", "encoding"),
    [
        ("rows.csv", "text/csv", None),
        ("rows.CSV.gz", "text/csv", "gzip"),
        ("rows.parquet", "application/vnd.apache.parquet", None),
        ("rows.arrow", "application/vnd.apache.arrow.file", None),
        ("rows.arrows", "application/vnd.apache.arrow.stream", None),
        ("rows.txt", "text/csv", None),
        ("rows.v2.ndjson.zst", "application/x-ndjson", "zstd"),
        ("rows.json", "application/json", None),
    ],
)
def test_a_file_is_sent_as_what_its_name_says(
    client: Any, world: World, tmp_path: Path, name: str, content_type: str, encoding: str | None
) -> None:
    (tmp_path / name).write_bytes(b"content")
    job = client.submit(tmp_path / name, keep=["A", "B"], on_invalid="flag")
    assert (job.id, job.name, job.state) == ("job0", name, "queued")
    assert job.created_at == datetime(2026, 11, 24, 23, 11, 25, 495000, UTC)
    headers = world.headers[0]
    assert (headers["content-type"], headers.get("content-encoding")) == (content_type, encoding)
    assert headers["content-length"] == "7"
    assert world.queries[0] == [("keep", "A"), ("keep", "B"), ("on_invalid", "flag"), ("name", name)]


def pieces() -> Iterator[bytes]:
    yield from (b"A\n", b"", b"1\n")


@pytest.mark.parametrize("make", [lambda: b"A\n1\n", lambda: io.BytesIO(b"A\n1\n"), pieces])
def test_bytes_streams_and_iterators_are_sent(client: Any, world: World, make: Callable[[], Any]) -> None:
    client.submit(make(), format="csv", delimiter=";", decimal=",", missing=["?"], callback_url="http://x")
    assert world.bodies[0] == b"A\n1\n"
    assert dict(world.queries[0]) == {"delimiter": ";", "decimal": ",", "missing": "?", "callback_url": "http://x"}


def test_what_is_sent_can_be_compressed_on_the_way(client: Any, world: World) -> None:
    client.submit(b"A\n" * 9999, format="csv", compress=True)
    assert world.headers[0]["content-encoding"] == "gzip"
    assert gzip.decompress(world.bodies[0]) == b"A\n" * 9999


@pytest.mark.parametrize("source", [b"A", "rows.xlsx"])
def test_a_format_that_cannot_be_told_is_asked_for(client: Any, source: Any) -> None:
    with pytest.raises(ValueError, match="Specify the format"):
        client.submit(source)


def test_a_format_that_is_not_known_is_not_sent(client: Any, world: World) -> None:
    with pytest.raises(ValueError, match="format of the rows must be one of json, ndjson"):
        client.submit(b"A", format="xlsx")
    assert world.asked == []


@pytest.mark.parametrize(
    ("name", "options", "delimiter"),
    [("rows.tsv", {}, "\t"), ("rows.TSV.gz", {}, "\t"), ("rows.tsv", {"delimiter": ";"}, ";"), ("rows.csv", {}, None)],
)
def test_the_name_of_a_file_tells_that_tabs_separate_its_fields(
    client: Any, world: World, tmp_path: Path, name: str, options: dict[str, str], delimiter: str | None
) -> None:
    (tmp_path / name).write_bytes(b"content")
    client.submit(tmp_path / name, **options)
    assert dict(world.queries[0]).get("delimiter") == delimiter


def test_a_file_that_is_not_there_is_an_os_error(client: Any) -> None:
    with pytest.raises(FileNotFoundError):
        client.submit("nowhere.csv")


def test_a_file_of_an_object_store_is_named(client: Any, world: World) -> None:
    client.submit_uri("s3://b/x.parquet", "s3://b/y.parquet", keep="A")
    assert json.loads(world.bodies[0]) == {"input_uri": "s3://b/x.parquet", "output_uri": "s3://b/y.parquet"}
    assert world.queries[0] == [("keep", "A")]
    assert world.headers[0]["idempotency-key"]


@pytest.mark.parametrize("cut", [("up", 100_000), ("down", 20)])
def test_a_broken_upload_is_sent_again_with_its_key(
    connect: Connect, server: ContractServer, tmp_path: Path, cut: tuple[str, int]
) -> None:
    content = bytes(range(256)) * 4096
    (tmp_path / "rows.parquet").write_bytes(content)
    server.cuts = [cut]
    client = connect(server.cutting_url)
    assert client.submit(tmp_path / "rows.parquet").id == "job0"
    assert server.world.bodies[-1] == content
    assert server.cuts == []
    assert len(server.world.jobs) == 1
    assert len({headers["idempotency-key"] for headers in server.world.headers}) == 1


def test_two_submissions_are_two_jobs_unless_they_share_a_key(client: Any, world: World) -> None:
    ids = [client.submit(b"A", format="csv", idempotency_key=key).id for key in (None, None, "mine", "mine")]
    assert ids == ["job0", "job1", "job2", "job2"]


def test_an_iterator_that_has_begun_is_not_sent_again(connect: Connect, server: ContractServer) -> None:
    server.cuts = [("down", 20)]
    with pytest.raises(NotReachable, match="broke before the response") as caught:
        connect(server.cutting_url).submit(pieces(), format="csv")
    assert caught.value.sent
    assert len(server.world.asked) == 1


CONTENT = bytes(range(256)) * 2000


def test_a_download_is_a_file_when_it_is_whole(client: Any, world: World, tmp_path: Path) -> None:
    world.results["parquet"] = CONTENT
    assert client.download(world.add(succeeded("a")), tmp_path / "out.parquet") == len(CONTENT)
    assert (tmp_path / "out.parquet").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.parametrize("format", ["csv", "ndjson", "parquet", "arrow", "arrows"])
def test_results_are_downloaded_in_the_format_of_the_name(
    client: Any, world: World, tmp_path: Path, format: str
) -> None:
    world.results[format] = CONTENT
    client.download(world.add(succeeded("a")), tmp_path / f"out.{format}")
    assert (tmp_path / f"out.{format}").read_bytes() == CONTENT
    assert world.queries == [[("format", format)]]


def test_a_download_goes_on_where_it_broke(connect: Connect, server: ContractServer, tmp_path: Path) -> None:
    world = server.world
    world.results["csv"] = CONTENT
    server.cuts = [("down", 200_000), ("down", 100_000)]
    connect(server.cutting_url).download(world.add(succeeded("a")), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == CONTENT
    starts = [int(headers.get("range", "bytes=0-")[6:-1]) for headers in world.headers]
    assert 0 == starts[0] < starts[1] < starts[2]


@pytest.mark.parametrize("mark", ['"two"', 'W/"one"'])
def test_a_download_of_what_has_changed_begins_anew(
    connect: Connect, server: ContractServer, tmp_path: Path, mark: str
) -> None:
    world = server.world
    world.results["csv"] = CONTENT
    first = Response(CONTENT[::-1], headers={"ETag": mark})
    world.answers = [first]
    server.cuts = [("down", 200_000)]
    connect(server.cutting_url).download(world.add(succeeded("a")), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == CONTENT
    assert ("range" in world.headers[1]) == (not mark.startswith("W/"))


def test_a_download_to_a_stream_starts_where_that_stands(connect: Connect, server: ContractServer) -> None:
    server.world.results["csv"] = CONTENT
    server.world.mark = 'W/"weak"'
    server.cuts = [("down", 200_000)]
    stream = io.BytesIO(b"head")
    stream.seek(4)
    connect(server.cutting_url).download(server.world.add(succeeded("a")), stream, "csv")
    assert stream.getvalue() == b"head" + CONTENT


def test_a_download_that_cannot_end_leaves_nothing(connect: Connect, server: ContractServer, tmp_path: Path) -> None:
    server.world.results["csv"] = CONTENT
    server.cuts = [("down", 200_000)]
    with pytest.raises(NotReachable):
        connect(server.cutting_url, retries=0).download(server.world.add(succeeded("a")), tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_job_without_results_makes_no_file(client: Any, world: World, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="no results"):
        client.download(world.add(job_body("a", "running")), tmp_path / "out.csv")
    with pytest.raises(ValueError, match="format of the results must be one of"):
        client.download("a", tmp_path / "out.json")
    assert list(tmp_path.iterdir()) == []

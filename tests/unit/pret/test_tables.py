"""What people submit besides files: tables are taken, and what cannot be gets a sentence that repeats nothing of it."""

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pret import tables
from tests.unit.pret.contract_server import World

FRAME = pd.DataFrame({"customer": ["a", "b"], "read": [1.5, None], "name": [40, 41]})
ROWS: list[dict[str, Any]] = [{"customer": "a", "read": 1.5, "name": 40}, {"customer": "b", "read": None, "name": 41}]
NAME = "Jean Martin"


def not_installed(name: str) -> Any:
    """Import nothing: pandas itself would stumble if pyarrow went missing for all."""
    raise ImportError(name)


class Polite:
    """A table of a library that pyarrow does not know, and that writes files itself."""

    columns = ("customer", "read", "name")

    def write_parquet(self, file: io.BytesIO) -> None:
        pq.write_table(pa.table(FRAME), file)

    def write_csv(self, file: io.BytesIO) -> None:
        file.write(FRAME.to_csv(index=False).encode())

    def to_dicts(self) -> list[dict[str, Any]]:
        return ROWS


TABLES: dict[str, Callable[[], Any]] = {
    "pandas": lambda: FRAME,
    "pandas with an index": lambda: FRAME.set_index("customer"),
    "pandas, sorted": lambda: FRAME.sort_values("name", ascending=False)[::-1],
    "pyarrow": lambda: pa.table(FRAME),
    "record batch": lambda: pa.RecordBatch.from_pandas(FRAME),
    "reader": lambda: pa.table(FRAME).to_reader(),
    "another library": Polite,
}
WITHOUT_ARROW = ("pandas", "pandas with an index", "pandas, sorted", "another library")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_sent_as_parquet(client: Any, world: World, table: str) -> None:
    job = client.submit(TABLES[table](), keep=["customer"], delimiter=";", decimal=",")
    assert (job.id, job.name) == ("job0", None)
    assert world.headers[0]["content-type"] == "application/vnd.apache.parquet"
    assert world.queries[0] == [("keep", "customer")]
    sent = pq.read_table(io.BytesIO(world.bodies[0]))
    assert sent.select(["customer", "read", "name"]).to_pylist() == ROWS
    assert set(sent.column_names) == set(FRAME.columns)


@pytest.mark.parametrize("table", WITHOUT_ARROW)
@pytest.mark.parametrize("way", ["no pyarrow", "asked for"])
def test_a_table_is_sent_as_csv_where_parquet_cannot_be_written(
    client: Any, world: World, table: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "no pyarrow" and table != "another library":
        monkeypatch.setattr(tables, "import_module", not_installed)
        client.submit(TABLES[table](), name="november.csv")
    else:
        client.submit(TABLES[table](), format="csv", name="november.csv")
    assert world.headers[0]["content-type"] == "text/csv"
    assert world.queries[0] == [("name", "november.csv")]
    rows = list(csv.DictReader(io.StringIO(world.bodies[0].decode())))
    assert rows == [{"customer": "a", "read": "1.5", "name": "40"}, {"customer": "b", "read": "", "name": "41"}]


def test_a_column_of_several_kinds_is_sent_as_csv(client: Any, world: World) -> None:
    client.submit(pd.DataFrame({"customer": ["a", 1], "age": [40, 41]}))
    assert world.bodies[0] == b"customer,age\na,40\n1,41\n"


def test_a_table_of_pyarrow_needs_pyarrow(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "import_module", not_installed)
    with pytest.raises(TypeError, match="A Table needs pyarrow to be sent"):
        client.submit(pa.table(FRAME))
    with pytest.raises(ValueError, match="Is pyarrow installed"):
        client.submit(FRAME, format="parquet")


def test_a_table_goes_as_parquet_or_csv_alone(client: Any, world: World) -> None:
    with pytest.raises(ValueError, match="sent as parquet or csv, not as 'ndjson'"):
        client.submit(FRAME, format="ndjson")
    assert world.asked == []


@pytest.mark.parametrize("table", ["pandas", "pyarrow", "another library"])
def test_the_rows_of_a_table_can_be_scored_in_the_call(client: Any, world: World, table: str) -> None:
    assert len(client.score_many(TABLES[table]())) == 2
    assert world.bodies[0] == b'[{"customer":"a","read":1.5,"name":40},{"customer":"b","read":null,"name":41}]'


def test_a_row_may_be_a_series(client: Any, world: World) -> None:
    client.score(FRAME.iloc[0])
    client.score_many([FRAME.iloc[1]])
    client.score({"a": pd.NA, "b": pd.NaT, "c": np.int64(3)})
    assert world.bodies == [
        b'{"customer":"a","read":1.5,"name":40}',
        b'[{"customer":"b","read":null,"name":41}]',
        b'{"a":null,"b":null,"c":3}',
    ]


@pytest.mark.parametrize(
    "source",
    [memoryview(b"A\n1\n"), bytearray(b"A\n1\n"), memoryview(b"AxB\nxx1x\nx")[::1], [bytearray(b"A\n"), b"1\n"]],
)
def test_anything_of_bytes_is_sent(client: Any, world: World, source: Any) -> None:
    client.submit(source, format="csv")
    assert world.bodies[0] == (bytes(source) if isinstance(source, memoryview) else b"A\n1\n")


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        (f"name,age\n{NAME},40\n", ValueError, "text of a file, not its path"),
        (f"name,age\r{NAME},40\r", ValueError, "text of a file, not its path"),
        (f' [{{"name": "{NAME}"}}]', ValueError, "text of a file, not its path"),
        (f'{{"name": "{NAME}"}}', ValueError, "text of a file, not its path"),
        (NAME * 30, ValueError, "text of a file, not its path"),
        (f"{NAME}/" * 1000, ValueError, "text of a file, not its path"),
        (pd.Series([NAME], name="rows.csv"), TypeError, "A Series has no named columns"),
        (pa.chunked_array([[NAME]]), TypeError, "A ChunkedArray has no named columns"),
        (np.array([[NAME]]), TypeError, "A ndarray has no named columns"),
        (io.StringIO(NAME), TypeError, "open the file in binary mode"),
        ({"name": NAME}, TypeError, "A dict cannot be submitted"),
        (5, TypeError, "A int cannot be submitted"),
        (None, TypeError, "A NoneType cannot be submitted"),
        ([{"name": NAME}], TypeError, "gives dict, not bytes. Rows as mappings go to score_many"),
        ([NAME], TypeError, "gives str, not bytes"),
    ],
)
def test_what_cannot_be_submitted_gets_a_sentence(
    client: Any, source: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        client.submit(source, format="csv")
    assert NAME not in str(caught.value)


def test_a_stream_that_gives_text_gets_a_sentence(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(NAME)
    with path.open() as file, pytest.raises(TypeError, match="binary mode"):
        client.submit(file)


def test_a_path_of_any_name_is_a_path_where_there_is_a_file(client: Any, world: World, tmp_path: Path) -> None:
    for number, name in enumerate(("a\nb.csv", "{a}.csv", "[b].csv")):
        (tmp_path / name).write_bytes(b"A")
        client.submit(str(tmp_path / name))
        assert world.bodies[number] == b"A"


@pytest.mark.parametrize(
    ("keep", "sent"),
    [
        (["A", "B"], ["A", "B"]),
        (["nom, prénom"], ["nom, prénom", ""]),
        (["nom, prénom", "A"], ["nom, prénom", "A"]),
        (("A",), ["A"]),
        ("A,B", ["A,B"]),
        ([], []),
    ],
)
def test_columns_to_keep_are_named_one_by_one(client: Any, world: World, keep: Any, sent: list[str]) -> None:
    client.submit(b"A", format="csv", keep=keep)
    client.submit_uri("s3://b/x.csv", "s3://b/y.csv", keep=keep)
    assert world.queries == [[("keep", name) for name in sent]] * 2


def test_the_charset_of_a_text_is_said(client: Any, world: World) -> None:
    client.submit(b"A", format="csv", charset="windows-1252")
    assert world.headers[0]["content-type"] == "text/csv; charset=windows-1252"


@pytest.mark.parametrize(
    ("name", "inner", "query"),
    [
        ("portfolio.zip", ["rows.csv"], {"name": "portfolio.zip"}),
        ("portfolio.zip", ["folder/", "folder/rows.tsv", "__MACOSX/._rows.tsv"], {"name": "portfolio.zip", "delimiter": "\t"}),
        ("portfolio.zip", [".DS_Store", "folder/.DS_Store", "rows.tsv"], {"name": "portfolio.zip", "delimiter": "\t"}),
        ("rows.csv.zip", ["anything"], {"name": "rows.csv.zip"}),
    ],
)  # fmt: skip
def test_an_archive_is_sent_as_what_is_in_it(
    client: Any, world: World, tmp_path: Path, name: str, inner: list[str], query: dict[str, str]
) -> None:
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for each in inner:
            archive.writestr(each, "")
    client.submit(tmp_path / name)
    assert (world.headers[0]["content-type"], world.headers[0]["content-encoding"]) == ("text/csv", "zip")
    assert dict(world.queries[0]) == query
    assert world.bodies[0] == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_the_format_of_an_archive_that_does_not_tell_it_is_asked_for(
    client: Any, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "portfolio.zip").write_bytes(content)
    with pytest.raises(ValueError, match="Specify the format"):
        client.submit(tmp_path / "portfolio.zip")

"""Columns that are wrong for all rows have the same verdict in every format, whether it names them once or row by row."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.contract.validated import Validated
from shared.errors import WrongColumns
from shared.formats import arrow, csv_rows, ndjson, parquet
from shared.formats.json_rows import validated_from_document
from shared.formats.json_slices import SLICE_ROWS
from shared.formats.source import LocalFile, ReadOptions
from tests.factories import INPUTS, make_contract, make_rows

CONTRACT = make_contract(INPUTS)
OPTIONAL = make_contract([column | {"required": False} for column in INPUTS])
ROWS = [{name: row.get(name) for name in CONTRACT.names} | {"id": 100} for row in make_rows(3)]
VALUES = ["Jean Martin", "1500.5", "42", "true", "2", "31/01/1980"]

Rows = Sequence[Mapping[str, Any]]
Read = Callable[[Rows, tuple[str, ...]], list[Validated]]


def table_of(rows: Rows) -> pa.Table:
    return pa.table({name: [row.get(name) for row in rows] for name in rows[0]})


def as_csv(rows: Rows) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table_of(rows), sink)
    return bytes(sink.getvalue())


def as_arrow(rows: Rows) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table_of(rows).schema) as writer:
        writer.write_table(table_of(rows))
    return bytes(sink.getvalue())


def as_ndjson(rows: Rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_split(rows: Rows) -> bytes:
    data = [list(row.values()) for row in rows]
    return json.dumps({"dataframe_split": {"columns": list(rows[0]), "data": data}}).encode()


def as_columns(rows: Rows) -> bytes:
    return json.dumps({"columns": table_of(rows).to_pydict()}).encode()


FILES: dict[str, tuple[Callable[[Rows], bytes], Any]] = {
    "csv": (as_csv, csv_rows.read),
    "parquet": (as_parquet, parquet.read),
    "arrow": (as_arrow, arrow.read_file),
    "ndjson": (as_ndjson, ndjson.read),
    "json array": (lambda rows: json.dumps(rows).encode(), None),
    "json records": (lambda rows: json.dumps({"dataframe_records": rows}).encode(), None),
    "json split": (as_split, None),
    "json columns": (as_columns, None),
}


@pytest.fixture(params=FILES)
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Read]:
    write, read_file = FILES[request.param]

    def read(rows: Rows, keep: tuple[str, ...], contract: Any = CONTRACT) -> list[Validated]:
        options = ReadOptions(keep=keep)
        if read_file is None:
            return list(validated_from_document(write(rows), contract, options))
        path = tmp_path / "rows"
        path.write_bytes(write(rows))
        return list(read_file(LocalFile(path), options, contract))

    yield read


def renamed(names: Callable[[str], str]) -> list[dict[str, Any]]:
    return [{names(name): value for name, value in row.items()} for row in ROWS]


def rejected(read: Callable[..., list[Validated]], rows: Rows, *rest: Any) -> WrongColumns:
    with pytest.raises(WrongColumns) as caught:
        read(rows, *rest)
    return caught.value


def test_a_misspelt_column_to_keep_is_named(read: Read) -> None:
    error = rejected(read, ROWS, ("id", "customer"))
    assert (error.reason.type, error.reason.params) == ("kept-columns-missing", {"columns": ["customer"]})


def test_a_column_to_keep_that_is_nearly_there_is_told_as_such(read: Read) -> None:
    error = rejected(read, ROWS, ("ID",))
    assert error.reason.type == "columns-misspelt"
    assert error.reason.params == {"columns": ["id"], "expected": ["ID"]}


def test_an_optional_feature_that_is_not_there_cannot_be_kept(read: Read) -> None:
    rows = [{name: value for name, value in row.items() if name != "highest"} for row in ROWS]
    error = rejected(read, [{**row, "id": 1} for row in rows], ("highest", "id"))
    assert (error.reason.type, error.reason.params) == ("kept-columns-missing", {"columns": ["highest"]})


def test_a_column_that_is_empty_all_over_is_kept(read: Read) -> None:
    checked = read([row | {"id": None} for row in ROWS], ("id",))
    assert [part.kept.to_pydict() for part in checked if part.kept is not None] == [{"id": [None] * 3}]


@pytest.mark.parametrize("contract", [CONTRACT, OPTIONAL])
def test_names_in_upper_case_are_told_as_such(read: Callable[..., list[Validated]], contract: Any) -> None:
    error = rejected(read, renamed(str.upper), (), contract)
    assert error.reason.type == "columns-misspelt"
    assert "found 'INCOME', 'AGE'" in str(error)


def test_names_that_are_a_row_of_values_are_not_repeated(read: Read) -> None:
    names = dict(zip(CONTRACT.names, VALUES, strict=True))
    error = rejected(read, renamed(lambda name: names.get(name, "12/12/2012")), ())
    assert error.reason.type in ("csv-header-missing", "columns-look-like-values")
    assert not [value for value in VALUES if value in str(error) or value in str(error.reason.params)]


@pytest.mark.parametrize("read", ["ndjson", "json array"], indirect=True)
@pytest.mark.parametrize("before", [1, 3 * SLICE_ROWS])
def test_a_column_to_keep_may_appear_in_a_later_row(read: Read, before: int) -> None:
    without = {name: value for name, value in ROWS[0].items() if name != "id"}
    slices = read([*[without] * before, ROWS[0]], ("id",))
    kept = [value for part in slices if part.kept for value in part.kept.column("id").to_pylist()]
    assert kept == [None] * before + [100]


@pytest.mark.parametrize("read", ["ndjson", "json array"], indirect=True)
def test_a_column_to_keep_that_only_an_invalid_row_has_is_there(read: Read) -> None:
    without = {name: value for name, value in ROWS[0].items() if name != "id"}
    [checked] = read([without, {"income": "much", "id": 5}], ("id",))
    assert checked.report.invalid_rows == 1
    assert checked.kept is not None
    assert checked.kept.to_pydict() == {"id": [None, 5]}


@pytest.mark.parametrize("read", ["ndjson", "json array"], indirect=True)
def test_rows_of_which_some_are_named_right_are_judged_one_by_one(read: Read) -> None:
    [checked] = read([*renamed(str.upper), ROWS[0]], ())
    assert checked.report.invalid_rows == 3

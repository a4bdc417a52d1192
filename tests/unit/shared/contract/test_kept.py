"""What is kept comes back from every format of results as it was, or is found invalid before anything is scored."""

import csv
import io
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.contract.columns import validate_columns
from shared.errors import WrongColumns
from shared.formats.format import Format
from shared.formats.writers import encode, json_rows
from tests.factories import make_contract

CONTRACT = make_contract([{"name": "amount", "type": "double"}])

FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)
KINDS: dict[str, tuple[pa.DataType, list[Any], list[str]]] = {
    # name: type, values, the same as text
    "bool": (pa.bool_(), [True, False], ["true", "false"]),
    "int64": (pa.int64(), [-(2**63), 2**63 - 1], [str(-(2**63)), str(2**63 - 1)]),
    "uint64": (pa.uint64(), [0, 2**64 - 1], ["0", str(2**64 - 1)]),
    "float16": (pa.float16(), [np.float16(0.5), np.float16(-2)], ["0.5", "-2"]),
    "float64": (pa.float64(), [0.1, 1e-320], ["0.1", "1e-320"]),
    "string": (pa.string(), ["é", "a,b"], ["é", "a,b"]),
    "string_view": (pa.string_view(), ["a text of more than twelve bytes", "b"], ["a text of more than twelve bytes", "b"]),
    "large_string": (pa.large_string(), ["a", "b"], ["a", "b"]),
    "date32": (pa.date32(), [date.min, date.max], ["0001-01-01", "9999-12-31"]),
    "date64": (pa.date64(), [date.min, date.max], ["0001-01-01", "9999-12-31"]),
    "time": (pa.time32("s"), [time(0), time(23, 59, 59)], ["00:00:00", "23:59:59"]),
    "seconds": (pa.timestamp("s"), [FIRST, LAST], ["0001-01-01T00:00:00", "9999-12-31T23:59:59"]),
    "micros": (pa.timestamp("us", "UTC"), [FIRST.replace(tzinfo=UTC), LAST.replace(tzinfo=UTC)],
               ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]),
    "nanos": (pa.timestamp("ns"), [-(2**63) + 1, 2**63 - 1],
              ["1677-09-21T00:12:43.145224193", "2262-04-11T23:47:16.854775807"]),
    "decimal": (pa.decimal128(5, 2), [Decimal("-1.25"), Decimal("100.00")], ["-1.25", "100.00"]),
    "thousands": (pa.decimal128(5, -3), [Decimal("12345E3"), Decimal("-1E3")], ["12345000", "-1000"]),
    "wide thousands": (pa.decimal128(38, -10), [Decimal("1E30"), Decimal("0")], [f"1{'0' * 30}", "0"]),
    "more decimals than digits": (pa.decimal128(5, 10), [Decimal("12E-10"), Decimal("-5E-10")], ["1.2E-9", "-5E-10"]),
}  # fmt: skip


def kept(column: pa.Array) -> Any:
    rows = pa.record_batch([pa.array([1.0] * len(column)), column], names=["amount", "kept"])
    return validate_columns(CONTRACT, rows, 0, ["kept"])


def plainly(column: pa.Array) -> pa.Array:
    return column


def in_dictionary(column: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(range(len(column)), pa.int8()), column)


def in_two_dictionaries(column: pa.Array) -> pa.Array:
    return in_dictionary(in_dictionary(column))


def in_runs(column: pa.Array) -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array(range(1, len(column) + 1), pa.int32()), column)


def in_runs_of_a_dictionary(column: pa.Array) -> pa.Array:
    return in_runs(in_dictionary(column))


def as_part_of_more(column: pa.Array) -> pa.Array:
    more = pa.concat_arrays([column, column, column])
    return in_runs(more).slice(2, 2)


ENCODINGS = [plainly, in_dictionary, in_two_dictionaries, in_runs, in_runs_of_a_dictionary, as_part_of_more]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("kind", "values", "texts"), KINDS.values(), ids=KINDS.keys())
def test_every_format_gives_back_what_was_kept(
    kind: pa.DataType, values: list[Any], texts: list[str], encoding: Any
) -> None:
    column = pa.array([values[0], values[1]], kind)
    checked = kept(encoding(column))
    assert not checked.report.invalid_values
    batch = checked.kept
    files = {form: b"".join(encode(form, batch.schema, [batch])) for form in Format if form is not Format.JSON}
    assert [row[0] for row in csv.reader(io.StringIO(files[Format.CSV].decode()))][1:] == texts
    lines = files[Format.NDJSON].decode().splitlines()
    assert [line.removeprefix('{"kept":').removesuffix("}").strip('"') for line in lines] == texts
    assert [json.loads(line) for line in lines] == json_rows(batch)
    parquet = pq.read_table(io.BytesIO(files[Format.PARQUET]))["kept"]
    arrow = pa.ipc.open_file(files[Format.ARROW]).read_all()["kept"]
    stream = pa.ipc.open_stream(files[Format.ARROW_STREAM]).read_all()["kept"]
    assert parquet.to_pylist() == arrow.to_pylist() == stream.to_pylist() == column.to_pylist()


DAY = 86_400
YEAR_0, YEAR_10000 = -719_163, 2_932_897
"""The days next to those that can be written, from 1970 on."""


@pytest.mark.parametrize(
    ("kind", "bits", "numbers"),
    [
        (pa.date32(), pa.int32(), [YEAR_0, YEAR_10000, 2**31 - 1, -(2**31)]),
        (pa.date64(), pa.int64(), [YEAR_0 * DAY * 1000, YEAR_10000 * DAY * 1000]),
        (pa.timestamp("s"), pa.int64(), [YEAR_0 * DAY, YEAR_10000 * DAY, 2**62, -(2**63)]),
        (pa.timestamp("ms", "Europe/Paris"), pa.int64(), [(YEAR_0 + 1) * DAY * 1000 - 1, 2**63 - 1]),
        (pa.timestamp("us", "UTC"), pa.int64(), [YEAR_10000 * DAY * 10**6, -(2**63)]),
    ],
)
@pytest.mark.parametrize("encoding", ENCODINGS[:4])
def test_a_date_that_not_every_format_can_write_is_invalid(
    kind: pa.DataType, bits: pa.DataType, numbers: list[int], encoding: Any
) -> None:
    column = pa.array([0, None, *numbers], bits).view(kind)
    checked = kept(encoding(column))
    assert [(value.row, value.column, value.type) for value in checked.report.errors] == [
        (row, "kept", "kept_date") for row in range(2, 2 + len(numbers))
    ]
    assert checked.kept["kept"].null_count == 1 + len(numbers)
    assert checked.words.to_pylist() == [
        None,
        None,
        *["kept: Kept date should be in the years 1 to 9999"] * len(numbers),
    ]


@pytest.mark.parametrize(
    "kind",
    [
        pa.decimal256(76, -1),
        pa.decimal256(2, 77),
        pa.binary(),
        pa.binary_view(),
        pa.duration("s"),
        pa.month_day_nano_interval(),
        pa.list_(pa.int8()),
        pa.struct([("a", pa.int8())]),
        pa.sparse_union([pa.field("a", pa.int8())]),
        pa.uuid(),
        pa.dictionary(pa.int8(), pa.binary()),
    ],
    ids=str,
)
def test_a_type_that_not_every_format_can_write_is_named(kind: pa.DataType) -> None:
    with pytest.raises(WrongColumns) as caught:
        kept(pa.nulls(2, kind))
    assert caught.value.reason.type == "kept-column-type"
    assert caught.value.reason.params["column"] == "kept"

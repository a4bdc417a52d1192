"""Result files are read again with the readers that people use."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from shared.formats import writers
from shared.formats.format import Format
from shared.formats.writers import GROUP_ROWS, PIECE_BYTES, encode, json_rows

FILES = [Format.CSV, Format.NDJSON, Format.PARQUET, Format.ARROW, Format.ARROW_STREAM]
COLUMNAR = [Format.PARQUET, Format.ARROW, Format.ARROW_STREAM]

NOON = datetime(2024, 7, 1, 12, 30, 1, 250)
TEXTS = [
    "plain",
    "café ☕ 𝄞",
    'say "no"',
    "a,b;c",
    "two\nlines\r\nmore",
    "",
    " blank ",
    "\x00\x01\x1f\\\b\f\t\x7f",
    "null",
    None,
]

EXACT: dict[str, tuple[pa.DataType, list[Any], list[Any]]] = {
    # name: type, values, the same as JSON has them
    "int8": (pa.int8(), [-128, 127, None], [-128, 127, None]),
    "int64": (pa.int64(), [-(2**63), 2**63 - 1, None], [-(2**63), 2**63 - 1, None]),
    "uint64": (pa.uint64(), [0, 2**64 - 1, None], [0, 2**64 - 1, None]),
    "bool": (pa.bool_(), [True, False, None], [True, False, None]),
    "float32": (pa.float32(), [0.5, 0.1, None], [0.5, 0.1, None]),
    "float16": (pa.float16(), [np.float16(0.5), np.float16(-2), None], [0.5, -2.0, None]),
    "float64": (pa.float64(), [0.1, 1e-320, None], [0.1, 1e-320, None]),
    "null": (pa.null(), [None], [None]),
    "decimal": (pa.decimal128(20, 2), [Decimal("-1.20"), Decimal("123456789012345678.01"), None],
                ["-1.20", "123456789012345678.01", None]),
    "date32": (pa.date32(), [date(2024, 2, 29), date(1, 1, 1), None], ["2024-02-29", "0001-01-01", None]),
    "date64": (pa.date64(), [date(2024, 2, 29), None], ["2024-02-29", None]),
    "time": (pa.time64("us"), [time(1, 2, 3), time(1, 2, 3, 400), None], ["01:02:03", "01:02:03.0004", None]),
    "seconds": (pa.timestamp("s"), [datetime(2024, 7, 1), None], ["2024-07-01T00:00:00", None]),
    "micros": (pa.timestamp("us"), [NOON, datetime(9999, 12, 31)], ["2024-07-01T12:30:01.00025", "9999-12-31T00:00:00"]),
    "nanos": (pa.timestamp("ns"), [1_000_000_001, 10**10], ["1970-01-01T00:00:01.000000001", "1970-01-01T00:00:10"]),
    "utc": (pa.timestamp("us", "UTC"), [NOON.replace(tzinfo=UTC), None], ["2024-07-01T12:30:01.00025Z", None]),
    "offset": (pa.timestamp("ms", "+02:00"), [datetime(2024, 7, 1, tzinfo=UTC), None], ["2024-07-01T00:00:00Z", None]),
    "string": (pa.string(), TEXTS, TEXTS),
    "large_string": (pa.large_string(), TEXTS, TEXTS),
    "string_view": (pa.string_view(), TEXTS, TEXTS),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), [*TEXTS, *TEXTS], [*TEXTS, *TEXTS]),
    "numbers": (pa.dictionary(pa.int32(), pa.int64()), [5, 5, None], [5, 5, None]),
}  # fmt: skip
KINDS = pytest.mark.parametrize(("kind", "values", "in_json"), EXACT.values(), ids=EXACT.keys())


def batch_of(**columns: pa.Array) -> pa.RecordBatch:
    return pa.record_batch(list(columns.values()), names=list(columns))


def numbered(kind: pa.DataType, values: list[Any]) -> pa.RecordBatch:
    """A column of the values, beside the row's number, so that no line is blank."""
    return batch_of(row=pa.array(range(len(values))), value=pa.array(values, kind))


def whole(format: Format, *batches: pa.RecordBatch) -> bytes:
    return b"".join(encode(format, batches[0].schema, iter(batches)))


def table_of(format: Format, data: bytes) -> pa.Table:
    if format is Format.PARQUET:
        return pq.read_table(io.BytesIO(data))
    opened = pa.ipc.open_file(data) if format is Format.ARROW else pa.ipc.open_stream(data)
    return opened.read_all()


def csv_of(*batches: pa.RecordBatch) -> list[list[str]]:
    text = whole(Format.CSV, *batches).decode()
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def ndjson_of(*batches: pa.RecordBatch) -> list[dict[str, Any]]:
    lines = whole(Format.NDJSON, *batches).split(b"\n")
    assert lines.pop() == b""
    return [json.loads(line) for line in lines]


def csv_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def same_number(text: str, value: Any) -> bool:
    return text == value or (bool(text and value) and float(text) == float(value))


@KINDS
def test_every_scalar_is_exact_in_ndjson_and_on_a_page(
    kind: pa.DataType, values: list[Any], in_json: list[Any]
) -> None:
    batch = numbered(kind, values)
    expected = [{"row": i, "value": value} for i, value in enumerate(in_json)]
    assert ndjson_of(batch) == expected
    assert json_rows(batch) == expected
    assert json.loads(json.dumps(json_rows(batch), allow_nan=False)) == expected


@KINDS
def test_every_scalar_is_exact_in_csv(kind: pa.DataType, values: list[Any], in_json: list[Any]) -> None:
    header, *rows = csv_of(numbered(kind, values))
    assert header == ["row", "value"]
    # All that begins with a tab, line break or sign is tested further down.
    assert all(same_number(text, csv_text(value)) for (_, text), value in zip(rows, in_json, strict=True))


@pytest.mark.parametrize("format", COLUMNAR)
@KINDS
def test_every_scalar_keeps_its_type_in_columnar_files(
    format: Format, kind: pa.DataType, values: list[Any], in_json: list[Any]
) -> None:
    batch = numbered(kind, values)
    table = table_of(format, whole(format, batch))
    # Parquet has no whole seconds.
    expected = pa.timestamp("ms") if format is Format.PARQUET and kind == pa.timestamp("s") else kind
    if not (format is Format.PARQUET and (kind == pa.date64() or pa.types.is_dictionary(kind))):
        assert table.schema.field("value").type == expected
    assert table.column("value").to_pylist() == batch.column("value").to_pylist()


def test_random_doubles_are_the_same_bit_for_bit_in_text() -> None:
    bits = np.random.default_rng(1).integers(0, 2**64, 10_000, dtype=np.uint64).view(np.float64)
    doubles = np.concatenate(
        [bits[np.isfinite(bits)], np.random.default_rng(2).random(5_000), [-0.0, 0.0, 1e22, 5e-324]]
    )
    batch = batch_of(value=pa.array(doubles))
    for read in (
        np.array([float(text) for [text] in csv_of(batch)[1:]]),
        np.array([float(row["value"]) for row in ndjson_of(batch)]),
        np.array([row["value"] for row in json_rows(batch)]),
    ):
        assert (read.view(np.uint64) == doubles.view(np.uint64)).all()


def test_what_is_not_finite_is_missing_but_infinity_can_be_told_in_csv() -> None:
    for kind in (pa.float16(), pa.float32(), pa.float64()):
        odd = pa.array(np.array([np.nan, np.inf, -np.inf, 1.5], kind.to_pandas_dtype()))
        batch = numbered(kind, odd.to_pylist())
        assert [row["value"] for row in ndjson_of(batch)] == [None, None, None, 1.5]
        assert [row["value"] for row in json_rows(batch)] == [None, None, None, 1.5]
        assert [text for _, text in csv_of(batch)[1:]] == ["", "inf", "-inf", "1.5"]


def test_empty_text_and_null_differ_in_csv() -> None:
    batch = batch_of(id=pa.array([1, 2]), text=pa.array(["", None]))
    assert whole(Format.CSV, batch) == b'id,text\r\n1,""\r\n2,\r\n'
    options = pa.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
    read = pa.csv.read_csv(io.BytesIO(whole(Format.CSV, batch)), convert_options=options)
    assert read.column("text").to_pylist() == ["", None]


def test_the_last_column_may_be_null_and_a_lone_null_is_a_row() -> None:
    assert whole(Format.CSV, batch_of(a=pa.array([None, "x"], pa.string()))) == b'a\r\n""\r\nx\r\n'
    dictionary = pa.array([None, "x", None]).dictionary_encode()
    assert whole(Format.CSV, batch_of(a=pa.array([1, 2, 3]), b=dictionary)) == b"a,b\r\n1,\r\n2,x\r\n3,\r\n"


def test_pandas_reads_what_was_written() -> None:
    batch = results(1000)
    frame = pd.read_csv(io.BytesIO(whole(Format.CSV, batch)))
    lines = pd.read_json(io.BytesIO(whole(Format.NDJSON, batch)), lines=True, precise_float=True)
    for read in (frame, lines, pd.read_parquet(io.BytesIO(whole(Format.PARQUET, batch)))):
        assert read["id"].tolist() == batch.column("id").to_pylist()
        assert read["decision"].tolist() == batch.column("decision").to_pylist()
    assert frame["score"].tolist() == batch.column("score").to_pylist()


def test_pyarrow_reads_line_breaks_and_quotes_in_csv() -> None:
    batch = batch_of(row=pa.array(range(len(TEXTS))), value=pa.array(TEXTS))
    parsing = pa.csv.ParseOptions(newlines_in_values=True)
    converting = pa.csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
    read = pa.csv.read_csv(io.BytesIO(whole(Format.CSV, batch)), parse_options=parsing, convert_options=converting)
    assert read.column("value").to_pylist() == TEXTS


@pytest.mark.parametrize("name", ['a "b"', "a,b", "two\nlines", "é☕", "back\\slash", "\x01", ""])
@pytest.mark.parametrize("format", FILES)
def test_a_column_may_have_any_name(format: Format, name: str) -> None:
    batch = pa.record_batch([pa.array([1]), pa.array([2])], names=[name, "other"])
    match format:
        case Format.CSV:
            assert csv_of(batch) == [[name, "other"], ["1", "2"]]
        case Format.NDJSON:
            assert ndjson_of(batch) == [{name: 1, "other": 2}] == json_rows(batch)
        case _:
            assert table_of(format, whole(format, batch)).column_names == [name, "other"]


FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\rx", "\n=1", "=", "-", "+-5", "--5", "-5-", "+1e", "-.",
            " =1", "\u00a0=1", "\ufeff=1", "\u200b=1", "\x00=1", "\uff1d1+1", "\uff0b1", "\uff0d1+x", "\uff20A1", "=\n1", "-1,2,3",
            "-5\n", "-5;=1", "=5"]  # fmt: skip
HARMLESS = ["-5", "+3.2e1", "-5,25", "+.5", "-1E-7", "+5.", "a=1", "'=1", '"=1"', "x-y", "1-1", "", " x", "a\t=1", "5",
            "é@b"]  # fmt: skip


@pytest.mark.parametrize("encoded", [False, True])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(encoded: bool) -> None:
    texts = pa.array([*FORMULAS, *HARMLESS, None])
    batch = batch_of(id=pa.array(range(len(texts))), text=texts.dictionary_encode() if encoded else texts)
    assert [text for _, text in csv_of(batch)[1:]] == [*(f"'{text}" for text in FORMULAS), *HARMLESS, ""]


@pytest.mark.parametrize("name", FORMULAS)
def test_so_does_the_name_of_a_column(name: str) -> None:
    assert csv_of(pa.record_batch([pa.array([-1]), pa.array(["x"])], names=[name, "-5"]))[0] == [f"'{name}", "-5"]


def test_numbers_and_other_formats_are_left_alone() -> None:
    batch = batch_of(amount=pa.array([-1.5]), low=pa.array([Decimal("-1.50")]), text=pa.array(["=1"]))
    assert csv_of(batch)[1] == ["-1.5", "-1.50", "'=1"]
    assert ndjson_of(batch) == json_rows(batch) == [{"amount": -1.5, "low": "-1.50", "text": "=1"}]


def results(rows: int, start: int = 0) -> pa.RecordBatch:
    scores = np.random.default_rng(start).random(rows)
    outcome = pa.array((scores >= 0.5).astype(np.int8))
    return batch_of(
        id=pa.array(range(start, start + rows), pa.int64()),
        score=pa.array(scores),
        prediction=outcome,
        decision=pa.DictionaryArray.from_arrays(outcome, pa.array(["Accordé", "Refusé"])),
        error=pa.array([None] * rows, pa.string()),
    )


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("sizes", [[], [0], [0, 0, 0], [5, 0, 3]])
def test_empty_files_and_empty_batches_are_valid(format: Format, sizes: list[int]) -> None:
    batches = [results(size) for size in sizes]
    schema = results(0).schema
    data = b"".join(encode(format, schema, iter(batches)))
    match format:
        case Format.CSV:
            assert data.startswith(b"id,score,prediction,decision,error\r\n")
            assert data.count(b"\r\n") == 1 + sum(sizes)
        case Format.NDJSON:
            assert data.count(b"\n") == sum(sizes)
        case _:
            table = table_of(format, data)
            assert (table.schema, table.num_rows) == (schema, sum(sizes))


@pytest.mark.parametrize("format", COLUMNAR)
def test_metadata_of_the_schema_is_kept(format: Format) -> None:
    schema = results(3).schema.with_metadata({"model_version": "v1", "threshold": "0.5"})
    data = b"".join(encode(format, schema, iter([results(3)])))
    assert table_of(format, data).schema.metadata == schema.metadata


@pytest.mark.parametrize("format", FILES)
def test_the_same_batches_give_the_same_bytes(format: Format) -> None:
    batches = [results(20_000, start) for start in (0, 20_000)]
    assert list(encode(format, batches[0].schema, iter(batches))) == list(
        encode(format, batches[0].schema, iter(batches))
    )


@pytest.mark.parametrize("format", FILES)
def test_pieces_are_small_even_of_large_rows(format: Format) -> None:
    texts = [np.random.default_rng(0).bytes(1_500_000).hex(), "short", None]
    batch = batch_of(id=pa.array(range(3)), text=pa.array(texts))
    pieces = list(encode(format, batch.schema, iter([batch])))
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert all(pieces)
    data = b"".join(pieces)
    if format in COLUMNAR:
        assert table_of(format, data).column("text").to_pylist() == texts
    elif format is Format.NDJSON:
        assert [json.loads(line)["text"] for line in data.splitlines()] == texts


def test_the_number_of_rows_at_a_time_follows_their_size(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = results(100)
    expected = csv_of(batch)
    monkeypatch.setattr(writers, "SLICE_BYTES", batch.nbytes // 7)
    assert csv_of(batch) == expected
    monkeypatch.setattr(writers, "SLICE_BYTES", 1)
    assert csv_of(batch) == expected


@pytest.mark.parametrize("format", FILES)
def test_a_file_is_made_as_the_batches_come(format: Format) -> None:
    asked: list[int] = []
    rows = GROUP_ROWS - 1 if format is Format.PARQUET else 10_000

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(3):
            asked.append(number)
            yield results(rows, number)

    pieces = encode(format, results(0).schema, batches())
    assert asked == []
    seen: list[int] = []
    for piece in pieces:
        seen.append(len(asked))
        assert piece
    assert sum(count < 3 for count in seen) > 1


@pytest.mark.parametrize("format", FILES)
def test_a_writer_may_be_dropped_and_a_failing_source_is_heard(format: Format) -> None:
    def failing() -> Iterable[pa.RecordBatch]:
        yield results(GROUP_ROWS if format is Format.PARQUET else 10_000)
        raise KeyError("storage")

    schema = results(0).schema
    pieces = encode(format, schema, iter(failing()))
    assert next(iter(pieces))
    pieces.close()  # type: ignore[attr-defined]
    with pytest.raises(KeyError, match="storage"):
        list(encode(format, schema, iter(failing())))


def test_row_groups_do_not_depend_on_the_batches() -> None:
    sizes = [GROUP_ROWS - 1, 2, GROUP_ROWS + 5, 1]
    batches = [results(size, number) for number, size in enumerate(sizes)]
    file = pq.ParquetFile(io.BytesIO(whole(Format.PARQUET, *batches)))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [GROUP_ROWS, GROUP_ROWS, 7]
    assert file.read().equals(pa.Table.from_batches(batches))


def test_slices_of_batches_are_written_as_what_they_show() -> None:
    part = results(50).slice(10, 7)
    assert [row[0] for row in csv_of(part)[1:]] == [str(i) for i in range(10, 17)]
    assert ndjson_of(part) == json_rows(part) == results(50).slice(10, 7).to_pylist()


def test_a_large_dictionary_is_not_written_out_for_few_rows() -> None:
    dictionary = pa.array([f"={i}" for i in range(100)])
    column = pa.DictionaryArray.from_arrays(pa.array([99, None, 0]), dictionary)
    assert csv_of(batch_of(row=pa.array([1, 2, 3]), text=column))[1:] == [["1", "'=99"], ["2", ""], ["3", "'=0"]]


def test_json_is_not_a_file() -> None:
    with pytest.raises(ValueError, match="json"):
        encode(Format.JSON, results(0).schema, iter([]))

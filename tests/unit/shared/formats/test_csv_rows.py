"""CSV files: the same verdict and the same bits as for columns, and a line number for what is no CSV."""

import csv
import io
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import psutil
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.columns import validate_columns
from shared.contract.validated import Validated
from shared.errors import MalformedInput, Report, WrongColumns
from shared.formats import csv_rows
from shared.formats.csv_blocks import MAX_RECORD_BYTES
from shared.formats.csv_rows import read
from shared.formats.csv_values import MISSING_WORDS
from shared.formats.source import Check, ReadOptions
from shared.reasons import InvalidValue
from tests.factories import make_contract

CONTRACT = make_contract(
    [
        {"name": "amount", "type": "double"},
        {"name": "age", "type": "long"},
        {"name": "flag", "type": "boolean", "required": False},
        {"name": "word", "type": "string", "required": False},
        {"name": "step", "type": "long", "required": False},
        {"name": "most", "type": "double", "required": False},
    ],
    {"amount": {"ge": 0}, "age": {"ge": 18, "le": 100}, "step": {"values": [0, 1]}},
    [["amount", "most"]],
)
ONE = {
    kind: make_contract([{"name": "x", "type": kind, "required": False}])
    for kind in ("double", "long", "boolean", "string")
}
HEADER = b"amount,age,flag,word,step,most\n"
GOOD = b"1.5,40,true,a,1,2\n"
MEGABYTE = 2**20
PLAIN = ReadOptions()
COMMA = ReadOptions(delimiter=";", decimal=",")


class Bytes:
    """A source that is in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        yield io.BytesIO(self.data)

    @contextmanager
    def local_file(self, _: Check) -> Iterator[Path]:
        raise NotImplementedError
        yield


class Endless(Bytes):
    """A source that repeats something for a long while, and is nowhere as a whole."""

    def __init__(self, start: bytes, repeated: bytes, times: int) -> None:
        self.start, self.repeated, self.times = start, repeated, times

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        pieces = iter([self.start, *[self.repeated] * self.times])

        class Stream(io.RawIOBase):
            rest = b""

            def readable(self) -> bool:
                return True

            def readinto(self, buffer: Any) -> int:
                self.rest = self.rest or next(pieces, b"")
                given, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
                buffer[: len(given)] = given
                return len(given)

        yield io.BufferedReader(Stream())


def slices(data: bytes, options: ReadOptions = PLAIN, contract: Any = CONTRACT) -> list[Validated]:
    return list(read(Bytes(data), options, contract))


def rows_of(data: bytes, options: ReadOptions = PLAIN, contract: Any = CONTRACT) -> list[dict[str, Any]]:
    checked = slices(data, options, contract)
    assert [error for part in checked for error in part.report.errors] == []
    return [row for part in checked for row in part.batch.to_pylist()]


def errors_of(data: bytes, options: ReadOptions = PLAIN, contract: Any = CONTRACT) -> list[InvalidValue]:
    return [error for part in slices(data, options, contract) for error in part.report.errors]


def field(text: str, kind: str, options: ReadOptions = PLAIN) -> Any:
    """The value of a lone field, or in brackets the type of what is wrong with it."""
    quoted = '"' + text.replace('"', '""') + '"'
    (checked,) = slices(f"x\n{quoted}\n".encode(), options, ONE[kind])
    return [error.type for error in checked.report.errors] or checked.batch.column(0)[0].as_py()


def field_beside_trouble(text: str, kind: str, options: ReadOptions = PLAIN) -> Any:
    """The same, with a bad field after it, for which the block is read the slow way."""
    quoted = '"' + text.replace('"', '""') + '"'
    (checked,) = slices(f"x\n{quoted}\nbad\n".encode(), options, ONE[kind])
    types = [error.type for error in checked.report.errors if error.row == 0]
    return types or checked.batch.column(0)[0].as_py()


# What is read


GOOD_ROW = {"amount": 1.5, "age": 40, "flag": True, "word": "a", "step": 1, "most": 2.0}


@pytest.mark.parametrize(
    "data",
    [
        HEADER + GOOD,
        HEADER + GOOD[:-1],
        b"\xef\xbb\xbf" + HEADER + GOOD,
        (HEADER + GOOD).replace(b"\n", b"\r\n"),
        b"\n\r\n" + HEADER + b"\n\r\n" + GOOD + b"\r\n\n\n",
        b'"amount","age","flag","word","step","most"\n"1.5","40","true","a","1","2"\n',
        b"most,step,other,word,flag,age,amount\n2,1,what,a,true,40,1.5\n",
        HEADER + b" 1.50,\t40 , true,a,1.0,2.\n",
        HEADER + b"+15e-1,4.0E1,TRUE,a,+1,0000000000000000000000000000000000000000000000000002\n",
    ],
)
def test_a_row_may_be_written_in_several_ways(data: bytes) -> None:
    assert rows_of(data) == [GOOD_ROW]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " ", "^"])
def test_the_delimiter_may_be_any_character(delimiter: str) -> None:
    data = (HEADER + GOOD).replace(b",", delimiter.encode())
    assert rows_of(data, ReadOptions(delimiter=delimiter)) == [GOOD_ROW]


def test_quotes_guard_delimiters_quotes_and_ends_of_lines() -> None:
    texts = ["a,b", 'say ""hi""', "two\nlines", "two\r\nlines", "a\rb", '""""', "né\u2028", " , "]
    data = HEADER + b"".join(f'1,40,,"{text}",,\n'.encode() for text in texts)
    assert [row["word"] for row in rows_of(data)] == [text.replace('""', '"') for text in texts]


def test_text_stands_as_it_is_and_only_an_empty_field_is_missing() -> None:
    texts = ["NA", "null", " ", "0x10", "", '""']
    data = HEADER + b"".join(f"1,40,,{text},,\n".encode() for text in texts)
    assert [row["word"] for row in rows_of(data)] == ["NA", "null", " ", "0x10", None, None]


def test_kept_columns_are_text_as_it_stands() -> None:
    data = b"id,amount,age,note\n007,1.50,40,NA\n1e3, 2,41.0,\n"
    contract = make_contract([{"name": "amount", "type": "double"}, {"name": "age", "type": "long"}])
    (checked,) = slices(data, ReadOptions(keep=("note", "id", "age", "amount")), contract)
    assert checked.kept is not None
    assert checked.kept.to_pydict() == {
        "note": ["NA", None],
        "id": ["007", "1e3"],
        "age": ["40", "41.0"],
        "amount": ["1.50", " 2"],
    }
    assert checked.batch.to_pydict() == {"amount": [1.5, 2.0], "age": [40, 41]}


def test_a_mark_in_the_middle_of_the_file_is_part_of_its_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 1)
    assert [row["x"] for row in rows_of("x\na\n\ufeffb\n".encode(), contract=ONE["string"])] == ["a", "\ufeffb"]


def test_an_optional_feature_may_be_absent() -> None:
    assert rows_of(b"amount,age\n1,40\n")[0]["most"] is None


def test_in_a_single_column_a_blank_line_is_no_row_but_quotes_are_a_missing_value() -> None:
    assert rows_of(b'x\n1\n\n""\n2', contract=ONE["double"]) == [{"x": 1.0}, {"x": None}, {"x": 2.0}]


# Numbers

SPELLINGS = """12|+1|-1|1.|.5|-.5|+.5|1e5|1E+05|1.e2|.5e1|007|-0|-0.0|0.1|0.30000000000000004|2.2250738585072011e-308|5e-324
|1e-400|1e-99999999999|0e99999999999|9007199254740993|123456789012345678901234567890|1.7976931348623157e308
|0.1000000000000000055511151231257827021181583404541015625000000000000000000000000000000000000000000000000000001"""
NO_NUMBERS = (
    "0x1p3|0x10|0X10|1_000|\u0661|\uff11|1,5|1 000|--1|+-1|1d5|1f|1e|1e+|e5|.|--|+|1 2|-nan|n a|nan(1)|true|abc"
    "|\xa012|12\n|1%|\u221e|1\u20ac"
)


@pytest.mark.parametrize("read_field", [field, field_beside_trouble])
@pytest.mark.parametrize("around", ["{}", " {}\t"])
def test_numbers_are_the_same_doubles_as_in_python(read_field: Any, around: str) -> None:
    for text in SPELLINGS.replace("\n", "").split("|"):
        assert math.copysign(1, float(text)) == math.copysign(1, value := read_field(around.format(text), "double"))
        assert value == float(text), text


@pytest.mark.parametrize("read_field", [field, field_beside_trouble])
@pytest.mark.parametrize(
    ("kind", "refusal"), [("double", "float_type"), ("long", "int_type"), ("boolean", "bool_type")]
)
def test_what_is_no_number_is_refused_as_text_is_in_json(read_field: Any, kind: str, refusal: str) -> None:
    for text in NO_NUMBERS.split("|"):
        if (kind, text) != ("boolean", "true"):
            assert read_field(text, kind) == [refusal], text
            assert read_field(f" {text}", kind) == [refusal], text


@pytest.mark.parametrize("read_field", [field, field_beside_trouble])
@pytest.mark.parametrize("kind", ["double", "long", "boolean"])
def test_what_is_missing(read_field: Any, kind: str) -> None:
    for text in ["", " ", " NaN", "NA\t", *MISSING_WORDS]:
        for written in (text, text.lower(), text.upper(), text.swapcase()):
            assert read_field(written, kind) is None, written


@pytest.mark.parametrize("kind", ["double", "long", "boolean", "string"])
def test_what_is_missing_as_the_caller_says(kind: str) -> None:
    good = {"boolean": "true", "string": "a"}.get(kind, "1")
    data = "\n".join(["x", good, "-999", "?", "unknown", ""]).encode() + b'""\n'
    [checked] = slices(data, ReadOptions(keep=("x",), missing=("-999", "?", "unknown")), ONE[kind])
    assert checked.batch.column("x").is_valid().to_pylist() == [True, False, False, False, False]
    # What is kept stands as it is.
    assert checked.kept is not None
    assert checked.kept.column("x").to_pylist() == [good, "-999", "?", "unknown", None]
    assert errors_of(b"x\nother\n", ReadOptions(missing=("?",)), ONE["double"])


@pytest.mark.parametrize("read_field", [field, field_beside_trouble])
def test_a_number_too_small_for_a_float_is_no_whole_number(read_field: Any) -> None:
    for text in ["1e-400", "-1e-400", "0.01e-9999", "0." + "0" * 400 + "1"]:
        assert read_field(text, "long") == ["int_from_float"], text
    for text in ["0e-400", "0.0", "-0.00", "00", "0." + "0" * 400]:
        assert read_field(text, "long") == 0, text


@pytest.mark.parametrize("read_field", [field, field_beside_trouble])
def test_infinite_numbers_are_refused(read_field: Any) -> None:
    for text in ["inf", "-inf", "Infinity", "+INFINITY", "1e400", " -1e400", "1e99999999999"]:
        assert read_field(text, "double") == ["finite_number"], text
        assert read_field(text, "long") == ["finite_number"], text


@pytest.mark.parametrize("read_field", [field, field_beside_trouble])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("59", 59),
        ("59.0", 59),
        ("+59.", 59),
        ("5.9e1", 59),
        ("059", 59),
        ("-0", 0),
        ("59.5", ["int_from_float"]),
        ("9007199254740993", 9007199254740993),
        ("9223372036854775807", 2**63 - 1),
        ("+9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9" + "0" * 10, 90_000_000_000),
        ("0" * 50 + "9223372036854775807", 2**63 - 1),
        ("9223372036854775808", ["less_than_equal"]),
        ("-9223372036854775809", ["greater_than_equal"]),
        ("9" * 60, ["less_than_equal"]),
        ("-" + "9" * 5000, ["greater_than_equal"]),
        ("1e30", ["int_size"]),
        ("1e18", 10**18),
    ],
)
def test_whole_numbers_may_be_written_in_any_way(read_field: Any, text: str, value: Any) -> None:
    assert read_field(text, "long") == value


def test_large_integers_keep_their_last_digit_beside_other_notations() -> None:
    (checked,) = slices(b'x\n9007199254740993\n5.0\n-9007199254740993\n\n7.5\n""\n1e3\n', contract=ONE["long"])
    assert [error.row for error in checked.report.errors] == [3]
    values = checked.batch.column(0).to_pylist()
    assert values[:3] + values[4:] == [9007199254740993, 5, -9007199254740993, None, 1000]


def test_a_value_has_its_own_reason_whatever_is_beside_it() -> None:
    odd = ["0.5", "x", "inf", "1e19", "-1e300", "1e-400", "-7.5", "9007199254740993", "5", "", "-inf", "1_0"]
    alone = {text: field(text, "long") for text in odd}
    for _ in range(50):
        random.shuffle(odd)
        (checked,) = slices("\n".join(["x", *(f'"{text}"' for text in odd), ""]).encode(), contract=ONE["long"])
        found = {odd[error.row or 0]: [error.type] for error in checked.report.errors}
        good = dict(zip(odd, checked.batch.column(0).to_pylist(), strict=True))
        assert good | found == alone


@pytest.mark.parametrize("read_field", [field, field_beside_trouble])
def test_booleans(read_field: Any) -> None:
    for text, value in {"true": True, "TRUE": True, "True ": True, "1": True, " false": False, "0": False}.items():
        assert read_field(text, "boolean") is value
    for text in ["yes", "t", "tRUE", "1.0", "01", "2", "-1"]:
        assert read_field(text, "boolean") == ["bool_type"], text


@pytest.mark.parametrize("read_field", [field, field_beside_trouble])
def test_a_decimal_comma(read_field: Any) -> None:
    for text, value in {"1,5": 1.5, ",5": 0.5, "5,": 5.0, "-1,25e1": -12.5, "7": 7.0, " 0,1": 0.1}.items():
        assert read_field(text, "double", COMMA) == value
    assert read_field("59,0", "long", COMMA) == 59
    for text in ["1.5", "1.000,5", "1,,5", "1,000,5"]:
        assert read_field(text, "double", COMMA) == ["float_type"], text
        assert read_field(text, "long", COMMA) == ["int_type"], text


def test_invalid_values_name_row_column_and_params_as_for_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", 40)
    data = HEADER + GOOD * 5 + b"x,17,,,,\n" + b"\n" + GOOD * 5 + b"3,40,,,2,\n,40,,,,\n5,40,maybe,,,4\n5,40,,,,4\n"
    assert errors_of(data) == [
        InvalidValue(5, "amount", "float_type"),
        InvalidValue(5, "age", "greater_than_equal", {"limit": 18}),
        InvalidValue(11, "step", "literal_error", {"values": [0, 1]}),
        InvalidValue(12, "amount", "null_not_allowed"),
        InvalidValue(13, "flag", "bool_type"),
        InvalidValue(14, "most", "not_ordered", {"other": "amount"}),
    ]


# What is no CSV


@pytest.mark.parametrize("size", [1, 30, 10_000])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty"),
        (b"\xef\xbb\xbf", "The file is empty"),
        (b"\n\r\n\n", "The file is empty"),
        (HEADER, "no rows"),
        (HEADER[:-1], "no rows"),
        (HEADER + b"\n\n\r\n", "no rows"),
        ((HEADER + GOOD).decode().encode("utf-16"), "UTF-16"),
        ((HEADER + GOOD).decode().encode("utf-16-le"), "Line 1 .* NUL"),
        (HEADER + GOOD + b"1,40,,\xe9t\xe9,,\n" + GOOD, "Line 3 is not UTF-8"),
        (b"amo\xfcnt,age\n1,2\n", "Line 1 is not UTF-8"),
        (HEADER + GOOD * 2 + b"1,40,,\0,,\n", "Line 4 .* NUL"),
        (HEADER + GOOD + b'1,40,,"\n\n",,\n\n' + b"1,2,3\n" + GOOD, "Line 7 has 3 fields, but the header has 6"),
        (HEADER + GOOD + GOOD[:-1] + b",\n", "Line 3 has 7 fields"),
        (HEADER + GOOD + b'1,40,,",,,\n",,\n 1,2', "Line 5 has 2 fields"),
        (HEADER + b"1,40,,a,,\n  \n", "Line 3 has 1 field,"),
        (HEADER + GOOD + b'1,40,,"open,,\n' + GOOD, "Line 3 opens a quote that is not closed"),
        (HEADER + GOOD + b'1,40,,5" pipe,,\n' + GOOD * 2, "Line 3 has a quote within a field"),
        (HEADER + b'1,40,,5" pipe,,\n1,40,,6" pipe,,\n', "Line 2 has a quote within a field"),
        (HEADER + GOOD + b'1,40,,"a"b,,\n' + GOOD, "Line 3 has a quote within a field"),
        (HEADER + b'1,40,, "a",,\n', "Line 2 has a quote within a field"),
        (HEADER + GOOD + b"1,40,,a,,\r1,40,,b,,\n", "Line 3 .* carriage return"),
        ((HEADER + GOOD).replace(b"\n", b"\r"), "Line 1 .* carriage return"),
        (b'"amount,age\n1,2\n', "Line 1 opens a quote"),
    ],
)
def test_what_is_no_csv_is_named_with_its_line(
    data: bytes, message: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", size)
    with pytest.raises(MalformedInput, match=message) as caught:
        slices(data)
    assert "pipe" not in str(caught.value)


def test_the_first_fault_of_the_file_is_the_one_that_is_told() -> None:
    with pytest.raises(MalformedInput, match="Line 3 has 2 fields"):
        slices(HEADER + GOOD + b"1,2\n" + GOOD * 10_000 + b'1,40,,"open')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ReadOptions(delimiter=""), "one ASCII character"),
        (ReadOptions(delimiter=";;"), "one ASCII character"),
        (ReadOptions(delimiter="·"), "one ASCII character"),
        (ReadOptions(delimiter='"'), "one ASCII character"),
        (ReadOptions(delimiter="\n"), "one ASCII character"),
        (ReadOptions(decimal=","), "must differ"),
        (ReadOptions(decimal="'"), "a point or a comma"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: ReadOptions, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        slices(HEADER + GOOD, options)


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        (b"amount,other", ReadOptions(), "Missing columns: 'age'"),
        (b"amount,age,agee", ReadOptions(), "Unknown columns: 'agee'"),
        (b"amount,Age", ReadOptions(), "must match exactly, in case and spaces: found 'Age', expected 'age'"),
        (b"amount, age", ReadOptions(), "found ' age', expected 'age'"),
        (b"amount,age,age", ReadOptions(), "more than once: 'age'"),
        (b"amount,age", ReadOptions(keep=("id",)), "'id'"),
        (b"amount,age,ID", ReadOptions(keep=("id",)), "found 'ID', expected 'id'"),
        (b"amount;age", ReadOptions(), "delimiter=;"),
        (b"amount\tage", ReadOptions(), "delimiter=%09"),
        (b"amount,age", ReadOptions(delimiter=";"), "delimiter=,"),
        (b"amount,age," + b"secret" * 100, ReadOptions(), "…"),
        (b"secret" * 100, ReadOptions(), "does not look like a header"),
    ],
)
def test_wrong_headers(header: bytes, options: ReadOptions, message: str) -> None:
    with pytest.raises(WrongColumns, match=message) as caught:
        slices(header + b"\n1,2,3\n", options)
    assert len(str(caught.value)) < 300


SEMICOLONS = (HEADER + GOOD).replace(b",", b";")


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"sep=;\n" + SEMICOLONS, PLAIN),
        (b"sep=;\r\n" + SEMICOLONS.replace(b"\n", b"\r\n"), PLAIN),
        (b"\xef\xbb\xbfSEP=;\n" + SEMICOLONS, PLAIN),
        (b'"sep=;"\n\n' + SEMICOLONS, PLAIN),
        (b"\n\nsep=;\n" + SEMICOLONS, PLAIN),
        (b"sep=\t\n" + (HEADER + GOOD).replace(b",", b"\t"), PLAIN),
        (b"sep=,\n" + HEADER + GOOD, PLAIN),
        (b"sep=;\n" + HEADER + GOOD, ReadOptions(delimiter=",")),
        (b"sep=,\n" + SEMICOLONS, ReadOptions(delimiter=";")),
        (b"sep=;\n" + SEMICOLONS.replace(b"1.5", b"1,5"), COMMA),
        (b"sep=;\n" + SEMICOLONS.replace(b"1.5", b"1,5"), ReadOptions(decimal=",")),
        (b"sep=\t\n" + SEMICOLONS.replace(b";", b"\t").replace(b"1.5", b"1,5"), ReadOptions(decimal=",")),
    ],
)
@pytest.mark.parametrize("size", [8, csv_rows.BLOCK_BYTES])
def test_a_first_line_for_excel_says_the_delimiter(
    data: bytes, options: ReadOptions, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "BLOCK_BYTES", size)
    assert rows_of(data, options) == [GOOD_ROW]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"sep=;\n" + HEADER + GOOD, "delimiter=,"),
        (b"sep=;\n" + SEMICOLONS + b"1;2\n", "Line 4 has 2 fields, but the header has 6"),
        (b"sep=;;\n" + SEMICOLONS, "delimiter=;"),
        (b"sep=\xe9\n" + SEMICOLONS, "one ASCII character"),
        (b"sep=\0\n" + SEMICOLONS, "one ASCII character"),
        (b"sep=;\n", "The file is empty"),
        (b"sep=;", "The file is empty"),
        (b"sep=;\nsep=;\n" + SEMICOLONS, "does not look like a header"),
    ],
)
def test_a_first_line_for_excel_is_no_other_than_that(data: bytes, message: str) -> None:
    with pytest.raises((MalformedInput, WrongColumns), match=message):
        slices(data)


@pytest.mark.parametrize("line", [b"", b"sep=,\n"])
def test_a_comma_is_not_both_signs_unless_the_file_says_another_delimiter(line: bytes) -> None:
    with pytest.raises(MalformedInput, match="must differ"):
        slices(line + HEADER + GOOD, ReadOptions(decimal=","))


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("Jean Martin,1500.5,40,true,car,1,2", ReadOptions()),
        ("Jean Martin,Lyon,amount", ReadOptions()),
        ("Jean Martin;1500,5;40;;car", COMMA),
        ("Jean Martin,1500.5,40", ReadOptions(keep=("id",))),
        ('"Martin, Jean","31 rue de la République",yes', ReadOptions(keep=("Lyon",))),
        ("jean.martin@example.org", ReadOptions()),
        (f"Jean Martin,{'9' * 30},,,", ReadOptions()),
    ],
)
def test_a_first_line_that_is_no_header_is_told_as_such_and_not_repeated(line: str, options: ReadOptions) -> None:
    with pytest.raises(WrongColumns) as caught:
        slices(f"{line}\n{line}\n".encode(), options)
    reason = caught.value.reason
    missing = [name for name in CONTRACT.names if name not in line.split(",")]
    assert (reason.type, reason.params) == ("csv-header-missing", {"columns": missing})
    assert not any(word in reason.message for word in ("Martin", "1500", "Lyon", "République", "martin", "999"))


def test_a_name_in_the_header_may_hold_anything_in_quotes() -> None:
    data = b'amount,age,"a ""b"",\nc"\n1,40,x\n'
    (checked,) = slices(data, ReadOptions(keep=('a "b",\nc',)), make_contract([{"name": "amount", "type": "double"}]))
    assert checked.kept is not None
    assert checked.kept.to_pydict() == {'a "b",\nc': ["x"]}


@pytest.mark.parametrize(
    ("start", "repeated", "message"),
    [
        (HEADER + GOOD + b"1,40,,", b"a" * MEGABYTE, r"begins in line 3 is longer than 16 MB"),
        (HEADER + GOOD + b'1,40,,"', b"a\n" * 2**19, r"Line 3 opens a quote that is not closed"),
        (b"amount,age,", b"a,b,c,d," * 2**17, r"begins in line 1 is longer"),
        (b"amount,age\n" + b"1,40" * 2, b"\0" * MEGABYTE, r"[Ll]ine 2 "),
    ],
)
def test_what_never_ends_takes_little_memory(start: bytes, repeated: bytes, message: str) -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(MalformedInput, match=message):
        list(read(Endless(start, repeated, 10_000), ReadOptions(), CONTRACT))
    assert psutil.Process().memory_info().rss - before < 100 * MEGABYTE


def test_a_long_file_of_short_records_takes_little_memory() -> None:
    before = psutil.Process().memory_info().rss
    total = 0
    for checked in read(Endless(b"x\n", b"1\nx\n" * 2**16, 24), PLAIN, ONE["long"]):
        total += checked.report.invalid_rows
        assert psutil.Process().memory_info().rss - before < 200 * MEGABYTE
    assert total == 24 * 2**16


def test_too_many_columns() -> None:
    with pytest.raises(MalformedInput, match="more than 100,000 columns"):
        slices(b"amount,age," + b"x," * 100_000 + b"\n")


def test_a_long_record_within_the_limit_is_read() -> None:
    word = b"a\n" * (MAX_RECORD_BYTES // 2 - 100)
    rows = rows_of(HEADER + b'1,40,,"' + word + b'",,\n' + GOOD)
    assert rows[0]["word"] == word.decode()
    assert rows[1] == GOOD_ROW


# The same as for columns

words = st.text(st.sampled_from('ab,;|\t"\n\r é€\u2028\U0001f600NA0x'), min_size=1, max_size=6)
numbers = st.one_of(
    st.floats(-10, 1e6), st.integers(-3, 10**6).map(float), st.sampled_from([1e-300, 1e300, -0.0, 5e-324])
)
rows_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.none() | numbers,
            "age": st.none() | st.integers(10, 110).map(float) | st.sampled_from([40.5, 59.0, 1e18, -1e18]),
            "flag": st.none() | st.booleans(),
            "word": st.none() | words,
            "step": st.none() | st.integers(-1, 2).map(float),
            "most": st.none() | numbers,
        }
    ),
    min_size=1,
    max_size=8,
)
TABLE = pa.schema(
    [
        ("amount", pa.float64()),
        ("age", pa.float64()),
        ("flag", pa.bool_()),
        ("word", pa.string()),
        ("step", pa.float64()),
        ("most", pa.float64()),
    ]
)


def written_by_csv(rows: list[dict[str, Any]], options: ReadOptions, quoting: Any, end: str, whole: str) -> bytes:
    def text(value: Any) -> Any:
        if isinstance(value, float):
            number = f"{value:.0f}" if whole == "int" and value.is_integer() and abs(value) < 1e15 else repr(value)
            return ("-0" if str(value) == "-0.0" else number).replace(".", options.decimal)
        return value

    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=options.delimiter or ",", quoting=quoting, lineterminator=end)
    writer.writerow(TABLE.names)
    writer.writerows([[text(row[name]) for name in TABLE.names] for row in rows])
    return file.getvalue().encode()


def written_by_pandas(rows: list[dict[str, Any]], options: ReadOptions, quoting: Any, end: str, whole: str) -> bytes:
    frame = pd.DataFrame(rows, columns=TABLE.names).astype({"age": float, "step": float, "flag": object})
    if whole == "int":
        whole_ones = [name for name in ("age", "step") if (frame[name].dropna() % 1 == 0).all()]
        frame = frame.astype(dict.fromkeys(whole_ones, "Int64"))
    text: str = frame.to_csv(
        sep=options.delimiter or ",", decimal=options.decimal, quoting=quoting, lineterminator=end, index=False
    )
    return text.encode()


def seen(parts: list[Validated]) -> Any:
    """All that the checks say, and the exact bits of what is not refused."""
    words, details = (
        [text for part in parts for text in (getattr(part, told) or pa.nulls(part.batch.num_rows)).to_pylist()]
        for told in ("words", "details")
    )
    rows = [[repr(value) for value in row.values()] for part in parts for row in part.batch.to_pylist()]
    kept = [row for part in parts if part.kept for row in part.kept.to_pylist()]
    good = [row if word is None else word for row, word in zip(rows, words, strict=True)]
    return good, details, kept, reduce(Report.joined, (part.report for part in parts))


@settings(max_examples=50, deadline=None)
@given(
    rows=rows_strategy,
    write=st.sampled_from([written_by_csv, written_by_pandas]),
    options=st.sampled_from([(",", "."), (";", ","), ("\t", "."), ("|", ",")]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    whole=st.sampled_from(["int", "float"]),
    size=st.sampled_from([1, 2, 7, 50, 100_000]),
)
def test_a_file_says_what_its_columns_say(
    rows: list[dict[str, Any]], write: Any, options: tuple[str, str], quoting: Any, end: str, whole: str, size: int
) -> None:
    if end == "\n":
        # Python's writer does not quote a carriage return then.
        rows = [row | {"word": row["word"] and row["word"].replace("\r", "r")} for row in rows]
    chosen = ReadOptions(keep=("word",), delimiter=options[0], decimal=options[1])
    data = write(rows, chosen, quoting, end, whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_rows, "BLOCK_BYTES", size)
        found = list(read(Bytes(data), chosen, CONTRACT))
    expected = validate_columns(CONTRACT, pa.RecordBatch.from_pylist(rows, schema=TABLE), 0, keep=("word",))
    assert seen(found) == seen([expected])

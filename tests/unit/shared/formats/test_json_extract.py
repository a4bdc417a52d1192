"""Large JSON rows: they are accepted and refused as small ones are, and what is wrong with them costs no more."""

import json
from typing import Any

import pytest

from shared.contract.validated import Validated
from shared.errors import InvalidRows, MalformedInput, Report
from shared.formats import json_extract
from shared.formats.json_extract import LARGE_ROW_BYTES, extract
from shared.formats.json_pieces import MAX_ROW_BYTES
from shared.formats.json_rows import row_from_json, validated_from_document, validated_from_json
from shared.formats.source import ReadOptions
from shared.reasons import MAX_REPORTED
from tests.factories import make_contract
from tests.patience import within

CONTRACT = make_contract(
    [
        {"name": "amount", "type": "double"},
        {"name": "age", "type": "long"},
        {"name": "flag", "type": "boolean", "required": False},
        {"name": "wörd", "type": "string", "required": False},
    ],
    {"amount": {"ge": 0}},
)
GOOD = '{"amount": 1.5, "age": 40'
PADDING = " " * LARGE_ROW_BYTES
KEYS = [f"key{i}" for i in range(MAX_ROW_BYTES // 16)]


def verdict(text: str) -> Any:
    """The row, or the report on what is wrong with it, alone; in a batch it must be the same."""
    body = text.encode("utf-8", "surrogatepass")
    slices: list[Validated] = []
    try:
        slices = list(validated_from_json(b"[%s]" % body, CONTRACT, ReadOptions(), ignore_extra=False))
        row = row_from_json(body, CONTRACT)
    except InvalidRows as error:
        [checked] = slices
        assert [found.in_row() for found in checked.report.errors] == [found.in_row() for found in error.report.errors]
        return error.report
    except MalformedInput as error:
        return error.reason.type
    [checked] = slices
    assert checked.batch.to_pylist() == [{name: row.get(name) for name in CONTRACT.names}]
    return row


@pytest.mark.parametrize(
    "rest",
    [
        "}",
        ', "flag": null}',
        ', "w\\u00f6rd": "\\u00e9\\n"}',
        ', "wörd": 5, "flag": []}',
        ', "wörd": ["x"], "flag": {"a": 1}}',
        ', "amount": -1, "age": 4.5}',
        ', "age": 12345678901234567890}',
        ', "amount": 1e999}',
        ', "more": {"a": [1, 2]}}',
        ', "wörd": "\\ud800"}',
        ', "more": NaN}',
        ', "more": -Infinity, "age": NaN}',
        ', "age": NaN, "age": 40}',
        ', "wörd": "NaN", "amount": NaN}',
        ', "more": NaN, }',
        ', "wörd": "\ud800"}',
        ", }",
        "",
    ],
)
def test_a_large_row_is_judged_as_a_small_one(rest: str) -> None:
    assert verdict(GOOD + PADDING + rest) == verdict(GOOD + rest)


@pytest.mark.parametrize("value", ["[]", "5", "null", '"x"'])
def test_what_is_no_row_is_none_when_it_is_large(value: str) -> None:
    assert verdict(PADDING + value) == verdict(value)


def test_a_fault_beside_nan_is_told_at_its_place_in_a_large_row() -> None:
    with pytest.raises(MalformedInput) as caught:
        row_from_json(f'{{"amount": NaN,{PADDING}\n"age": 4x}}'.encode(), CONTRACT)
    assert (caught.value.reason.params["line"], caught.value.reason.params["character"]) == (2, 8)


def test_unknown_keys_are_counted_and_the_first_hundred_named() -> None:
    row = {"amount": -1, "age": 40} | dict.fromkeys(KEYS, 1)
    with pytest.raises(InvalidRows) as caught:
        row_from_json(json.dumps(row).encode(), CONTRACT)
    report: Report = caught.value.report
    assert (report.invalid_rows, report.invalid_values) == (1, len(KEYS) + 1)
    assert [error.column for error in report.errors] == ["amount", *KEYS[: MAX_REPORTED - 1]]


@pytest.mark.parametrize("nested", ["[[],[]]", '{"a":{},"b":[]}', "[1,2]"])
def test_nothing_that_is_nested_is_taken_apart(nested: str) -> None:
    many = ",".join([nested] * (MAX_ROW_BYTES // 2 // len(nested)))
    text = f'{{"amount": [{many}], "age": {{"a": [{many}]}}, "more": [{many}]}}'.encode()
    reduced = extract(text, CONTRACT.names)
    assert json.loads(reduced.text) == {"amount": [], "age": {}, "more": None}
    assert reduced.omitted == 0


def test_an_extract_is_no_larger_than_what_is_told_of_it() -> None:
    text = json.dumps({"amount": 1, "age": 40} | dict.fromkeys(KEYS, "x")).encode()
    reduced = extract(text, CONTRACT.names)
    assert reduced.omitted == len(KEYS) - MAX_REPORTED
    assert len(json.loads(reduced.text)) == MAX_REPORTED + 2


LONG = MAX_ROW_BYTES // 12


@pytest.mark.parametrize(
    "body",
    [
        "{" + ",".join(f'"{key:x}":1' for key in range(LONG)) + "}",
        "{" + ",".join(f'"{key:x}":NaN' for key in range(LONG)) + "}",
        '{"age": [' + "[]," * 4 * LONG + "1]}",
        '{"more": [' + "[]," * 4 * LONG + "1]}",
        '{"age": [' + '{"a":1},' * LONG + "1]}",
        "[" + "{}," * 4 * LONG + "1]",
        "[" + "[]," * 4 * LONG + "NaN]",
        "[" * 12 * LONG,
        '{"wörd": "' + "\\u00e9" * 2 * LONG + '", "amount": "x"}',
        '{"age": ' + "9" * 12 * LONG + "}",
        '{"amount": 0.' + "9" * 12 * LONG + "x}",
        "{" + '"age":1,' * LONG + '"age":2}',
    ],
    ids=lambda body: f"{body[:12]}",
)
def test_no_row_holds_up_the_others_for_long(body: str) -> None:
    def read() -> str:
        with pytest.raises((InvalidRows, MalformedInput)) as caught:
            row_from_json(body.encode(), CONTRACT)
        return caught.value.reason.type

    assert within(0.1, read) in ("invalid-rows", "json-invalid")


def test_a_number_that_is_too_small_is_found_beside_one_that_is_none() -> None:
    with pytest.raises(InvalidRows) as caught:
        row_from_json(b'{"amount": NaN, "age": 1e-400}', CONTRACT)
    report: Report = caught.value.report
    assert [(error.column, error.type) for error in report.errors] == [
        ("amount", "finite_number"),
        ("age", "int_from_float"),
    ]


TINY = ["1e-400", "-1e-400", "0.1E-0400", "1e-99999999", "0." + "0" * 400 + "1", "0." + "0" * 300 + "1e-80"]
SHAPES = [
    '[{"amount": 1, "age": %s}]',
    '{"columns": {"amount": [1], "age": [%s]}}',
    '{"dataframe_split": {"columns": ["amount", "age"], "data": [[1, %s]]}}',
]


@pytest.mark.parametrize("number", TINY)
def test_a_number_too_small_for_a_float_is_no_whole_number(number: str) -> None:
    report = verdict(f'{{"amount": {number.lstrip("-")}, "age": {number}, "wörd": "{number}"}}')
    assert [(error.column, error.type) for error in report.errors] == [("age", "int_from_float")]
    for shape in SHAPES:
        [checked] = validated_from_document((shape % number).encode(), CONTRACT, ReadOptions())
        assert [error.type for error in checked.report.errors] == ["int_from_float"]


@pytest.mark.parametrize("number", ["0e-400", "0.0e-99", "0." + "0" * 400, "400000e-4", "4" + "0" * 40 + "e-40"])
def test_a_whole_number_may_be_written_so(number: str) -> None:
    row = verdict(f'{{"amount": 1, "age": {number}}}')
    assert row["age"] == float(number)


@pytest.mark.parametrize("number", ["1e-400", "1e-" + "0" * 250 + "400", "0." + "0" * 400 + "1"])
@pytest.mark.parametrize("place", range(1, 700, 7))
@pytest.mark.parametrize("large", [0, json_extract.LARGE_ROW_BYTES])
def test_a_small_number_is_found_wherever_a_long_text_is_cut(
    number: str, place: int, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_extract, "SEARCHED_BYTES", 700)
    monkeypatch.setattr(json_extract, "LARGE_ROW_BYTES", large)
    assert json_extract.may_underflow(b"1" * place + b"," + number.encode() + b"," + b"1" * 700)
    assert not json_extract.may_underflow(b"1e-20," * 300)
    assert not json_extract.may_underflow(b"-1," * 300 + b"e")

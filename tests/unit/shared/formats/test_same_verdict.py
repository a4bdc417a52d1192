"""A row has the same verdict, with the same words and params, and the same values alone, in a JSON array and as columns."""

import json
import struct
from dataclasses import replace
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.columns import validate_columns
from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.errors import InvalidRows, Report
from shared.formats.json_columns import JsonRows
from shared.formats.json_rows import row_from_json, validated_from_document, validated_from_json
from shared.formats.source import ReadOptions
from shared.reasons import MAX_REPORTED, InvalidValue
from tests.factories import INPUTS, METADATA, PURPOSE, make_contract

PLAIN = make_contract([*INPUTS[:3], PURPOSE, *INPUTS[3:]], METADATA["features"], METADATA["ordered"])
STRICT = make_contract(
    [
        {"name": "whole", "type": "long"},
        {"name": "few", "type": "integer", "required": False},
        {"name": "low", "type": "double", "required": False},
        {"name": "mid", "type": "long", "required": False},
        {"name": "high", "type": "float", "required": False},
        {"name": 'é " \\', "type": "string"},
        {"name": "flag", "type": "boolean"},
    ],
    {"whole": {"ge": -5.5, "le": 2**53 + 3}, "few": {"values": [1, 2, 3], "ge": 2}, 'é " \\': {"values": ["a", "é"]}},
    [["low", "mid", "high"], ["high", "low"]],
)
IMPOSSIBLE = make_contract(
    [
        {"name": "whole", "type": "long", "required": False},
        {"name": "mid", "type": "long", "required": False},
        {"name": "low", "type": "double", "required": False},
        {"name": "flag", "type": "boolean", "required": False},
    ],
    {"whole": {"ge": 10**30}, "low": {"ge": 0, "le": 0.1}},
    [["low", "mid"]],
)
GOOD_ROWS: list[tuple[Contract, dict[str, Any]]] = [
    (
        PLAIN,
        {"income": 1.5, "age": 40, "married": True, "purpose": "car", "children": 2, "lowest": 0.25, "highest": 0.75},
    ),
    (STRICT, {"whole": 5, "few": 2, "low": 2.0, "mid": 2, "high": 2, 'é " \\': "a", "flag": False}),
    (IMPOSSIBLE, {"whole": None, "mid": 1, "low": 0.1, "flag": True}),
]

EXAMPLES = settings(max_examples=15, deadline=None)

FLOATS = st.one_of(
    st.sampled_from(
        [0.0, -0.0, 1.0, 2.0, 0.1, 18.5, 59.0, 2.0**53, 2.0**62, 2.0**63, -(2.0**63), 1e19, -1e300, 5e-324]
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)
INTEGERS = st.one_of(
    st.sampled_from([0, 1, 2, 3, 17, 18, 100, 101, 2**31, 2**53 + 1, 2**53 + 4, 2**63 - 1, -(2**63), -(2**31) - 1]),
    st.integers(-(2**63), 2**63 - 1),
)
TEXTS = st.one_of(st.sampled_from(["a", "é", "car", "", "nan", "\x00", '"']), st.text(max_size=3))
OF_TYPE = {float: st.one_of(FLOATS, INTEGERS), int: st.one_of(INTEGERS, FLOATS), bool: st.booleans(), str: TEXTS}
WRONG = st.sampled_from(["x", "1", "true", True, 1, 1.5, 10**30, -(10**30), 10**400, [1], {"a": 1}, [], "\U0001f600"])


@st.composite
def tables(draw: st.DrawFn, *, wrong: bool) -> tuple[Contract, list[dict[str, Any]]]:
    """Some rows with few features out of the ordinary; with `wrong` of any type, or left out, or unknown."""
    contract, usual = draw(st.sampled_from(GOOD_ROWS))
    rows = []
    for _ in range(draw(st.integers(1, 6))):
        row = dict(usual)
        for feature in draw(st.lists(st.sampled_from(contract.features), max_size=2)):
            row[feature.name] = draw(st.one_of(st.none(), OF_TYPE[feature.kind.python], *([WRONG] if wrong else [])))
        if wrong:
            for name in draw(st.lists(st.sampled_from(contract.names), max_size=1)):
                row.pop(name, None)
            row |= draw(st.dictionaries(st.sampled_from(["more", "k"]), st.one_of(st.none(), WRONG), max_size=1))
        rows.append(row)
    return contract, rows


def alone(rows: list[dict[str, Any]], contract: Contract) -> tuple[list[InvalidValue], list[list[Any] | None]]:
    """All that is invalid in the rows, each read alone, and of each good row the features' values."""
    errors: list[InvalidValue] = []
    values: list[list[Any] | None] = []
    for number, row in enumerate(rows):
        try:
            good = row_from_json(json.dumps(row).encode(), contract)
        except InvalidRows as error:
            errors += [replace(found, row=number) for found in error.report.errors]
            values.append(None)
        else:
            values.append([good.get(name) for name in contract.names])
    return errors, values


def bits(values: list[Any]) -> list[Any]:
    """Tell 0.0 from -0.0 and 1 from 1.0 and True."""
    return [struct.pack("d", value) if isinstance(value, float) else (type(value), value) for value in values]


def same(checked: Validated, errors: list[InvalidValue], values: list[list[Any] | None]) -> None:
    of_row: list[list[InvalidValue]] = [[error for error in errors if error.row == row] for row in range(len(values))]
    assert checked.report == Report(sum(map(bool, of_row)), len(errors), tuple(errors[:MAX_REPORTED]))
    assert (checked.words is None) == (checked.details is None) == (not errors)
    words = ["; ".join(_in_words(error) for error in found) or None for found in of_row]
    assert checked.words is None or checked.words.to_pylist() == words
    details = [[_as_json(error) for error in found] or None for found in of_row]
    assert checked.details is None or [text and json.loads(text) for text in checked.details.to_pylist()] == details
    rows = zip(*(column.to_pylist() for column in checked.batch.columns), strict=True)
    for row, expected in zip(rows, values, strict=True):
        assert expected is None or bits(list(row)) == bits(expected)


def _in_words(error: InvalidValue) -> str:
    return error.message if error.column is None else f"{error.column}: {error.message}"


def _as_json(error: InvalidValue) -> dict[str, Any]:
    return {"column": error.column, "type": error.type, "message": error.message, "params": error.params}


def as_column(values: list[Any]) -> pa.Array | None:
    """Give numbers as one of the Arrow types that holds them exactly, or None."""
    numbers = [value for value in values if isinstance(value, float)]
    try:
        return pa.array(values, pa.float64()) if numbers else pa.array(values)
    except (pa.ArrowException, OverflowError):
        return None


@EXAMPLES
@given(tables(wrong=False))
def test_the_verdict_on_columns_is_that_on_each_row(table: tuple[Contract, list[dict[str, Any]]]) -> None:
    contract, rows = table
    columns = {name: as_column([row[name] for row in rows]) for name in reversed(contract.names)}
    # A column has one type: where it is float64, JSON must have floats too.
    for feature in contract.features:
        column = columns[feature.name]
        if column is None:
            return
        for row, value in zip(rows, column.to_pylist(), strict=True):
            row[feature.name] = value
    checked = validate_columns(contract, pa.RecordBatch.from_pydict(columns), 0)
    same(checked, *alone(rows, contract))


@EXAMPLES
@given(tables(wrong=False))
def test_the_verdict_on_a_good_table_of_json_is_that_on_each_row(table: tuple[Contract, list[dict[str, Any]]]) -> None:
    contract, rows = table
    [checked] = validated_from_json(json.dumps(rows).encode(), contract, ReadOptions(), ignore_extra=False)
    same(checked, *alone(rows, contract))


@EXAMPLES
@given(tables(wrong=True))
def test_the_verdict_on_an_array_is_that_on_each_row(table: tuple[Contract, list[dict[str, Any]]]) -> None:
    contract, rows = table
    [checked] = validated_from_json(json.dumps(rows).encode(), contract, ReadOptions(), ignore_extra=False)
    same(checked, *alone(rows, contract))


@EXAMPLES
@given(tables(wrong=True), st.booleans())
def test_bulk_and_row_by_row_have_the_same_verdict(
    table: tuple[Contract, list[dict[str, Any]]], ignore_extra: bool
) -> None:
    contract, rows = table
    reader = JsonRows(contract, ReadOptions(keep=("k", contract.names[0])), ignore_extra=ignore_extra)
    texts = [json.dumps(row).encode() for row in rows]
    slow = reader.from_rows(texts, 7)
    for fast in (reader.from_array(b"[" + b",".join(texts) + b"]", 7), reader.from_lines(texts, 7)):
        if fast is not None:
            assert fast.report == slow.report
            assert (fast.words or pa.array([])).to_pylist() == (slow.words or pa.array([])).to_pylist()
            assert (fast.details or pa.array([])).to_pylist() == (slow.details or pa.array([])).to_pylist()
            assert fast.kept is not None and fast.kept.equals(slow.kept)
            invalid = slow.words.is_valid().to_pylist() if slow.words else [False] * len(rows)
            for one, other, bad in zip(fast.batch.to_pylist(), slow.batch.to_pylist(), invalid, strict=True):
                assert bad or bits(list(one.values())) == bits(list(other.values()))


@EXAMPLES
@given(tables(wrong=True), st.sampled_from(["split", "columns", "records"]))
def test_every_shape_of_a_document_has_the_verdict_of_an_array(
    table: tuple[Contract, list[dict[str, Any]]], shape: str
) -> None:
    contract, rows = table
    names = contract.names
    rows = [{name: row.get(name) for name in names} for row in rows]
    shapes: dict[str, dict[str, Any]] = {
        "split": {"dataframe_split": {"columns": names, "data": [list(row.values()) for row in rows]}},
        "columns": {"columns": {name: [row[name] for row in rows] for name in names}},
        "records": {"dataframe_records": rows},
    }
    document = shapes[shape]
    [checked] = validated_from_document(json.dumps(document).encode(), contract, ReadOptions())
    same(checked, *alone(rows, contract))

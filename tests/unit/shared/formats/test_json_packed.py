"""Rows read from MessagePack are those that pydantic reads one by one, or are left to it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.formats.json_columns import JsonRows, validated_packed
from shared.formats.json_packed import PackedRows, packed_columns
from shared.formats.json_pieces import PIECE_BYTES
from shared.formats.source import ReadOptions
from tests.factories import make_contract
from tests.processes import ROOT
from tests.unit.shared.formats.test_same_verdict import bits

NUMBER_COLUMNS: list[dict[str, Any]] = [
    {"name": "whole", "type": "long"},
    {"name": "", "type": "double"},
    {"name": "few", "type": "integer", "required": False},
    {"name": "é", "type": "float", "required": False},
]
BOUNDS = {"whole": {"ge": -5, "le": 2**54}, "few": {"values": [1, 2, 3]}, "": {"ge": 0}}, [["", "é"]]
CONTRACT = make_contract([NUMBER_COLUMNS[0], {"name": "flag", "type": "boolean"}, *NUMBER_COLUMNS[1:]], *BOUNDS)
OF_NUMBERS = make_contract(NUMBER_COLUMNS, *BOUNDS)
"""Without the boolean, so that rows are a matrix."""

WIDE = make_contract([{"name": f"n{i}" * i, "type": "double"} for i in range(20)])
"""More features than a short header of MessagePack can count, with names of all lengths."""

USUAL = {"whole": "7", "flag": "true", "": "0.5", "few": "2", "é": "1.5"}
NUMBERS = [
    *("0", "1", "3", "-1", "7", "1.0", "10E-1", "0.1e1", "2.5", "-0", "-0.0", "0e5", "1e-400", "5e-324", "0.1", "1e19"),
    *("9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0", "18014398509481984"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e400", "-1e400", "9" * 400, "4.35"),
    *(
        "18446744073709551615",
        "18446744073709551617",
        "1e22",
        "1e23",
        "123456789012345678901234567890",
        "2.2250738585072011e-308",
    ),
    *(
        "1.00000000000000011102230246251565404236316680908203125",
        "0.1000000000000000055511151231257827021181583404541015625",
    ),
    *(
        "1.00000000000000011102230246251565404236316680908203126",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "2e-324",
    ),
]
OTHERS = [
    *("null", "true", "false", '"1"', '""', "[]", "{}", "[1]", "NaN", "Infinity", "01", "1.", ".5", "+1", "tru", ""),
    *("-null", "nullnull", "1null", "null1", "null.5", "nulle1", "nul", "null null", '"null"', "[null]"),
]
LONG_NUMBERS = st.from_regex(r"-?[1-9][0-9]{0,25}\.[0-9]{1,30}([eE][-+]?[0-9]{1,3})?", fullmatch=True)
SIZES = st.sampled_from([1, 2, 15, 16, 17, 40])

EXAMPLES = settings(max_examples=150, deadline=None)

Row = list[tuple[str, str]]
"""The names of an object, in order and perhaps repeated, with their values as JSON."""


@st.composite
def tables(draw: st.DrawFn, contract: Contract = CONTRACT) -> list[Row]:
    """Rows that are usual but for a few values."""
    values = st.one_of(
        st.sampled_from(NUMBERS), st.floats(allow_nan=False, allow_infinity=False).map(repr), LONG_NUMBERS
    )
    if draw(st.booleans()):
        values = st.one_of(values, st.sampled_from(OTHERS))
    rows = [[(name, USUAL[name]) for name in contract.names] for _ in range(draw(SIZES))]
    for _ in range(draw(st.integers(0, 3))):
        row = rows[draw(st.integers(0, len(rows) - 1))]
        place = draw(st.integers(0, len(row) - 1))
        row[place] = (row[place][0], draw(values))
    if draw(st.integers(0, 3)) == 0:
        row = rows[draw(st.integers(0, len(rows) - 1))]
        change = draw(st.sampled_from(["repeat", "drop", "unknown", "shuffle"]))
        if change == "repeat":
            row.append((draw(st.sampled_from(contract.names)), draw(values)))
        elif change == "drop":
            row.pop()
        elif change == "unknown":
            row.append(("more", draw(values)))
        else:
            row[:] = draw(st.permutations(row))
    return rows


def text_of(row: Row) -> bytes:
    return ("{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in row) + "}").encode()


def array_of(parts: Sequence[bytes]) -> bytes:
    return b"[" + b" ,\n".join(parts) + b"]"


def same(fast: Validated, slow: Validated) -> None:
    assert fast.report == slow.report
    assert (fast.words or pa.array([])).to_pylist() == (slow.words or pa.array([])).to_pylist()
    assert (fast.details or pa.array([])).to_pylist() == (slow.details or pa.array([])).to_pylist()
    assert fast.batch.schema == slow.batch.schema
    invalid = slow.words.is_valid().to_pylist() if slow.words else [False] * slow.batch.num_rows
    for one, other, bad in zip(fast.batch.to_pylist(), slow.batch.to_pylist(), invalid, strict=True):
        assert bad or bits(list(one.values())) == bits(list(other.values()))


def one_by_one(texts: Sequence[bytes], contract: Contract = CONTRACT) -> Validated:
    return JsonRows(contract, ReadOptions(), ignore_extra=False).from_rows(texts, 7)


@EXAMPLES
@given(tables())
def test_objects_have_the_verdict_of_each_row_or_are_left_alone(rows: list[Row]) -> None:
    texts = [text_of(row) for row in rows]
    fast = validated_packed(PackedRows.of_objects(CONTRACT), array_of(texts), 7)
    if fast is not None:
        same(fast, one_by_one(texts))


@EXAMPLES
@given(tables(), st.permutations(CONTRACT.names))
def test_arrays_have_the_verdict_of_each_row_or_are_left_alone(rows: list[Row], names: list[str]) -> None:
    lists = [[dict(row).get(name, "null") for name in names] for row in rows]
    array = array_of([f"[{','.join(values)}]".encode() for values in lists])
    fast = validated_packed(PackedRows.of_arrays(CONTRACT, names), array, 7)
    if fast is not None:
        same(fast, one_by_one([text_of(list(zip(names, values, strict=True))) for values in lists]))


@pytest.mark.parametrize("count", [1, 15, 16, 70_000])
def test_complete_rows_are_read_in_any_number(count: int) -> None:
    packed = PackedRows.of_objects(CONTRACT)
    checked = validated_packed(packed, array_of([text_of(list(USUAL.items()))] * count), 0)
    assert checked is not None
    assert checked.batch.num_rows == count
    assert checked.batch.slice(count - 1).to_pylist() == [{"whole": 7, "flag": True, "": 0.5, "few": 2, "é": 1.5}]


@pytest.mark.parametrize("between", ["", "\n\t"])
def test_missing_numbers_are_read_here_whether_null_or_absent(between: str) -> None:
    given = [
        USUAL,
        USUAL | {"few": f"{between}null"},
        USUAL | {"é": f"null{between}"},
        USUAL | {"few": "null", "é": "null"},
    ]
    texts = [text_of(list(row.items())) for row in [*given, dict(list(USUAL.items())[:3])]]
    checked = validated_packed(PackedRows.of_objects(CONTRACT), array_of(texts), 7)
    assert checked is not None
    assert [column.null_count for column in checked.batch.columns] == [0, 0, 0, 3, 3]
    same(checked, one_by_one(texts))
    names = CONTRACT.names[::-1]
    lists = [f"[{','.join(row[name] for name in names)}]".encode() for row in given]
    listed = validated_packed(PackedRows.of_arrays(CONTRACT, names), array_of(lists), 7)
    assert listed is not None
    same(listed, one_by_one(texts[:4]))


@pytest.mark.parametrize("gaps", [[], [0], [2500], [4999], [0, 1, 4999]])
def test_missing_numbers_are_found_in_whichever_piece_they_are(gaps: list[int]) -> None:
    rows = [USUAL | ({"few": "null"} if i in gaps else {}) for i in range(5000)]
    array = array_of([text_of(list(row.items())) for row in rows])
    assert len(array) > 3 * PIECE_BYTES
    checked = validated_packed(PackedRows.of_objects(CONTRACT), array, 0)
    assert checked is not None
    texts = {name: array_of([row[name].encode() for row in rows]) for name in CONTRACT.names}
    columns = packed_columns(CONTRACT, texts | {"few": texts["few"].replace(b",", b"," + b" " * 50)})
    assert columns is not None
    for few in (checked.batch.column("few"), columns[CONTRACT.names.index("few")]):
        assert np.flatnonzero(few.is_null()).tolist() == gaps
        assert set(few.drop_null().to_pylist()) == {2}
        assert len(few) == len(rows)


@pytest.mark.parametrize("name", ["null", "is_null", "a: null, b", "nullable"])
def test_a_name_with_null_in_it_is_no_missing_value(name: str) -> None:
    contract = make_contract([{"name": name, "type": "double", "required": False}])
    checked = validated_packed(PackedRows.of_objects(contract), array_of([text_of([(name, "1.5")])] * 2), 0)
    assert checked is not None
    assert checked.batch.to_pydict() == {name: [1.5, 1.5]}
    assert validated_packed(PackedRows.of_objects(contract), array_of([text_of([(name, "null")])]), 0) is None
    arrays = validated_packed(PackedRows.of_arrays(contract, [name]), b"[[null], [2]]", 0)
    assert arrays is not None
    assert arrays.batch.to_pydict() == {name: [None, 2.0]}


def test_what_stands_for_null_is_no_constant() -> None:
    told = "from shared.formats.json_numbers import MISSING; print(MISSING)"
    commands = [[sys.executable, "-c", told]] * 2
    assert len({subprocess.check_output(command, cwd=ROOT, text=True) for command in commands}) == 2


def test_invalid_values_of_complete_rows_are_found_here() -> None:
    texts = [text_of(list((USUAL | {"few": "17"}).items())), text_of(list(USUAL.items()))]
    checked = validated_packed(PackedRows.of_objects(CONTRACT), array_of(texts), 7)
    assert checked is not None
    assert [error.type for error in checked.report.errors] == ["literal_error"]
    same(checked, one_by_one(texts))


@pytest.mark.parametrize("are_arrays", [True, False])
def test_many_features_with_long_names_are_told_apart(*, are_arrays: bool) -> None:
    names = WIDE.names[::-1]
    rows = [{name: i + place / 100 for place, name in enumerate(names)} for i in range(20)]
    packed = PackedRows.of_arrays(WIDE, names) if are_arrays else PackedRows.of_objects(WIDE)
    body: Any = [list(row.values()) for row in rows] if are_arrays else rows
    checked = validated_packed(packed, json.dumps(body).encode(), 0)
    assert checked is not None
    assert checked.batch.to_pylist() == [{name: row[name] for name in WIDE.names} for row in rows]


@pytest.mark.parametrize(
    ("value", "is_read"),
    [("9007199254740991", True), ("9007199254740992", False), ("-0.0", False), ("1e-400", False), ("null", False)],
)
def test_numbers_that_may_be_others_are_left_to_the_exact_reader(value: str, *, is_read: bool) -> None:
    body = array_of([text_of(list((USUAL | {"whole": value}).items()))])
    assert (validated_packed(PackedRows.of_objects(CONTRACT), body, 0) is not None) == is_read


@pytest.mark.parametrize("body", [b"[]", b"", b"{}", b"[", b"[1]", b"[[]]", b"null", b'["x"]'])
def test_what_is_no_array_of_rows_is_left_alone(body: bytes) -> None:
    assert validated_packed(PackedRows.of_objects(CONTRACT), body, 0) is None
    assert validated_packed(PackedRows.of_arrays(CONTRACT, CONTRACT.names), body, 0) is None


def test_text_and_other_columns_are_for_another_reader() -> None:
    assert (
        PackedRows.of_objects(make_contract([{"name": "a", "type": "double"}, {"name": "b", "type": "string"}])) is None
    )
    assert PackedRows.of_objects(make_contract([{"name": 'a"', "type": "double"}])) is None
    assert PackedRows.of_arrays(CONTRACT, [*CONTRACT.names, "more"]) is None
    assert PackedRows.of_arrays(CONTRACT, CONTRACT.names[1:]) is None
    assert PackedRows.of_arrays(CONTRACT, [*CONTRACT.names[1:], CONTRACT.names[1]]) is None

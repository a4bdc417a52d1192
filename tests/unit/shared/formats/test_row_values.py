"""A row read the quick way has the values that the exact reader finds, or is left to that one, which says what is wrong."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.contract import Contract
from shared.errors import PretError
from shared.formats.json_extract import LARGE_ROW_BYTES
from shared.formats.json_rows import row_from_json, values_from_json
from tests.factories import make_contract
from tests.unit.shared.formats.test_json_packed import CONTRACT, LONG_NUMBERS, NUMBERS, OTHERS, Row, tables, text_of

MIXED = make_contract(
    [
        {"name": "purpose", "type": "string"},
        {"name": "job", "type": "string", "required": False},
        {"name": "rank", "type": "integer"},
        {"name": "years", "type": "long", "required": False},
        {"name": "rate", "type": "double"},
        {"name": "most", "type": "double", "required": False},
        {"name": "own", "type": "boolean"},
    ],
    {
        "purpose": {"values": ["car", "house é", ""]},
        "rank": {"values": [1, 2, 2**31 - 1]},
        "years": {"ge": -0.5, "le": 60.5},
        "rate": {"ge": 0, "le": 1},
        "most": {"ge": -1e300},
    },
    [["rate", "most"], ["rank", "years"]],
)
"""All kinds of features, bounds, values and orders."""

USUAL = {
    "purpose": '"car"',
    "job": '"x"',
    "rank": "1",
    "years": "7",
    "rate": "0.5",
    "most": "0.5",
    "own": "true",
}
TEXTS = [
    *(
        '"car"',
        '"house \\u00e9"',
        '"house é"',
        '"CAR"',
        '""',
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"a\\nb"',
        '"\n"',
        "null",
    ),
    *(
        "2147483647",
        "2147483648",
        "60",
        "61",
        "-0.5",
        "1.0",
        "1.0e0",
        "0.49999999999999994",
        "0.5000000000000001",
        "-1",
    ),
]
EXAMPLES = settings(max_examples=150, deadline=None)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A row of the contract MIXED that is usual but for a few values."""
    row = list(USUAL.items())
    values = st.one_of(
        st.sampled_from([*TEXTS, *NUMBERS, *OTHERS]),
        LONG_NUMBERS,
        st.text(max_size=4).map(json.dumps),
        st.integers().map(str),
    )
    for _ in range(draw(st.integers(0, 3))):
        change = draw(st.sampled_from(["value", "value", "value", "repeat", "drop", "unknown", "shuffle"]))
        place = draw(st.integers(0, len(row) - 1))
        if change == "value":
            row[place] = (row[place][0], draw(values))
        elif change == "repeat":
            row.append((row[place][0], draw(values)))
        elif change == "drop" and len(row) > 1:
            row.pop(place)
        elif change == "unknown":
            row.append((draw(st.sampled_from(["more", "Purpose", ""])), draw(values)))
        else:
            row = list(draw(st.permutations(row)))
    return row


def check(body: bytes, contract: Contract) -> None:
    try:
        row = row_from_json(body, contract)
    except PretError as error:
        with pytest.raises(type(error)) as raised:
            values_from_json(body, contract)
        assert vars(raised.value) == vars(error)
        return
    expected = [row.get(name) for name in contract.names]
    assert list(map(told, values_from_json(body, contract))) == list(map(told, expected))


def told(value: Any) -> tuple[type, Any]:
    """The type and the value, to the bit; but -0.0 is 0.0, which no tree tells apart."""
    return type(value), math.copysign(value, 1).hex() if value == 0 and isinstance(value, float) else value


@EXAMPLES
@given(rows())
def test_a_row_of_all_kinds_has_the_values_and_the_verdict_of_the_exact_reader(row: Row) -> None:
    check(text_of(row), MIXED)


@EXAMPLES
@given(tables())
def test_a_row_of_numbers_has_the_values_and_the_verdict_of_the_exact_reader(table: list[Row]) -> None:
    for row in table:
        check(text_of(row), CONTRACT)


@EXAMPLES
@given(
    st.integers(0, 200),
    st.sampled_from([b"", b"\xff", b"\x00", b",", b"}", b"{", b'"', b"\\", b"NaN", b"1", b"-"]),
    st.booleans(),
)
def test_a_damaged_row_has_the_verdict_of_the_exact_reader(place: int, inserted: bytes, keeps: bool) -> None:
    body = text_of(list(USUAL.items()))
    check(body[:place] + inserted + (body[place:] if keeps else body[place + 1 :]), MIXED)


@pytest.mark.parametrize(
    ("name", "value"), [("purpose", '"car"'), ("rate", "0.5"), ("years", "59"), ("own", "false"), ("job", "null")]
)
def test_a_valid_row_is_read_the_quick_way(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("It has been left to the exact reader.")

    monkeypatch.setattr("shared.formats.json_rows.row_from_json", fail)
    values = values_from_json(text_of(list((USUAL | {name: value}).items())), MIXED)
    assert values[MIXED.names.index(name)] == json.loads(value)


@pytest.mark.parametrize(
    "column",
    [
        {"name": 'a"b', "type": "double"},
        {"name": "a\\b", "type": "double"},
        {"name": "a", "type": "double"},
        {"name": "", "type": "long"},
        {"name": "f1", "type": "string"},
    ],
)
def test_any_name_of_a_feature_will_do(column: dict[str, Any]) -> None:
    contract = make_contract([column, {"name": "f0", "type": "double"}])
    value = "x" if column["type"] == "string" else 1
    for row in (
        {column["name"]: value, "f0": 2.5},
        {column["name"]: value},
        {"f0": 1.5},
        {column["name"]: [], "f0": 1},
    ):
        check(json.dumps(row).encode(), contract)


@pytest.mark.parametrize("size", [LARGE_ROW_BYTES - 100, LARGE_ROW_BYTES + 100])
def test_a_row_with_many_blanks_is_read_as_any_other(size: int) -> None:
    check(text_of(list(USUAL.items())) + b" " * size, MIXED)

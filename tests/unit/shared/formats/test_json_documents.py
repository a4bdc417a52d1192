"""Whole JSON bodies, valid and broken: the fast readers give what the exact ones give, or leave the body to them."""

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import MalformedInput, PretError
from shared.formats import json_pieces, json_rows
from shared.formats.json_columns import JsonRows
from shared.formats.json_packed import PackedRows, packed_columns
from shared.formats.json_rows import validated_from_document
from shared.formats.source import ReadOptions
from tests.factories import make_contract
from tests.unit.shared.formats.test_json_packed import CONTRACT, USUAL, Row, same, tables

EXAMPLES = settings(max_examples=300, deadline=None)

SHAPES = ("array", "dataframe_records", "dataframe_split", "columns")
INSERTED = [
    b"\xef\xbb\xbf",
    b"\xff",
    b"\x00",
    b"\\",
    b'"',
    b",",
    b"[",
    b"]",
    b"{",
    b"}",
    b"NaN",
    b"1",
    b"-",
    b"e9",
    b" \n",
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Rows in one of the shapes, most of them as they should be, some damaged in one place."""
    rows = draw(tables())
    escaped = draw(st.booleans())
    text = document(rows, draw(st.sampled_from(SHAPES)), draw(st.permutations(CONTRACT.names)), escaped=escaped)
    body = text.encode()
    damage = draw(st.sampled_from(["none", "none", "none", "insert", "remove", "cut", "append"]))
    place = draw(st.integers(0, len(body) - 1))
    if damage == "insert":
        return body[:place] + draw(st.sampled_from(INSERTED)) + body[place:]
    if damage == "remove":
        return body[:place] + body[place + 1 :]
    if damage == "cut":
        return body[:place]
    return body + draw(st.sampled_from(INSERTED)) if damage == "append" else body


def document(rows: Sequence[Row], shape: str, names: Sequence[str], *, escaped: bool) -> str:
    """Write rows, whose values are JSON already."""

    def of(pairs: Sequence[tuple[str, str]]) -> str:
        return "{" + ", ".join(f"{json.dumps(name, ensure_ascii=escaped)}:{value}" for name, value in pairs) + "}"

    def listed(values: Sequence[str]) -> str:
        return f"[{' , '.join(values)}]"

    if shape in ("array", "dataframe_records"):
        array = listed([of(row) for row in rows])
        return array if shape == "array" else of([(shape, array)])
    values = [[dict(row).get(name, "null") for name in names] for row in rows]
    if shape == "columns":
        columns = [(name, listed(column)) for name, column in zip(names, zip(*values, strict=True), strict=True)]
        return of([(shape, of(columns))])
    return of([(shape, of([("columns", json.dumps(names)), ("data", listed([listed(row) for row in values]))]))])


def read(body: bytes) -> list[Any] | PretError:
    try:
        return list(validated_from_document(body, CONTRACT, ReadOptions(), ignore_extra=False))
    except PretError as error:
        return error


@EXAMPLES
@given(bodies(), st.sampled_from([10, 2**18]))
def test_the_fast_readers_give_what_the_exact_ones_give(body: bytes, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_pieces, "PIECE_BYTES", piece)
        fast = read(body)
        patch.setattr(PackedRows, "_of", lambda *_, **__: None)
        patch.setattr(json_rows, "packed_columns", lambda *_: None)
        patch.setattr(JsonRows, "_make_row_types", lambda _: [])
        patch.setattr(JsonRows, "from_values", lambda *_: None)
        exact = read(body)
    if isinstance(exact, PretError) or isinstance(fast, PretError):
        assert (type(fast), vars(fast)) == (type(exact), vars(exact))
        return
    for one, other in zip(fast, exact, strict=True):
        same(one, other)


@pytest.mark.parametrize("names", [CONTRACT.names, CONTRACT.names[::-1]])
def test_complete_columns_are_read_without_an_object_for_each_value(names: list[str]) -> None:
    arrays = packed_columns(CONTRACT, {name: f"[{USUAL[name]}, {USUAL[name]}]".encode() for name in names})
    assert arrays is not None
    assert [array.to_pylist() for array in arrays] == [[7, 7], [True, True], [0.5, 0.5], [2, 2], [1.5, 1.5]]


def test_absent_columns_text_and_whole_numbers_that_are_too_small_are_for_the_exact_reader() -> None:
    assert packed_columns(CONTRACT, dict.fromkeys(CONTRACT.names, b"[1e-400]")) is None
    assert packed_columns(CONTRACT, dict.fromkeys(CONTRACT.names[1:], b"[1]")) is None
    assert packed_columns(make_contract([{"name": "a", "type": "string"}]), {"a": b'["1"]'}) is None


@pytest.mark.parametrize("values", ["1," * 50 + "true", '"a,b",' * 50 + "1", "[1,2]," * 50 + "1"])
@pytest.mark.parametrize("size", range(1, 30))
def test_long_columns_are_cut_between_values_only(values: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_pieces, "PIECE_BYTES", size)
    pieces = json_pieces.in_pieces(f" [{values}]".encode(), json.loads)
    assert list(chain.from_iterable(pieces)) == json.loads(f"[{values}]")


def test_an_endless_row_of_values_is_rejected_for_its_length() -> None:
    body = json.dumps({"dataframe_split": {"columns": CONTRACT.names, "data": [[1] * 2**17]}}).encode()
    [checked] = validated_from_document(body, CONTRACT, ReadOptions())
    assert [error.type for error in checked.report.errors] == ["too_long"]


def test_columns_of_other_lengths_are_no_table() -> None:
    columns = {name: [1, 2] for name in CONTRACT.names} | {"flag": [True]}
    with pytest.raises(MalformedInput) as error:
        list(validated_from_document(json.dumps({"columns": columns}).encode(), CONTRACT, ReadOptions()))
    assert error.value.reason.type == "column-lengths"

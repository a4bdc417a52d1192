"""Whole JSON bodies, valid and broken: the fast readers give what the exact ones give, or leave the body to them."""

import json
import re
import tracemalloc
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.contract import Contract
from shared.errors import MalformedInput, PretError
from shared.formats import json_by_column, json_numbers, json_pieces, json_rows, json_slices
from shared.formats.json_by_column import Column
from shared.formats.json_columns import JsonRows
from shared.formats.json_matrix import MatrixRows
from shared.formats.json_numbers import vector
from shared.formats.json_packed import PackedRows, packed_columns
from shared.formats.json_rows import validated_from_document
from shared.formats.source import ReadOptions
from tests.factories import make_contract
from tests.unit.shared.formats.test_json_packed import CONTRACT, OF_NUMBERS, USUAL, Row, same, tables

EXAMPLES = settings(max_examples=150, deadline=None)

SHAPES = ("array", "dataframe_records", "dataframe_split", "columns")
PARTS = [["columns", "data"], ["columns", "index", "data"], ["index", "columns", "data"], ["data", "columns"]]
"""Orders of the parts of `dataframe_split`."""

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
def bodies(draw: st.DrawFn, contract: Contract) -> bytes:
    """Rows in one of the shapes, most of them as they should be, some damaged in one place."""
    rows = draw(tables(contract))
    escaped = draw(st.booleans())
    names = draw(st.permutations([*contract.names, *draw(st.sampled_from([[], [], ["id"], [contract.names[0]]]))]))
    text = document(rows, draw(st.sampled_from(SHAPES)), names, escaped=escaped, parts=draw(st.sampled_from(PARTS)))
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


def document(rows: Sequence[Row], shape: str, names: Sequence[str], *, escaped: bool, parts: Sequence[str]) -> str:
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
    texts = {
        "columns": json.dumps(names, ensure_ascii=escaped),
        "index": json.dumps(list(range(len(rows)))),
        "data": listed([listed(row) for row in values]),
    }
    return of([(shape, of([(part, texts[part]) for part in parts]))])


def read(body: bytes, contract: Contract) -> list[Any] | PretError:
    try:
        return list(validated_from_document(body, contract, ReadOptions(), ignore_extra=False))
    except PretError as error:
        return error


@pytest.mark.parametrize("contract", [CONTRACT, OF_NUMBERS], ids=["all kinds", "numbers"])
@pytest.mark.parametrize("has_simdjson", [True, False])
@EXAMPLES
@given(st.data(), st.sampled_from([10, 2**18]))
def test_the_fast_readers_give_what_the_exact_ones_give(
    contract: Contract, has_simdjson: bool, data: st.DataObject, piece: int
) -> None:
    body = data.draw(bodies(contract))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_pieces, "PIECE_BYTES", piece)
        patch.setattr(json_by_column, "PIECE_BYTES", piece)
        if not has_simdjson:
            patch.setattr(json_numbers, "simdjson", None)
        fast = read(body, contract)
        patch.setattr(MatrixRows, "of", lambda *_: None)
        patch.setattr(PackedRows, "_of", lambda *_, **__: None)
        patch.setattr(json_rows, "packed_columns", lambda *_: None)
        patch.setattr(JsonRows, "_row_types", [])
        patch.setattr(JsonRows, "from_values", lambda *_: None)
        exact = read(body, contract)
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


def test_missing_values_of_complete_columns_are_read_in_the_same_way() -> None:
    texts = {name: f"[{USUAL[name]}, {USUAL[name]}]".encode() for name in CONTRACT.names}
    arrays = packed_columns(CONTRACT, texts | {"few": b"[null, 2]", "\u00e9": b"[ null,null ]"})
    assert arrays is not None
    assert [array.to_pylist() for array in arrays[3:]] == [[None, 2], [None, None]]
    assert packed_columns(CONTRACT, texts | {"whole": b"[null, 2]"}) is None
    with pytest.raises(msgspec.ValidationError, match="bool"):
        packed_columns(CONTRACT, texts | {"flag": b"[null, true]"})


def test_absent_columns_text_and_whole_numbers_that_are_too_small_are_for_the_exact_reader() -> None:
    assert packed_columns(CONTRACT, dict.fromkeys(CONTRACT.names, b"[1e-400]")) is None
    assert packed_columns(CONTRACT, dict.fromkeys(CONTRACT.names[1:], b"[1]")) is None
    assert packed_columns(make_contract([{"name": "a", "type": "string"}]), {"a": b'["1"]'}) is None


@pytest.mark.parametrize("values", ["1," * 50 + "true", '"a,b",' * 50 + "1", "[1,2]," * 50 + "1"])
@pytest.mark.parametrize("size", range(1, 30))
def test_long_columns_are_cut_between_values_only(values: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_pieces, "PIECE_BYTES", size)
    pieces = json_pieces.in_pieces(f" [{values}]".encode(), json.loads, json_pieces.BETWEEN_VALUES)
    assert list(chain.from_iterable(pieces)) == json.loads(f"[{values}]")


@pytest.mark.parametrize(
    "rows", [["{}"] * 30 + ['{"a": 1}'], ['{"a": "},{"}', "[]"] * 20, ["[{}, {}]"] * 30, ["[], []"] * 9]
)
@pytest.mark.parametrize("between", [json_pieces.BETWEEN_OBJECTS, json_pieces.BETWEEN_ARRAYS])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 21])
def test_long_arrays_of_rows_are_cut_between_rows_only(
    rows: list[str], between: re.Pattern[bytes], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_pieces, "PIECE_BYTES", size)
    array = f"[{' , '.join(rows)}]"
    assert list(json_pieces.elements_in_pieces(array.encode(), json.loads, between)) == json.loads(array)


def test_an_array_that_is_not_flat_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_pieces, "PIECE_BYTES", 100)
    sizes: list[int] = []

    def decode(piece: bytes) -> Any:
        sizes.append(len(piece))
        return msgspec.json.decode(piece, type=list[float])

    for array in (b"[" + b"1," * 200 + b'"x",' + b"1," * 100_000 + b"1]", b"[1" + b" " * 300_000 + b"]"):
        with pytest.raises(json_pieces.NOT_IN_BULK):
            list(json_pieces.flat_pieces(array, decode, json_pieces.BETWEEN_VALUES))
    assert max(sizes) < 200


@pytest.mark.parametrize(
    "array", ["[1,2,3,]", "[,1,2,3]", "[1,2,,3]", "[1,2, ,3]", "[,]", "[ , ]", "[1,2,3 , ]", "[,,,]"]
)
@pytest.mark.parametrize("size", range(12))
def test_a_comma_with_nothing_beside_it_is_an_error_wherever_the_array_is_cut(
    array: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_pieces, "PIECE_BYTES", size + 1)
    for decode in (vector, msgspec.json.Decoder(list[float]).decode):
        with pytest.raises(json_pieces.NOT_IN_BULK):
            list(json_pieces.flat_pieces(array.encode(), decode, json_pieces.BETWEEN_VALUES))


def test_an_empty_array_is_one_piece() -> None:
    [piece] = json_pieces.flat_pieces(b"[ ]", vector, json_pieces.BETWEEN_VALUES)
    assert piece.tolist() == []


WORDS = [r'"a,b"', r'"\"],"', r'"\\"', r'"\\\",\\"', '""', "null", "[1,2]", '{"a":","}', "NaN", "1"]


@pytest.mark.parametrize("size", range(1, 30))
@pytest.mark.parametrize("turn", range(len(WORDS)))
def test_a_column_is_read_a_few_values_at_a_time(size: int, turn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_by_column, "PIECE_BYTES", size)
    words = WORDS[turn:] + WORDS[:turn]
    rows = JsonRows(make_contract([{"name": "a", "type": "string"}]), ReadOptions(), ignore_extra=True)
    column = Column("a", f"[{' ,'.join(words)} ]".encode(), rows)
    parts = [column.take(3) for _ in range(5)]
    assert [part.count for part in parts] == [3, 3, 3, 1, 0]
    assert [text.decode() for part in parts for text in part.texts()] == words


@pytest.mark.parametrize("value", ["null", "[]", '"x"', "1"])
def test_columns_take_little_memory_beside_their_text(value: str) -> None:
    column = f"[{','.join([value] * 200_000)},{{}}]"
    text = f'{{"columns": {{{",".join(f"{json.dumps(name)}:{column}" for name in CONTRACT.names)}}}}}'.encode()
    tracemalloc.start()
    try:
        next(iter(validated_from_document(text, CONTRACT, ReadOptions())))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(text)


def test_what_is_nested_in_a_column_is_not_taken_apart_however_long_it_is() -> None:
    long = [[0] * json_by_column.PIECE_BYTES, 1]
    body = json.dumps({"columns": dict.fromkeys(CONTRACT.names, long)}).encode()
    with pytest.raises(MalformedInput) as error:
        list(validated_from_document(body, CONTRACT, ReadOptions()))
    assert error.value.reason.type == "column-nested"


def test_columns_of_which_one_ends_late_are_no_table() -> None:
    columns = {name: [1] * json_slices.SLICE_ROWS for name in CONTRACT.names}
    columns["flag"].append(1)
    with pytest.raises(MalformedInput) as error:
        list(validated_from_document(json.dumps({"columns": columns}).encode(), CONTRACT, ReadOptions()))
    assert error.value.reason.type == "column-lengths"


def test_an_endless_row_of_values_is_rejected_for_its_length() -> None:
    body = json.dumps({"dataframe_split": {"columns": CONTRACT.names, "data": [[1] * 2**17]}}).encode()
    [checked] = validated_from_document(body, CONTRACT, ReadOptions())
    assert [error.type for error in checked.report.errors] == ["too_long"]


@pytest.mark.parametrize("kind", ["double", "long", "string", "boolean"])
def test_columns_without_a_value_are_no_rows(kind: str) -> None:
    contract = make_contract([{"name": "a", "type": kind}])
    with pytest.raises(MalformedInput) as error:
        list(validated_from_document(b'{"columns": {"a": []}}', contract, ReadOptions()))
    assert error.value.reason.type == "no-rows"


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("[{}, {}]", 2),
        ('{"dataframe_split": {"columns": [], "data": [[], []]}}', 2),
        ('{"dataframe_split": {"columns": ["a"], "data": [[null], [null]]}}', 2),
        ('{"dataframe_split": {"columns": [], "data": []}}', 0),
        ('{"columns": {"a": [null, null]}}', 2),
        ('{"columns": {}}', 0),
    ],
)
def test_rows_in_which_all_is_missing_are_rows(body: str, rows: int) -> None:
    contract = make_contract([{"name": name, "type": "double", "required": False} for name in "ab"])
    try:
        batches = [checked.batch for checked in validated_from_document(body.encode(), contract, ReadOptions())]
    except MalformedInput as error:
        assert (error.reason.type, rows) == ("no-rows", 0)
    else:
        assert [row for batch in batches for row in batch.to_pylist()] == [{"a": None, "b": None}] * rows


def test_columns_of_other_lengths_are_no_table() -> None:
    columns = {name: [1, 2] for name in CONTRACT.names} | {"flag": [True]}
    with pytest.raises(MalformedInput) as error:
        list(validated_from_document(json.dumps({"columns": columns}).encode(), CONTRACT, ReadOptions()))
    assert error.value.reason.type == "column-lengths"

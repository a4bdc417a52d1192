"""Rows read as a matrix are those that pydantic reads one by one, or are left to it; so are columns read as vectors."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.formats import json_numbers
from shared.formats.json_columns import validated_packed
from shared.formats.json_matrix import MatrixRows
from shared.formats.json_numbers import MISSING, matrix, taking_null, vector
from shared.formats.json_pieces import NOT_IN_BULK, PIECE_BYTES
from tests.factories import make_contract
from tests.unit.shared.formats.test_json_packed import (
    CONTRACT,
    EXAMPLES,
    NUMBERS,
    OF_NUMBERS,
    OTHERS,
    USUAL,
    Row,
    array_of,
    one_by_one,
    same,
    tables,
    text_of,
)

NAMES = OF_NUMBERS.names
NOT_FLAT = ["[[1], 2]", "[1, [2]]", "[[1, 2]]", "[]]", "[1, {}]", "[[]]", "1", "{}", '{"a": 1}', "", "[1, 2", "[1,, 2]"]


@EXAMPLES
@given(tables(OF_NUMBERS), st.permutations([*NAMES, "more"]))
def test_arrays_have_the_verdict_of_each_row_or_are_left_alone(rows: list[Row], names: list[str]) -> None:
    lists = [[dict(row).get(name, "null") for name in names] for row in rows]
    array = array_of([f"[{','.join(values)}]".encode() for values in lists])
    fast = validated_packed(MatrixRows.of(OF_NUMBERS, names), array, 7)
    if fast is not None:
        pairs = [list(zip(names, values, strict=True)) for values in lists]
        same(fast, one_by_one([text_of([pair for pair in row if pair[0] != "more"]) for row in pairs], OF_NUMBERS))


@pytest.mark.parametrize("gaps", [[], [0], [2500], [9999], [0, 1, 9999]])
def test_missing_numbers_are_found_in_whichever_piece_they_are(gaps: list[int]) -> None:
    rows = [[USUAL[name] for name in NAMES] for _ in range(10_000)]
    for row in gaps:
        rows[row][2] = "null"
    array = array_of([f"[{','.join(row)}]".encode() for row in rows])
    assert len(array) > 2 * PIECE_BYTES
    checked = validated_packed(MatrixRows.of(OF_NUMBERS, NAMES), array, 0)
    assert checked is not None
    assert checked.batch.num_rows == len(rows)
    assert np.flatnonzero(checked.batch.column(2).is_null()).tolist() == gaps
    assert checked.batch.slice(3, 1).to_pylist() == [{"whole": 7, "": 0.5, "few": 2, "é": 1.5}]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    "given",
    ["[1, 2, 3]", "[1, 2, 3, 4, 5]", "[[1], 2, 3, 4]", "[1, [2, 3], 4]", "[[1, 2], [3, 4], [], []]", "7"],
)
def test_rows_of_another_length_and_what_is_nested_are_left_alone(given: str, place: int) -> None:
    rows = [b"[1, 2, 3, 4]"] * 4
    rows[place] = given.encode()
    assert validated_packed(MatrixRows.of(OF_NUMBERS, NAMES), array_of(rows), 0) is None


@pytest.mark.parametrize("text", NOT_FLAT)
def test_what_is_no_array_of_numbers_is_no_vector(text: str) -> None:
    with pytest.raises(NOT_IN_BULK):
        vector(text.encode())


@pytest.mark.parametrize("depth", [3, 1000, 100_000])
def test_what_is_nested_deeply_is_an_error_like_any_other(depth: int) -> None:
    for read in (vector, lambda text: matrix(text, 1)):
        with pytest.raises(NOT_IN_BULK):
            read(b"[" * depth + b"1" + b"]" * depth)
        with pytest.raises(NOT_IN_BULK):
            read(b"[" * depth)


@pytest.mark.parametrize("text", [*NUMBERS, *OTHERS])
def test_a_number_is_the_one_that_python_reads_and_nothing_else_is_one(text: str) -> None:
    array = f"[0, {text}]".encode()
    try:
        values = vector(array).tolist()
    except NOT_IN_BULK:
        return
    expected = [float(value) for value in json.loads(array)]
    assert [value.hex() for value in values] == [value.hex() for value in expected]


@EXAMPLES
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.sampled_from(["", ".17g", "e"]))
def test_all_finite_numbers_are_read_to_the_bit(numbers: list[float], written: str) -> None:
    texts = [format(number, written) for number in numbers]
    # As JSON, in which -0 is a whole number, and so 0.
    expected = np.array([json.loads(text) for text in texts], float)
    assert vector(f"[{','.join(texts)}]".encode()).tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("text", "is_null"),
    [("null", True), (" null\n", True), ("-null", False), ("null0", False), ("nulll", False)],
)
def test_null_is_a_value_only_where_it_stands_alone(text: str, *, is_null: bool) -> None:
    read = taking_null(vector)
    for array in (f"[{text}]", f"[1,{text}]", f"[{text},2]"):
        if is_null:
            assert MISSING in read(array.encode())
        else:
            with pytest.raises(NOT_IN_BULK):
                read(array.encode())


def test_booleans_text_and_features_that_are_not_named_once_are_for_another_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert MatrixRows.of(CONTRACT, CONTRACT.names) is None
    assert MatrixRows.of(make_contract([{"name": "a", "type": "string"}]), ["a"]) is None
    assert MatrixRows.of(OF_NUMBERS, NAMES[1:]) is None
    assert MatrixRows.of(OF_NUMBERS, [*NAMES, NAMES[0]]) is None
    assert MatrixRows.of(OF_NUMBERS, [*NAMES, "more", "more"]) is not None
    monkeypatch.setattr(json_numbers, "simdjson", None)
    assert MatrixRows.of(OF_NUMBERS, NAMES) is None

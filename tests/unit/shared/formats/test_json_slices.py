"""Arrays of rows come in slices: large ones while no value need be a Python object, and smaller ones where that is not so."""

import json
from collections.abc import Sequence

import pytest

from shared.contract.validated import Validated
from shared.errors import MalformedInput
from shared.formats import json_rows, json_slices
from shared.formats.json_pieces import BETWEEN_OBJECTS
from shared.formats.json_rows import validated_from_document
from shared.formats.json_slices import MOST_REFUSED, SLICE_ROWS, Readers, validated_array
from shared.formats.source import ReadOptions
from tests.factories import make_contract

CONTRACT = make_contract([{"name": "a", "type": "double"}, {"name": "b", "type": "long", "required": False}])
ROWS = 30 * SLICE_ROWS
SHAPES = ["records", "split"]


def slices_of(rows: Sequence[tuple[object, object]], shape: str) -> list[Validated]:
    body: object = {"dataframe_split": {"columns": ["a", "b"], "data": rows}}
    if shape == "records":
        body = [dict(zip("ab", row, strict=True)) for row in rows]
    return list(validated_from_document(json.dumps(body).encode(), CONTRACT, ReadOptions()))


@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_come_in_large_slices_in_the_order_of_their_rows(shape: str) -> None:
    slices = slices_of([(i + 0.25, i) for i in range(ROWS)], shape)
    assert len(slices) == 1
    assert [value for each in slices for value in each.batch.column(1).to_pylist()] == list(range(ROWS))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("odd", [[0], [ROWS // 2], [ROWS - 1], [3, 100, ROWS // 5, ROWS // 2, ROWS - 2]])
@pytest.mark.parametrize("value", ["1", -0.0])
def test_what_needs_another_reader_is_read_in_small_slices(shape: str, odd: list[int], value: object) -> None:
    rows: list[tuple[object, object]] = [(i + 0.25, i) for i in range(ROWS)]
    for row in odd:
        rows[row] = (value, row)
    slices = slices_of(rows, shape)
    values = [value for each in slices for value in each.batch.column(1).to_pylist()]
    assert len(values) == ROWS
    assert [value for row, value in enumerate(values) if row not in odd] == [
        row for row in range(ROWS) if row not in odd
    ]
    invalid = [error.row for each in slices for error in each.report.errors]
    assert invalid == (odd if value == "1" else [])
    start = 0
    for each in slices:
        rows_here = range(start, start := start + each.batch.num_rows)
        assert len(rows_here) <= 1.2 * SLICE_ROWS or not set(odd) & set(rows_here)


def test_an_array_that_refuses_large_slices_is_no_longer_tried_in_them() -> None:
    tried: list[int] = []

    def in_bulk(array: bytes, start: int) -> Validated | None:
        [found] = validated_from_document(array, CONTRACT, ReadOptions())
        return found

    def refuse(array: bytes, start: int) -> None:
        tried.append(start)

    def fail(rows: Sequence[bytes], start: int) -> Validated:
        raise AssertionError("The other reader has read them.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_slices, "FIRST_SLICE_BYTES", 100)
        patch.setattr(json_slices, "MAX_SLICE_BYTES", 1000)
        array = json.dumps([{"a": i, "b": i} for i in range(1000)]).encode()
        slices = list(validated_array(array, Readers(refuse, in_bulk, fail), BETWEEN_OBJECTS))
    assert [value for each in slices for value in each.batch.column(1).to_pylist()] == list(range(1000))
    assert len(tried) == MOST_REFUSED < len(slices)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_broken_far_behind_is_told(shape: str) -> None:
    rows = json.dumps([[1, 2]] * ROWS if shape == "split" else [{"a": 1, "b": 2}] * ROWS)
    broken = f"{rows[:-1]}, 5x]"
    body = f'{{"dataframe_split": {{"columns": ["a", "b"], "data": {broken}}}}}' if shape == "split" else broken
    with pytest.raises(MalformedInput):
        list(validated_from_document(body.encode(), CONTRACT, ReadOptions()))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 30, 1000])
def test_a_large_slice_ends_between_rows(shape: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (json_slices, json_rows):
        monkeypatch.setattr(module, "LARGE_SLICE_BYTES", size)
    slices = slices_of([(i + 0.25, i) for i in range(300)], shape)
    assert len(slices) > 2
    assert [value for each in slices for value in each.batch.column(1).to_pylist()] == list(range(300))

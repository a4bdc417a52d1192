"""Documents of flat arrays are cut at their brackets; what might be cut in the wrong place is left alone."""

import json

import pytest

from shared.formats import json_rows
from shared.formats.json_flat import flat_columns, flat_split
from shared.formats.json_packed import packed_columns
from shared.formats.json_pieces import NOT_IN_BULK
from shared.formats.json_rows import validated_from_document
from shared.formats.source import ReadOptions
from tests.factories import make_contract

NAMES = frozenset({"a", "é"})
CONTRACT = make_contract([{"name": name, "type": "double"} for name in ("a", "é")])


@pytest.mark.parametrize(
    "body",
    [
        '{"columns":{"a":[1,2],"é":[3,4]}}',
        ' {\t"columns"\r\n: { "a" : [1,2]\n,\n"é"\n:[3,4] } } \n',
    ],
)
def test_columns_are_cut_at_the_end_of_each(body: str) -> None:
    assert flat_columns(body.encode(), NAMES) == {"a": b"[1,2]", "é": b"[3,4]"}


TOKENS = ("{", '"columns"', ":", "{", '"a"', ":", "[1]", "}", "}")


@pytest.mark.parametrize("place", range(len(TOKENS) + 1))
@pytest.mark.parametrize("filler", [" ", "\n", "x"])
def test_what_is_long_between_the_arrays_is_not_searched(place: int, filler: str) -> None:
    tokens = [*TOKENS[:place], filler * 1_000_000, *TOKENS[place:]]
    assert flat_columns("".join(TOKENS).encode(), NAMES) == {"a": b"[1]"}
    assert flat_columns("".join(tokens).encode(), NAMES) is None


def test_a_long_name_is_left_to_the_parser() -> None:
    name = "x" * 1_000_000
    assert flat_columns(f'{{"columns": {{"{name}": [1]}}}}'.encode(), {name}) is None


def test_some_columns_may_be_absent() -> None:
    assert flat_columns(b'{"columns": {"a": []}}', NAMES) == {"a": b"[]"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"columns": {"a": [1], "a": [2]}}',
        b'{"columns": {"a": [1], "b": [2]}}',
        b'{"columns": {"a": [1], "\\u00e9": [2]}}',
        b'{"columns": {"a": [1], "\xe9": [2]}}',
        b'{"columns": {"a": [1], "a\n": [2]}}',
        b'{"columns": {"a": [1],}}',
        b'{"columns": {"a": [1] "\xc3\xa9": [2]}}',
        b'{"columns": {"a": 1}}',
        b'{"columns": {"a": [1}}',
        b'{"columns": {"a": [1]}',
        b'{"columns": {"a": [1]}}}',
        b'{"columns": {"a": [1]}}\x00',
        b'{"columns": {"a": [1]}, "columns": {"a": [2]}}',
        b'{"columns": {}}',
        b'{"columns": {',
        b'{"column": {"a": [1]}}',
        b'[{"columns": {"a": [1]}}]',
        b'\x0b{"columns": {"a": [1]}}',
        b"",
    ],
)
def test_any_other_document_is_not_one_of_columns(body: bytes) -> None:
    assert flat_columns(body, NAMES) is None


@pytest.mark.parametrize(
    "body",
    [
        '{"dataframe_split":{"columns":["a","é"],"data":[[1,2],[3,4]]}}',
        ' { "dataframe_split"\n:\t{ "index" : [0,7] , "columns" : ["a", "\\u00e9"]\r, "data" : [[1,2],[3,4]] } } ',
    ],
)
def test_a_split_is_cut_into_names_and_rows(body: str) -> None:
    assert flat_split(body.encode()) == (["a", "é"], b"[[1,2],[3,4]]")


@pytest.mark.parametrize(
    "inner",
    [
        '"data": [[1]]',
        '"data": [[1]], "columns": ["a"]',
        '"columns": ["a"]',
        '"columns": [], "data": [[]]',
        '"columns": ["a"], "data": [[1]], "index": [0]',
        '"columns": ["a"], "data": [["1"]]',
        '"columns": ["a"], "data": [[1]], "data": [[2]]',
        '"columns": ["a"], "columns": ["b"], "data": [[1]]',
        '"columns": ["a]b"], "data": [[1]]',
        '"columns": ["a", 1], "data": [[1]]',
        '"columns": {"a": 0}, "data": [[1]]',
        '"columns": ["a"], "index": [[0, 1]], "data": [[1]]',
        '"columns": ["a"], "index": [0,], "data": [[1]]',
        '"columns": ["a"], "names": [1], "data": [[1]]',
        '"columns": ["a"], "data": [[1]]}',
        '"columns": ["a"], "data": 1',
        '"columns": ["a"] "data": [[1]]',
        "",
    ],
)
def test_any_other_split_is_left_alone(inner: str) -> None:
    assert flat_split(b'{"dataframe_split": {%b}}' % inner.encode()) is None


def test_very_many_names_are_left_to_the_reader_that_has_a_limit() -> None:
    names = json.dumps([f"name {i}" for i in range(10_000)])
    assert flat_split(b'{"dataframe_split": {"columns": %b, "data": [[1]]}}' % names.encode()) is None


@pytest.mark.parametrize("end", ["2", "2]", "[2]", "2}", "", "2,", '"2"'])
def test_what_was_cut_is_the_document_only_if_all_of_it_is_numbers(end: str) -> None:
    whole = f'{{"columns": {{"a": [1], "é": [{end}]}}}}'
    texts = flat_columns(whole.encode(), NAMES)
    try:
        parsed = json.loads(whole)["columns"]
    except ValueError:
        parsed = None
    try:
        arrays = packed_columns(CONTRACT, texts) if texts else None
    except NOT_IN_BULK:
        arrays = None
    if arrays is not None:
        assert parsed == {name: array.to_pylist() for name, array in zip(CONTRACT.names, arrays, strict=True)}


@pytest.mark.parametrize("is_large", [False, True])
def test_a_split_is_parsed_as_a_whole_only_where_it_is_large(is_large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"dataframe_split": {"columns": ["a", "é"], "data": [[1, 2]] * 1000}}).encode()
    monkeypatch.setattr(json_rows, "LARGE_SLICE_BYTES", len(body) - is_large)
    if not is_large:
        monkeypatch.setattr(json_rows, "_opened", None)
    batches = [checked.batch for checked in validated_from_document(body, CONTRACT, ReadOptions())]
    assert sum(batch.num_rows for batch in batches) == 1000

"""NDJSON files: one object a line; what is no JSON is named by its line, what is no row by its number."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pytest

from shared.contract.validated import Validated
from shared.errors import MalformedInput
from shared.formats import ndjson
from shared.formats.json_pieces import MAX_ROW_BYTES
from shared.formats.source import Check, ReadOptions
from tests.factories import make_contract

CONTRACT = make_contract(
    [
        {"name": "age", "type": "long"},
        {"name": "most", "type": "double", "required": False},
    ],
    {"age": {"ge": 18}},
)


class Memory:
    """A file in memory, which gives no more than `most` bytes in one read."""

    def __init__(self, content: bytes, most: int | None = None) -> None:
        self.content, self.most = content, most

    @contextmanager
    def stream(self) -> Iterator[BinaryIO]:
        stream = io.BytesIO(self.content)
        if self.most is not None:
            read_all, most = stream.read, self.most
            stream.read = lambda size=None, /: read_all(min(size or most, most))  # type: ignore[method-assign]
        yield stream

    @contextmanager
    def local_file(self, _: Check) -> Iterator[Path]:
        raise AssertionError("NDJSON is read in order")
        yield Path()


def read(content: bytes, keep: tuple[str, ...] = (), most: int | None = None, **options: Any) -> list[Validated]:
    return list(ndjson.read(Memory(content, most), ReadOptions(keep=keep, **options), CONTRACT))


def ages(slices: list[Validated]) -> list[int | None]:
    return [age for checked in slices for age in checked.batch.column("age").to_pylist()]


@pytest.mark.parametrize(
    "content",
    [
        b'{"age": 20}\n{"age": 21.0, "most": null}\n',
        b'{"age": 20}\n{"age": 21}',
        b'{"age": 20}\r\n{"age": 21}\r\n',
        b'\xef\xbb\xbf{"age": 20}\n{"age": 21}\n',
        b'\n \n{"age": 20}\n\t\r\n\n  {"age": 21} \n\n',
        b'{"age": 20, "most": 1, "id": 1}\n{"age": 21, "most": 2, "id": "\\ud83d\\ude00"}',
    ],
)
def test_whole_lines_are_rows(content: bytes) -> None:
    slices = read(content)
    assert ages(slices) == [20, 21]
    assert sum(checked.report.invalid_values for checked in slices) == 0


@pytest.mark.parametrize("most", [1, 7, None])
def test_a_file_is_read_in_blocks_of_whole_lines(monkeypatch: pytest.MonkeyPatch, most: int | None) -> None:
    monkeypatch.setattr(ndjson, "BLOCK_BYTES", 100)
    content = b"\n".join(b'{"age": %d}' % age + b" " * (age % 17) + b"\n" * (age % 2) for age in range(18, 100))
    slices = read(content, most=most)
    assert len(slices) > 5
    assert ages(slices) == list(range(18, 100))


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b'{"age": 20', 3),
        (b'{"age": 20}{"age": 21}', 3),
        (b'{"age": 20},{"age": 21}', 3),
        (b'{"age": 20, "most": "\xff"}', 3),
        (b'{"age": 20, "most": 1, "more": "\xff"}', 3),
        (b'{"age": 20, "most": 1, "more": [1\n]}', 3),
        (b'{"age": 20}\x00', 3),
        (b"age", 3),
        (b'{"age": 20}\n\n{"age": 1]', 5),
    ],
)
@pytest.mark.parametrize("block", [1, 2**20])
def test_a_line_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch, block: int, line: bytes, number: int) -> None:
    monkeypatch.setattr(ndjson, "BLOCK_BYTES", block)
    with pytest.raises(MalformedInput, match=rf"^Line {number} is not valid JSON: \w[^\n]* at character \d+\.$"):
        read(b'{"age": 20}\n\n' + line + b'\n{"age": 20}\n')


@pytest.mark.parametrize(
    ("line", "kind"), [(b"[1]", "dict_type"), (b"null", "dict_type"), (b'{"age": NaN}', "finite_number")]
)
def test_a_line_that_is_json_but_no_row_is_a_bad_row(line: bytes, kind: str) -> None:
    [checked] = read(b'{"age": 20}\n\n' + line + b'\n{"age": 3}\n')
    assert [(error.row, error.type) for error in checked.report.errors] == [(1, kind), (2, "greater_than_equal")]
    assert checked.batch.num_rows == 3


def test_rows_count_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "BLOCK_BYTES", 50)
    slices = read(b'{"age": 20}\n\n' * 30 + b'{"age": 1}\n')
    assert [error.row for checked in slices for error in checked.report.errors] == [30]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n", b" \r\n\n"])
def test_a_file_without_rows_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedInput, match="no rows"):
        read(content)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_LINE_BYTES", 3 * 2**20)
    with pytest.raises(MalformedInput, match="Line 2 is longer than 3 MB"):
        read(b'{"age": 20}\n' + b" " * 6 * 2**20)


def test_unknown_keys_are_passed_over_unless_something_is_missing() -> None:
    [checked] = read(b'{"age": 20, "most": 1, "id": 1}\n{"age": 20, "id": 1}\n{"age": 20}\n{"age": 20, "mots": 1}')
    assert [(error.row, error.column, error.type) for error in checked.report.errors] == [
        (1, "id", "extra_forbidden"),
        (3, "mots", "extra_forbidden"),
    ]


@pytest.mark.parametrize(
    ("values", "kept", "text"),
    [
        (["1", "null"], [1, None], ["1", None]),
        (["1", "2.5"], [1.0, 2.5], ["1", "2.5"]),
        (["true", "null"], [True, None], ["true", None]),
        (['"a"', "1"], ["a", "1"], ["a", "1"]),
        (["false", "1.5"], ["false", "1.5"], ["false", "1.5"]),
        (["1" + "0" * 30, "1"], ["1" + "0" * 30, "1"], ["1" + "0" * 30, "1"]),
        (["null", "null"], [None, None], [None, None]),
    ],
)
def test_kept_values_have_their_common_type_or_are_text(
    values: list[str], kept: list[object], text: list[object]
) -> None:
    content = "\n".join(f'{{"age": 20, "id": {value}}}' for value in values).encode()
    for extra in (b"", b'\n{"age": 1e999, "id": null}'):  # in bulk, and row by row
        for types, expected in ((None, kept), (("string",), text)):
            [checked] = read(content + extra, ("id",), kept_types=types)
            assert checked.kept is not None
            assert checked.kept.column("id").to_pylist()[:2] == expected


@pytest.mark.parametrize("word", ["NaN", "-Infinity", "1"])
def test_a_long_line_with_nan_is_one_row_that_is_too_long(word: str) -> None:
    long = f'{{"age": {word}, "more": "{"x" * MAX_ROW_BYTES}"}}'
    [checked] = read(f'{{"age": 20}}\n{long}\n{{"age": 30}}'.encode())
    assert [(error.row, error.type) for error in checked.report.errors] == [(1, "too_long")]
    with pytest.raises(MalformedInput) as caught:
        read(f'{{"age": 20}}\n{long},'.encode())
    params = caught.value.reason.params
    assert (caught.value.reason.type, params["line"], params["character"]) == ("ndjson-invalid", 2, len(long) + 1)


@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        (["1", "null"], pa.float64(), [1.0, None]),
        (["null", "null"], pa.int64(), [None, None]),
        (["true"], pa.bool_(), [True]),
        (["1"], pa.string(), ["1"]),
        # No float is this number, so all must become text.
        (["9007199254740993"], pa.float64(), ["9007199254740993"]),
    ],
)
def test_kept_values_have_the_type_that_all_rows_need(values: list[str], kind: pa.DataType, kept: list[object]) -> None:
    content = "\n".join(f'{{"age": 20, "id": {value}}}' for value in values).encode()
    [checked] = read(content, ("id",), kept_types=(str(kind),))
    assert checked.kept is not None
    assert checked.kept.column("id").to_pylist() == kept
    assert checked.kept.column("id").type == (pa.string() if isinstance(kept[0], str) else kind)


def test_a_kept_feature_is_kept_as_it_came_even_if_it_is_invalid() -> None:
    [checked] = read(b'{"age": 20}\n{"age": "old"}', ("age",))
    assert checked.kept is not None
    assert checked.kept.column("age").to_pylist() == ["20", "old"]


def test_a_nested_value_cannot_be_kept() -> None:
    [checked] = read(b'{"age": 20, "id": [1]}\n{"age": 20, "id": 2}', ("id",))
    assert [(error.row, error.column, error.type) for error in checked.report.errors] == [(0, "id", "kept_type")]

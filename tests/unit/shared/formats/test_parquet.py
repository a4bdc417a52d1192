"""Parquet files: the same rows whoever wrote them, and a clear word on what is damaged, lies or would not fit in memory."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from shared.contract.validated import Validated
from shared.errors import InputError, InputTooLarge, MalformedInput, WrongColumns
from shared.formats import parquet
from shared.formats.format import Format
from shared.formats.readers import RANGE_READERS
from shared.formats.source import ReadOptions
from tests.factories import make_contract
from tests.unit.shared.formats.whole import Way, assert_same, reader_of

CONTRACT = make_contract(
    [
        {"name": "amount", "type": "double"},
        {"name": "age", "type": "long", "required": False},
        {"name": "flag", "type": "boolean", "required": False},
        {"name": "word", "type": "string", "required": False},
    ],
    {"amount": {"ge": 0}},
)
WORDS = ["car", "café", "", None]
KEEP_ALL = ReadOptions(keep=("when", "word", "age"))


def table(rows: int = 200, **columns: Any) -> pa.Table:
    random = np.random.default_rng(1)
    return pa.table(
        {
            "when": pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * rows, pa.timestamp("us", "UTC")),
            "more": pa.array([{"a": [1, 2], "b": None}] * rows),
            "age": pa.array(random.integers(18, 100, rows)),
            "word": pa.array([WORDS[i] for i in random.integers(0, 4, rows)], pa.string()),
            "amount": pa.array(random.normal(2, 1, rows), mask=random.random(rows) < 0.1),
            "flag": pa.array(random.random(rows) < 0.5),
        }
        | columns
    )


def body_of(data: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(data, sink, **options)
    return bytes(sink.getvalue())


READING: dict[str, Way] = {"way": "as a whole"}
"""How `read` reads."""


@pytest.fixture(params=get_args(Way), autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Way:
    """All of this holds for a file that is read as a whole, and for one whose parts are read by several."""
    chosen: Way = request.param
    monkeypatch.setitem(READING, "way", chosen)
    return chosen


def read(body: bytes, folder: Path, options: ReadOptions = KEEP_ALL) -> list[Validated]:
    path = folder / "input"
    path.write_bytes(body)
    return reader_of(READING["way"], parquet.read, RANGE_READERS[Format.PARQUET])(path, options, CONTRACT)


@pytest.mark.parametrize(
    "options",
    [
        {},
        *({"compression": name} for name in ("none", "gzip", "zstd", "lz4", "brotli")),
        {"row_group_size": 33},
        {"use_dictionary": False},
        {"use_dictionary": False, "data_page_version": "2.0"},
        {"data_page_version": "2.0", "data_page_size": 100, "write_batch_size": 10},
        {"data_page_size": 100, "write_batch_size": 10, "write_page_checksum": True, "write_page_index": True},
        {"dictionary_pagesize_limit": 8},
        {"version": "1.0", "store_schema": False},
        {
            "use_dictionary": False,
            "column_encoding": {
                "word": "DELTA_BYTE_ARRAY",
                "age": "DELTA_BINARY_PACKED",
                "amount": "BYTE_STREAM_SPLIT",
                "flag": "RLE",
            },
        },
        {"use_dictionary": False, "column_encoding": {"word": "DELTA_LENGTH_BYTE_ARRAY"}},
    ],
    ids=str,
)
def test_rows_are_the_same_however_they_are_written(options: dict[str, Any], tmp_path: Path) -> None:
    assert_same(read(body_of(table(), **options), tmp_path), table(), CONTRACT, KEEP_ALL)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        *(("age", getattr(pa, f"{sign}int{bits}")()) for sign in ("", "u") for bits in (8, 16, 32, 64)),
        ("age", pa.decimal128(25, 2)),
        ("age", pa.float32()),
        ("amount", pa.float32()),
        ("amount", pa.float16()),
        ("word", pa.large_string()),
        ("word", pa.string_view()),
        ("word", pa.dictionary(pa.int32(), pa.string())),
        ("when", pa.timestamp("ms")),
        ("when", pa.date32()),
    ],
    ids=str,
)
def test_rows_are_the_same_whatever_types_they_are_of(column: str, kind: pa.DataType, tmp_path: Path) -> None:
    data = table()
    values = data[column].cast(kind, safe=False)
    data = data.set_column(data.schema.get_field_index(column), column, values)
    assert_same(read(body_of(data, row_group_size=60), tmp_path), data, CONTRACT, KEEP_ALL)


def test_a_large_row_group_is_read_in_slices(way: Way, tmp_path: Path) -> None:
    slices = read(body_of(table(70_000), row_group_size=70_000), tmp_path)
    expected = [65536, 4464] if way == "as a whole" else [23334, 23334, 65536 - 46668, 4464]
    assert [piece.batch.num_rows for piece in slices] == expected
    assert_same(slices, table(70_000), CONTRACT, KEEP_ALL)


def test_a_name_with_a_dot_is_not_taken_for_a_nested_column(tmp_path: Path) -> None:
    data = table().append_column("more.a.list.element", pa.array(range(200)))
    slices = read(body_of(data), tmp_path, ReadOptions(keep=("more.a.list.element",)))
    assert [i for piece in slices if piece.kept for i in piece.kept.column(0).to_pylist()] == list(range(200))


@pytest.mark.parametrize(
    ("columns", "keep", "message"),
    [
        ({"amount": ["1"] * 200}, (), "Column 'amount' is of type string, which cannot be read as double"),
        ({"amount": [[1.0]] * 200}, (), "Column 'amount' is of type list"),
        ({}, ("more",), "Column 'more' cannot be kept"),
        ({}, ("other",), "not in the file: 'other'"),
    ],
)
def test_columns_that_cannot_be_right_are_named(
    columns: dict[str, Any], keep: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(WrongColumns, match=message):
        read(body_of(table(**columns)), tmp_path, ReadOptions(keep=keep))


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="no rows"):
        read(body_of(table().slice(0, 0)), tmp_path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b"amount,age\n1,2\n", "not in Parquet format"),
        (b"PAR1", "cut off"),
        (b"PARE" + bytes(20) + b"PARE", "encrypted"),
        (b"PAR1" + bytes(20) + b"\xff\xff\xff\x7fPAR1", "cut off, or its end is damaged"),
        (b"PAR1" + bytes(20) + b"\x14\0\0\0PAR1", "damaged"),
    ],
)
def test_what_is_no_parquet_is_refused(body: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match=message):
        read(body, tmp_path)


class NoKeys(pe.KmsClient):  # type: ignore[misc]
    """Keeps keys as they are."""

    def __init__(self, _config: pe.KmsConnectionConfig) -> None:
        super().__init__()

    def wrap_key(self, key: bytes, _name: str) -> str:
        return key.hex()


@pytest.mark.parametrize("open_metadata", [False, True])
def test_an_encrypted_file_is_refused(open_metadata: bool, tmp_path: Path) -> None:
    settings = pe.EncryptionConfiguration("key", column_keys={"key": ["amount"]}, plaintext_footer=open_metadata)
    factory = pe.CryptoFactory(NoKeys)
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), settings)
    body = body_of(pa.table({"amount": [1.0]}), encryption_properties=properties)
    with pytest.raises(MalformedInput, match="encrypted"):
        read(body, tmp_path, ReadOptions())


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    body = body_of(table())
    for length in range(1, len(body), 97):
        with pytest.raises(MalformedInput):
            read(body[:length], tmp_path)


@pytest.mark.parametrize("told", [0, 199, 201, 8000])
def test_numbers_of_rows_that_the_pages_do_not_have_are_refused(told: int, tmp_path: Path) -> None:
    body = body_of(table(), store_schema=False)
    start = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    # Thrift writes a number doubled; 200 stands for the file, the row group and each of the columns.
    footer = body[start:-8].replace(_varint(2 * 200), _varint(2 * told))
    with pytest.raises(MalformedInput):
        read(body[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1", tmp_path)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


@pytest.mark.parametrize("count", [100_000, 10_000_000])
def test_metadata_that_announce_millions_of_things_are_refused(count: int, tmp_path: Path) -> None:
    footer = b"\x15\x02\x19\xfc" + _varint(count) + b"\x48\x01s\x15\x02\x00" * 5
    with pytest.raises(MalformedInput):
        read(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1", tmp_path)


def test_metadata_that_are_too_large_are_refused(tmp_path: Path) -> None:
    size = parquet.MAX_FOOTER_BYTES + 1
    with pytest.raises(InputTooLarge, match="metadata"):
        read(b"PAR1" + bytes(size) + size.to_bytes(4, "little") + b"PAR1", tmp_path)


@pytest.mark.parametrize("compression", ["zstd", "gzip", "snappy"])
def test_a_page_that_unpacks_to_too_much_is_refused(compression: str, tmp_path: Path) -> None:
    data = table(word=["x" * 500_000] * 140 + [None] * 60)
    with pytest.raises(InputTooLarge, match="pages of more than 64 MB"):
        read(body_of(data, compression=compression, use_dictionary=False), tmp_path)


def test_a_long_value_named_very_often_is_refused(tmp_path: Path) -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), ["x" * 1_000_000])
    with pytest.raises(InputTooLarge, match="more than 256 MB of text"):
        read(body_of(table(50_000, word=words), store_schema=False), tmp_path)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    body = body_of(table(word=["abcdefgh"] * 200), compression="none")
    with pytest.raises(MalformedInput):
        read(body.replace(b"abcdefgh", b"abc\xff\xfefgh"), tmp_path)


def damaged(body: bytes, seed: int) -> bytes:
    """Change some bytes, mostly near the end, where the metadata are; or cut."""
    chance = random.Random(seed)
    changed = bytearray(body)
    if seed % 8 == 0:
        return bytes(changed[: chance.randrange(len(changed))])
    for _ in range(chance.choice((1, 1, 2, 8))):
        near_end = len(changed) - 1 - int(chance.expovariate(1 / 800)) % len(changed)
        place = chance.choice((chance.randrange(len(changed)), near_end))
        changed[place] = chance.choice((changed[place] ^ 1 << chance.randrange(8), 0, 1, 127, 128, 255))
    return bytes(changed)


@pytest.mark.parametrize("options", [{}, {"data_page_version": "2.0", "compression": "zstd"}])
def test_damage_is_refused_or_does_no_harm(options: dict[str, str], tmp_path: Path) -> None:
    body = body_of(table(), row_group_size=70, **options)
    for seed in range(60):
        try:
            for piece in read(damaged(body, seed), tmp_path):
                piece.batch.validate(full=True)
        except InputError:
            pass

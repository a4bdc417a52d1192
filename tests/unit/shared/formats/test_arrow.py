"""Arrow files and streams: what is in them is what comes out, and what is wrong with them is said, not met with a crash."""

import random
import struct
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from shared.contract.validated import Validated
from shared.errors import InputError, InputTooLarge, MalformedInput, PretError, WrongColumns
from shared.formats import arrow
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
NOTHING = ReadOptions()


def table(rows: int = 200, **columns: Any) -> pa.Table:
    random = np.random.default_rng(1)
    return pa.table(
        {
            "age": pa.array(random.integers(18, 100, rows)),
            "word": pa.array([WORDS[i] for i in random.integers(0, 4, rows)], pa.string()),
            "amount": pa.array(random.normal(2, 1, rows), mask=random.random(rows) < 0.1),
            "flag": pa.array(random.random(rows) < 0.5),
        }
        | columns
    )


def file_bytes(data: pa.Table, rows: int | None = None, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, data.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(data, rows)
    return bytes(sink.getvalue())


def stream_bytes(data: pa.Table, rows: int | None = None, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, data.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(data, rows)
    return bytes(sink.getvalue())


Kind = tuple[Any, Callable[..., bytes]]
KINDS = pytest.mark.parametrize(
    "kind", [(arrow.read_file, file_bytes), (arrow.read_stream, stream_bytes)], ids=["file", "stream"]
)


READING: dict[str, Way] = {"way": "as a whole"}
"""How `read` reads files; a stream is always read as a whole."""


@pytest.fixture(params=["as a whole", "in parts"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Way:
    """All of this holds for a file that is read as a whole, and for one whose parts are read by several."""
    chosen: Way = request.param
    monkeypatch.setitem(READING, "way", chosen)
    return chosen


def read(kind: Kind, body: bytes, folder: Path, options: ReadOptions = NOTHING) -> list[Validated]:
    path = folder / "input"
    path.write_bytes(body)
    parts = RANGE_READERS[Format.ARROW]
    return reader_of(READING["way"] if kind[0] is arrow.read_file else "as a whole", kind[0], parts)(
        path, options, CONTRACT
    )


def typed(**types: pa.DataType) -> pa.Table:
    data = table()
    return pa.table({name: data[name].cast(types.get(name, data[name].type)) for name in data.column_names})


WORDINGS = {
    "plain": table(),
    "dictionary": table().set_column(1, "word", table()["word"].dictionary_encode()),
    "large_string": typed(word=pa.large_string()),
    "string_view": typed(word=pa.string_view()),
    "int8": typed(age=pa.int8()),
    "uint64": typed(age=pa.uint64()),
    "float32": typed(age=pa.float32()),
    "decimal": typed(age=pa.decimal128(25, 2)),
    "nested that is kept out": table(more=[[1, 2]] * 200),
    "run end encoded": table(age=pa.array(pa.RunEndEncodedArray.from_arrays([50, 200], [20, 30]))),
}


@KINDS
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("wording", WORDINGS)
def test_rows_are_the_same_however_they_are_written(
    kind: Kind, wording: str, compression: str | None, tmp_path: Path
) -> None:
    data = WORDINGS[wording]
    assert_same(read(kind, kind[1](data, 70, compression=compression), tmp_path), data, CONTRACT, NOTHING)


@KINDS
def test_one_large_record_batch_is_read_in_slices(kind: Kind, way: Way, tmp_path: Path) -> None:
    data = table(150_000)
    options = ReadOptions(keep=("word", "age"))
    slices = read(kind, kind[1](data), tmp_path, options)
    in_parts = way == "in parts" and kind[0] is arrow.read_file
    assert [piece.batch.num_rows for piece in slices] == ([50_000] * 3 if in_parts else [65536, 65536, 18928])
    assert_same(slices, data, CONTRACT, options)


@KINDS
def test_a_long_value_named_often_is_read_in_small_slices(kind: Kind, tmp_path: Path) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 200, pa.int32()), ["x" * 1_000_000])
    slices = read(kind, kind[1](table(word=long)), tmp_path)
    assert max(piece.batch.nbytes for piece in slices) <= arrow.SLICE_TEXT_BYTES + 1000
    assert sum(piece.batch.num_rows for piece in slices) == 200


@KINDS
@pytest.mark.parametrize("wording", ["dictionary", "string_view", "run_end"])
def test_a_long_value_named_very_often_is_refused(kind: Kind, wording: str, tmp_path: Path) -> None:
    words: Any = pa.DictionaryArray.from_arrays(pa.array([0] * 900, pa.int32()), ["x" * 1_000_000])
    if wording == "string_view":
        view = pa.array(["x" * 1_000_000], pa.string_view())
        buffers = view.buffers()
        buffers[1] = pa.py_buffer(bytes(buffers[1])[:16] * 900)
        words = pa.Array.from_buffers(pa.string_view(), 900, buffers)
    if wording == "run_end":
        words = pa.RunEndEncodedArray.from_arrays([900], ["x" * 1_000_000])
    with pytest.raises(InputTooLarge, match="more than 256 MB of text"):
        read(kind, kind[1](table(900, word=words)), tmp_path)


@pytest.mark.parametrize("delta", [False, True])
def test_dictionaries_may_grow_or_be_replaced_within_a_stream(delta: bool, tmp_path: Path) -> None:
    first, second = ["car"], ["car", "tv"] if delta else ["bus", "tv"]
    batches = [
        pa.record_batch(
            {"amount": [1.0, 2.0], "word": pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), words)}
        )
        for codes, words in (([0, None], first), ([1, 0], second))
    ]
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=delta)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    kind = (arrow.read_stream, stream_bytes)
    contract_words = [w for piece in _optional(kind, bytes(sink.getvalue()), tmp_path) for w in piece]
    assert contract_words == ["car", None, second[1], second[0]]


def _optional(kind: Kind, body: bytes, folder: Path) -> list[list[Any]]:
    return [piece.batch.column("word").to_pylist() for piece in read(kind, body, folder)]


@KINDS
@pytest.mark.parametrize(
    ("columns", "keep", "message"),
    [
        ({"amount": ["1"] * 200}, (), "Column 'amount' is of type string, which cannot be read as double"),
        ({"amount": [[1.0]] * 200}, (), "Column 'amount' is of type list"),
        ({"more": [[1.0]] * 200}, ("more",), "Column 'more' cannot be kept"),
        ({"more": [b"1"] * 200}, ("more",), "Column 'more' cannot be kept"),
        ({}, ("other",), "not in the file: 'other'"),
    ],
)
def test_columns_that_cannot_be_right_are_named(
    kind: Kind, columns: dict[str, Any], keep: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(WrongColumns, match=message):
        read(kind, kind[1](table(**columns)), tmp_path, ReadOptions(keep=keep))


@KINDS
def test_missing_and_repeated_columns_are_named(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(WrongColumns, match="Missing columns: 'amount'"):
        read(kind, kind[1](table().drop_columns("amount")), tmp_path)
    twice = pa.Table.from_arrays([pa.array([1.0])] * 2, ["amount", "amount"])
    with pytest.raises(WrongColumns, match="more than once: 'amount'"):
        read(kind, kind[1](twice), tmp_path)


@KINDS
@pytest.mark.parametrize(
    "body", [b"", b"A", b"ARROW1", b"\xff\xff\xff\xff", b"FEA1" + bytes(50), b"PAR1" * 9, bytes(99)]
)
def test_what_is_no_arrow_is_refused(kind: Kind, body: bytes, tmp_path: Path) -> None:
    with pytest.raises(MalformedInput):
        read(kind, body, tmp_path)


@KINDS
@pytest.mark.parametrize("batches", [0, 1])
def test_a_file_without_rows_is_refused(kind: Kind, batches: int, tmp_path: Path) -> None:
    sink, new = pa.BufferOutputStream(), pa.ipc.new_file if kind[0] is arrow.read_file else pa.ipc.new_stream
    with new(sink, table().schema) as writer:
        for _ in range(batches):
            writer.write_batch(pa.RecordBatch.from_pylist([], table().schema))
    with pytest.raises(MalformedInput, match="no rows"):
        read(kind, bytes(sink.getvalue()), tmp_path)


@KINDS
def test_what_is_cut_off_or_goes_on_after_its_end_is_refused(kind: Kind, tmp_path: Path) -> None:
    body = kind[1](table(), 50)
    for damaged in (*(body[:length] for length in range(8, len(body), 97)), body[:-8], body + b"more of it"):
        with pytest.raises(MalformedInput):
            read(kind, damaged, tmp_path)


@pytest.mark.parametrize("said", [arrow.read_file, arrow.read_stream])
def test_files_and_streams_are_told_apart_by_their_first_bytes(said: Any, tmp_path: Path) -> None:
    for written, end in ((file_bytes, "Arrow data"), (stream_bytes, "Arrow stream data")):
        body = written(table(), 3)
        slices = read((said, written), body, tmp_path)
        assert sum(piece.batch.num_rows for piece in slices) == table().num_rows
        with pytest.raises(MalformedInput, match=rf"^The {end} is (cut off|damaged)"):
            read((said, written), body[:-9], tmp_path)
    with pytest.raises(MalformedInput, match="Feather version 1"):
        read((said, file_bytes), b"FEA1" + bytes(50), tmp_path)


def test_what_is_neither_is_told_by_what_it_was_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="not in Arrow format"):
        read((arrow.read_file, file_bytes), b"PAR1" * 9, tmp_path)
    with pytest.raises(MalformedInput, match="not an Arrow stream"):
        read((arrow.read_stream, stream_bytes), b"PAR1" * 9, tmp_path)


@KINDS
def test_offsets_that_point_elsewhere_are_found(kind: Kind, tmp_path: Path) -> None:
    marked = pa.table({"amount": [1.0] * 3, "word": ["a" * 1111, "b" * 2222, "c" * 3333]})
    body = kind[1](marked)
    offsets = struct.pack("<3i", 1111, 3333, 6666)
    assert body.count(offsets) == 1
    for wrong in ((10**6, 2 * 10**6, 3 * 10**6), (3333, 1111, 6666), (-5, 3333, 6666)):
        with pytest.raises(MalformedInput):
            read(kind, body.replace(offsets, struct.pack("<3i", *wrong)), tmp_path)


@KINDS
def test_text_that_is_not_utf8_is_refused(kind: Kind, tmp_path: Path) -> None:
    body = kind[1](pa.table({"amount": [1.0], "word": ["abcdefgh"]}))
    with pytest.raises(MalformedInput):
        read(kind, body.replace(b"abcdefgh", b"abc\xff\xfefgh"), tmp_path)


def damaged(body: bytes, seed: int) -> bytes:
    """Change some bytes, mostly near the ends, where the metadata are; or cut."""
    chance = random.Random(seed)
    changed = bytearray(body)
    if seed % 8 == 0:
        return bytes(changed[: chance.randrange(len(changed))])
    for _ in range(chance.choice((1, 2, 8))):
        near_end = len(changed) - 1 - int(chance.expovariate(1 / 800)) % len(changed)
        place = chance.choice((chance.randrange(len(changed)), near_end))
        size = chance.choice((1, 4, 8))
        value = chance.choice((chance.randrange(256), 255, 2**31 - 1, 2**40, -1)) % 256**size
        changed[place : place + size] = value.to_bytes(size, "little")
    return bytes(changed)


@KINDS
@pytest.mark.parametrize("options", [{}, {"compression": "lz4"}])
def test_damage_is_refused_or_does_no_harm(kind: Kind, options: dict[str, str], tmp_path: Path) -> None:
    body = kind[1](table().set_column(1, "word", table()["word"].dictionary_encode()), 70, **options)
    for seed in range(60):
        try:
            for piece in read(kind, damaged(body, seed), tmp_path):
                piece.batch.validate(full=True)
        except InputError as error:
            assert isinstance(error, PretError)


@KINDS
def test_record_batches_of_a_few_rows_are_put_together(kind: Kind, tmp_path: Path) -> None:
    rows = table(500)
    slices = read(kind, kind[1](pa.Table.from_batches(rows.to_batches(max_chunksize=1))), tmp_path)
    pieces = list(slices)
    assert sum(piece.batch.num_rows for piece in pieces) == 500
    assert len(pieces) < 500 / 32


DAYS = [date(2024, 1, 31), date(1999, 12, 31), None, date(2024, 1, 31)]


@KINDS
@pytest.mark.parametrize("batches", [1, 3, 1500])
@pytest.mark.parametrize(
    "values",
    [
        pa.array(DAYS),
        pa.array(DAYS).cast(pa.timestamp("s")),
        pa.array([1, 2, None, 1]).cast(pa.decimal128(21, 2)),
        pa.array(["a text that is kept elsewhere", "b", None, "b"], pa.string_view()),
    ],
    ids=lambda values: str(values.type),
)
def test_kept_columns_may_be_dictionaries_of_anything_that_can_be_kept(
    kind: Kind, values: pa.Array, batches: int, tmp_path: Path
) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 2, 3] * batches, pa.int8()), values)
    rows = len(column)
    data = table(rows, amount=[1.0] * rows, kept=column)
    checked = read(kind, kind[1](data, -(-rows // batches)), tmp_path, ReadOptions(keep=("kept",)))
    found = [value for part in checked if part.kept is not None for value in part.kept["kept"].to_pylist()]
    assert found == [values[i].as_py() if i is not None else None for i in [0, None, 1, 2, 3] * batches]


@pytest.mark.parametrize("values", [pa.array(DAYS), pa.array(["x", "y", None], pa.string_view())], ids=["date", "view"])
def test_a_dictionary_that_is_kept_may_be_replaced_within_a_stream(values: pa.Array, tmp_path: Path) -> None:
    schema = pa.schema([*table().schema, pa.field("kept", pa.dictionary(pa.int8(), values.type))])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for part in (values, values[1:]):
            column = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), part)
            writer.write_table(table(2, amount=[1.0, 2.0]).append_column("kept", column))
    checked = read((arrow.read_stream, stream_bytes), bytes(sink.getvalue()), tmp_path, ReadOptions(keep=("kept",)))
    found = [value for part in checked if part.kept is not None for value in part.kept["kept"].to_pylist()]
    assert found == [*values[:2].to_pylist(), *values[1:3].to_pylist()]

"""A damaged blob is an error, never another score."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from shared.errors import StorageUnavailable
from shared.jobs.blobs import batch_writer, read_batches, read_schema, write_batches
from shared.storage import Storage, create_storage

SCHEMA = pa.schema(
    [
        ("plain", pa.float64()),
        ("single", pa.float32()),
        ("count", pa.int64()),
        ("score", pa.float64()),
        ("name", pa.string()),
    ]
)


def batch(rows: int, seed: int) -> pa.RecordBatch:
    dice = random.Random(seed)
    plain = [dice.random() for _ in range(rows)]
    scores = [None if dice.random() < 0.1 else dice.random() for _ in range(rows)]
    columns = [plain, plain, range(rows), scores, [str(score) for score in scores]]
    return pa.RecordBatch.from_arrays(
        [pa.array(values, kind) for values, kind in zip(columns, SCHEMA.types, strict=True)], schema=SCHEMA
    )


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return create_storage(str(tmp_path))


def test_what_was_written_is_read_batch_by_batch(storage: Storage) -> None:
    batches = [batch(7, 1), batch(1, 2), batch(50, 3).slice(10, 21)]
    with batch_writer("a/b.arrow", SCHEMA, storage) as write:
        for each in batches:
            write(each)
    for numbers in ([0, 1, 2], [2], [1, 2], []):
        read = list(read_batches("a/b.arrow", storage, numbers))
        assert [one.equals(batches[number]) for one, number in zip(read, numbers, strict=True)] == [True] * len(numbers)
    assert read_schema("a/b.arrow", storage) == SCHEMA


def test_nothing_is_left_when_writing_breaks_off(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), batch_writer("a/b.arrow", SCHEMA, storage) as write:
        write(batch(3, 1))
        raise KeyboardInterrupt
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_flipped_bit_and_no_cut_changes_a_value_unnoticed(storage: Storage, tmp_path: Path) -> None:
    original = batch(20, 4)
    write_batches([original], "blob", storage)
    content = (tmp_path / "blob").read_bytes()
    dice = random.Random(5)
    damaged = [content[: dice.randrange(len(content))] for _ in range(50)]
    for place in dice.sample(range(8 * len(content)), 300):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    refused = 0
    for bad in damaged:
        (tmp_path / "blob").write_bytes(bad)
        try:
            assert [read.to_pydict() for read in read_batches("blob", storage)] == [original.to_pydict()]
        except StorageUnavailable:
            refused += 1
    assert refused > 150


def test_a_batch_that_was_never_written_is_unavailable(storage: Storage) -> None:
    with batch_writer("blob", SCHEMA, storage) as write:
        write(batch(2, 1))
    with pytest.raises(StorageUnavailable):
        list(read_batches("blob", storage, [1]))


def test_a_blob_that_is_not_there_is_named(storage: Storage) -> None:
    with pytest.raises(StorageUnavailable):
        list(read_batches("nothing", storage))
    with pytest.raises(StorageUnavailable):
        read_schema("nothing", storage)

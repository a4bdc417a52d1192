"""A damaged blob is an error, never another score."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from shared.errors import StorageUnavailable
from shared.jobs.blobs import read_batch, write_batches
from shared.storage import Storage

SCHEMA = pa.schema([("score", pa.float64()), ("name", pa.string())])


def batch(rows: int, seed: int) -> pa.RecordBatch:
    dice = random.Random(seed)
    scores = [None if dice.random() < 0.1 else dice.random() for _ in range(rows)]
    return pa.record_batch([pa.array(scores, pa.float64()), pa.array([str(score) for score in scores])], schema=SCHEMA)


def test_what_was_written_is_read_batch_by_batch(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    batches = [batch(7, 1), batch(1, 2), batch(50, 3).slice(10, 21)]
    assert write_batches(batches, SCHEMA, "a/b.arrow", storage) == 29
    assert [read_batch("a/b.arrow", number, storage).equals(batches[number]) for number in range(3)] == [True] * 3


def test_no_flipped_bit_and_no_cut_changes_a_value_unnoticed(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    original = batch(20, 4)
    write_batches([original], SCHEMA, "blob", storage)
    content = (tmp_path / "blob").read_bytes()
    dice = random.Random(5)
    damaged = [content[: dice.randrange(len(content))] for _ in range(50)]
    for place in dice.sample(range(8 * len(content)), 600):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        damaged.append(bytes(flipped))
    refused = 0
    for bad in damaged:
        (tmp_path / "blob").write_bytes(bad)
        try:
            assert read_batch("blob", 0, storage).to_pydict() == original.to_pydict()
        except StorageUnavailable:
            refused += 1
    assert refused > 300


def test_a_blob_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        read_batch("nothing", 0, Storage(str(tmp_path)))

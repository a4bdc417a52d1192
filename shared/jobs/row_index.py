"""Where the rows of a file of text begin, as its reading noted: so one is found without reading all that comes before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from shared.jobs.blobs import read_batches, write_batches
from shared.jobs.job import Job
from shared.storage import Storage

Place = tuple[int, int]
"""The number of a row, and the offset in bytes at which it begins."""


@dataclass(frozen=True)
class Piece:
    """Some megabytes of a file that hold a row; offsets are bytes of the decompressed text as UTF-8."""

    head: int
    """Where the first row of the file begins, after a header."""
    start: int
    end: int | None
    """None if it is the last one."""
    first_row: int


def write_index(places: Sequence[Place], job: Job, storage: Storage) -> None:
    """Store the beginnings of some rows, in order."""
    rows, offsets = (pa.array(numbers, pa.int64()) for numbers in zip(*places, strict=True))
    write_batches([pa.record_batch({"row": rows, "offset": offsets})], job.index_blob, storage)


def piece_with(row: int, job: Job, storage: Storage) -> Piece:
    """Find the piece that holds a row; raises StorageUnavailable."""
    [batch] = read_batches(job.index_blob, storage)
    rows, offsets = (column.to_numpy() for column in batch.columns)
    place = int(np.searchsorted(rows, row, "right")) - 1
    end = int(offsets[place + 1]) if place + 1 < len(offsets) else None
    return Piece(int(offsets[0]), int(offsets[place]), end, int(rows[place]))

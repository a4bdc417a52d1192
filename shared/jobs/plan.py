"""The plan of a file whose chunks are ranges of the file itself: how many rows each has, chosen from its metadata."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from uuid import uuid4

from shared.errors import MalformedInput
from shared.formats.layout import Layout, SourceInPlace
from shared.formats.readers import RANGE_READERS
from shared.jobs.job import Job
from shared.jobs.rows import check_count, sizes_for
from shared.jobs.unit import Limits
from shared.models.artifact import Model
from shared.scoring import rows_per_second

CELLS_PER_SECOND = 60_000_000
"""About how many values one core decodes, checks and encodes in a second."""

CHUNK_BYTES = 128 << 20
"""Maximum of decoded bytes in a chunk, so that it stays well within its lease; for a remote file, of bytes in memory."""

MOST_TIMES = 3
"""How many times as many rows as wanted a chunk may have, where smaller ones would be decoded too often."""

MOST_DECODED = 2.0
"""Rows that may be decoded in all for each row of the file; more cost more than one reader that decodes each once."""


def planned(job: Job, model: Model, source: SourceInPlace, limits: Limits) -> Job | None:
    """Return the job as it is once its file is divided into chunks; None if its rows must be read in order, and stored.

    Raises InputError if the file is found to be bad by its metadata.
    """
    reader = RANGE_READERS.get(job.format)
    if reader is None or job.encoding is not None:
        return None
    layout = reader.layout(source, job.read_options, model.contract)
    if layout is None:
        return None
    if not layout.total:
        raise MalformedInput("no-rows")
    check_count(job, layout.total, limits.rows)
    wanted, batch_rows = _wanted(model, limits.chunk_rows, explains=bool(job.explain))
    chunk_rows = choose_chunk_rows(layout, wanted)
    if chunk_rows is None:
        return None
    return replace(
        job,
        attempt=uuid4().hex[:8],
        in_place=True,
        checksum=layout.checksum,
        rows=layout.total,
        rows_read=layout.total,
        chunk_rows=chunk_rows,
        batch_rows=batch_rows,
    )


def _wanted(model: Model, chunk_rows: int | None, *, explains: bool) -> tuple[int, int]:
    """Return the rows per chunk, fewer than of stored rows since decoding takes time too, and per record batch in it."""
    wanted, batch_rows = sizes_for(model, chunk_rows, explains=explains)
    if chunk_rows is None:
        decoding = len(model.contract.features) / CELLS_PER_SECOND
        wanted = int(wanted / (1 + decoding * rows_per_second(model, explains=explains)))
    return max(wanted, batch_rows), batch_rows


def choose_chunk_rows(layout: Layout, wanted: int) -> int | None:
    """Choose the rows per chunk, about as many as wanted; None if decoding would take much longer than by one reader."""
    most = max(1, CHUNK_BYTES * layout.total // max(layout.piece_bytes, 1))
    for size in _candidates(layout, min(wanted, most)):
        if size <= most and decoded_rows(layout, size) <= MOST_DECODED * layout.total:
            return size
    return None


def _candidates(layout: Layout, wanted: int) -> Iterator[int]:
    if layout.is_enterable:
        yield wanted
        return
    largest = max(layout.rows)
    # Where all pieces but the last have this size, such chunks begin where a piece does. Parts of a piece are rather larger
    # than wanted, since each of them decodes the piece from its beginning.
    yield largest * (wanted // largest) if largest <= wanted else -(-largest // (largest // wanted))
    yield from (times * wanted for times in range(1, MOST_TIMES + 1))


def decoded_rows(layout: Layout, size: int) -> int:
    """Count the rows that are decoded in all: a chunk that begins within a piece decodes it from its first row."""
    if layout.is_enterable:
        return layout.total
    starts = [0, *accumulate(layout.rows)]
    piece, in_vain = 0, 0
    for first in range(0, layout.total, size):
        while starts[piece + 1] <= first:
            piece += 1
        in_vain += first - starts[piece]
    return layout.total + in_vain

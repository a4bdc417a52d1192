"""A worker that reads and scores as slowly as the test wishes at the moment, and may call back to this machine.

The files `reading`, `scoring`, `copying`, `planning` and `decoding` in PACE_FOLDER hold the seconds for each slice of rows, each
chunk, each piece of a file that is copied before it is read, and for a file that is read in place, once and for each of its chunks;
`free` holds the bytes that are free in the storage. Without one all is as it is.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from shared.contract.contract import Contract
from shared.contract.validated import Told, Validated, Write
from shared.errors import ALL_VALID
from shared.formats.compression import spooled
from shared.formats.layout import Layout, SourceInPlace
from shared.formats.members import Readable
from shared.formats.readers import RANGE_READERS, READERS, RangeReader, Reader
from shared.formats.source import ReadOptions, Source
from shared.jobs import notify, upload
from shared.models.evaluator import Scores
from shared.models.scorer import Scorer, WatchCategories
from shared.storage.local import LocalStorage
from shared.webhooks import delivery
from worker.app import app as app

SLICE_ROWS = 20
PIECE_BYTES = 1000

free_bytes = LocalStorage.free_bytes
score_encoded = Scorer.score_encoded


def paced(what: str) -> float | None:
    try:
        return float(Path(os.environ["PACE_FOLDER"], what).read_text())
    except FileNotFoundError:
        return None


def take_time(work: str) -> None:
    time.sleep(paced(work) or 0)


def score_slowly(self: Scorer, batch: pa.RecordBatch, watch: WatchCategories | None = None) -> Scores:
    take_time("scoring")
    return score_encoded(self, batch, watch)


def in_small_slices(read: Reader, source: Source, options: ReadOptions, contract: Contract) -> Iterator[Validated]:
    for checked in read(source, options, contract):
        for start in range(0, checked.batch.num_rows, SLICE_ROWS):
            take_time("reading")
            kept, told = checked.kept, checked.told
            yield replace(
                checked,
                batch=checked.batch.slice(start, SLICE_ROWS),
                kept=kept.slice(start, SLICE_ROWS) if kept is not None else None,
                told=partial(told_of, told, start) if told is not None else None,
                report=ALL_VALID if start else checked.report,
                offset=None if start else checked.offset,
            )


def slowly(reader: RangeReader) -> RangeReader:
    def layout(source: SourceInPlace, options: ReadOptions, contract: Contract) -> Layout | None:
        take_time("planning")
        return reader.layout(source, options, contract)

    def read(
        source: SourceInPlace, options: ReadOptions, contract: Contract, rows: range, checksum: str
    ) -> Iterator[Validated]:
        take_time("decoding")
        return reader.read(source, options, contract, rows, checksum)

    return RangeReader(layout, read)


def told_of(told: Told, start: int, write: Write, separator: str) -> pa.StringArray:
    return told(write, separator).slice(start, SLICE_ROWS)


class SlowStream:
    def __init__(self, stream: Readable) -> None:
        self.stream = stream

    def read(self, size: int, /) -> bytes:
        take_time("copying")
        return self.stream.read(min(size, PIECE_BYTES))


def free_as_told(self: LocalStorage) -> int:
    free = paced("free")
    return free_bytes(self) if free is None else int(free)


for form, reader in READERS.items():
    READERS[form] = partial(in_small_slices, reader)
for form, parts in RANGE_READERS.items():
    RANGE_READERS[form] = slowly(parts)
Scorer.score_encoded = score_slowly  # type: ignore[method-assign]
LocalStorage.free_bytes = free_as_told  # type: ignore[method-assign]
upload.spooled = lambda stream, folder, check: spooled(SlowStream(stream), folder, check)  # type: ignore[attr-defined]
delivery.BACKOFF = (0.2,) * 5
notify.deliver = partial(delivery.deliver, is_allowed_address=lambda _: True)  # type: ignore[attr-defined]

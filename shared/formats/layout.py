"""Where the rows of a file lie in it: what its own metadata tell, for formats of which a part can be read alone."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import pyarrow as pa

from shared.errors import MalformedInput
from shared.formats.source import Source


class SourceInPlace(Source, Protocol):
    """A file that is not compressed, so that a part of it can be read where it lies."""

    def in_place(self) -> AbstractContextManager[pa.NativeFile]:
        """Open the file for random access."""

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine and never changes, so that reads are cheap and it may be mapped into memory."""


@dataclass(frozen=True)
class Layout:
    """The pieces of a file, in order: row groups or record batches. Metadata may lie, so reading counts the rows again."""

    rows: tuple[int, ...]
    """Rows of each piece."""
    piece_bytes: int
    """Bytes of all pieces as decoding meets them: decompressed, of the columns that are read."""
    checksum: str
    """Of the metadata: a file that has another one was changed."""
    is_enterable: bool
    """Whether reading may begin anywhere within a piece, rather than at its first row."""

    @property
    def total(self) -> int:
        """Number of rows."""
        return sum(self.rows)


def pieces_with(rows: Iterable[int], wanted: range) -> tuple[list[int], int]:
    """Find the pieces that hold the wanted rows, and how many rows of the first one come before them."""
    ends = list(accumulate(rows))
    found = [i for i, (start, end) in enumerate(zip([0, *ends], ends, strict=False)) if _overlap(start, end, wanted)]
    return found, wanted.start - ([0, *ends][found[0]] if found else 0)


def _overlap(start: int, end: int, wanted: range) -> bool:
    return max(start, wanted.start) < min(end, wanted.stop)


def cut_out(batches: Iterable[pa.RecordBatch], skip: int, count: int, kind: str) -> Iterator[pa.RecordBatch]:
    """Pass `count` rows through, after the first `skip`; raises MalformedInput if there are fewer."""
    for batch in batches:
        part = batch.slice(skip, count)
        skip = max(0, skip - batch.num_rows)
        count -= part.num_rows
        if part.num_rows:
            yield part
        if not count:
            return
    raise MalformedInput("row-count", kind=kind)

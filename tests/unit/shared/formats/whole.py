"""Slices of a file against the whole of it, and a file read in parts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from shared.contract.columns import validate_columns
from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.errors import MalformedInput, Report
from shared.formats.readers import RangeReader, Reader
from shared.formats.source import LocalFile, ReadOptions

Way = Literal["as a whole", "in parts", "in parts from afar"]
PARTS = 3


class FileInPlace(LocalFile):
    """A file of which a part can be read; if it is not local, like one at the other end of a network."""

    def __init__(self, path: Path, *, is_local: bool = True) -> None:
        super().__init__(path)
        self.is_local = is_local

    @contextmanager
    def in_place(self) -> Iterator[pa.NativeFile]:
        with pa.OSFile(str(self._path), "rb") as file:
            yield file


def reader_of(way: Way, whole: Reader, parts: RangeReader) -> Callable[[Path, ReadOptions, Contract], list[Validated]]:
    """Give a function that reads a file as a whole, or in parts where its layout allows that."""

    def read(path: Path, options: ReadOptions, contract: Contract) -> list[Validated]:
        source = FileInPlace(path, is_local=way != "in parts from afar")
        layout = None if way == "as a whole" else parts.layout(source, options, contract)
        if layout is None:
            return list(whole(source, options, contract))
        if not layout.total:
            raise MalformedInput("no-rows")
        size = -(-layout.total // PARTS)
        ranges = [range(start, min(start + size, layout.total)) for start in range(0, layout.total, size)]
        return [piece for rows in ranges for piece in parts.read(source, options, contract, rows, layout.checksum)]

    return read


def assert_same(slices: list[Validated], data: pa.Table, contract: Contract, options: ReadOptions) -> None:
    """See that the slices are what the contract says of the whole table."""
    [batch] = data.combine_chunks().to_batches()
    whole = validate_columns(contract, batch, 0, options.keep)
    assert pa.Table.from_batches([piece.batch for piece in slices]).combine_chunks().to_batches() == [whole.batch]
    if whole.kept is not None:
        kept = [piece.kept for piece in slices]
        assert pa.Table.from_batches(kept).combine_chunks().to_batches() == [whole.kept]
    for told in ("words", "details"):
        expected = getattr(whole, told)
        found: list[Any] = []
        for piece in slices:
            part = getattr(piece, told)
            found += part.to_pylist() if part is not None else [None] * piece.batch.num_rows
        assert found == (expected.to_pylist() if expected is not None else [None] * batch.num_rows)
    assert reduce(Report.joined, (piece.report for piece in slices)) == whole.report

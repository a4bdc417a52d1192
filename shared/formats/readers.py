"""The readers by format."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.formats import arrow, csv_rows, ndjson, parquet
from shared.formats.format import Format
from shared.formats.layout import Layout, SourceInPlace
from shared.formats.source import ReadOptions, Source

Reader = Callable[[Source, ReadOptions, Contract], Iterator[Validated]]
"""Reads a file as slices of validated rows, in order; raises InputError if the file as a whole is not readable."""

READERS: dict[Format, Reader] = {
    Format.NDJSON: ndjson.read,
    Format.CSV: csv_rows.read,
    Format.PARQUET: parquet.read,
    Format.ARROW: arrow.read_file,
    Format.ARROW_STREAM: arrow.read_stream,
}
"""JSON is missing: a JSON document cannot be streamed, and is read as a whole at submission."""


@dataclass(frozen=True)
class RangeReader:
    """Reads parts of a file that is not compressed; both raise InputError if it is not readable."""

    layout: Callable[[SourceInPlace, ReadOptions, Contract], Layout | None]
    """Describes the file; None if it is better read as a whole."""
    read: Callable[[SourceInPlace, ReadOptions, Contract, range, str], Iterator[Validated]]
    """Reads these rows, as slices in order, of a file whose layout has this checksum."""


ROW_READERS: dict[Format, Callable[[Source, ReadOptions, Contract, int], Iterator[Validated]]] = {
    Format.PARQUET: parquet.read_row,
    Format.ARROW: arrow.read_row,
    Format.ARROW_STREAM: arrow.read_row,
}
"""Read one row, of this number, of a file that may be compressed; raise InputError if it is not readable."""

RANGE_READERS: dict[Format, RangeReader] = {
    Format.PARQUET: RangeReader(parquet.layout, parquet.read_rows),
    Format.ARROW: RangeReader(arrow.layout, arrow.read_rows),
}

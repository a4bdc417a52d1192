"""The readers by format."""

from collections.abc import Callable, Iterator

from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.formats import arrow, csv_rows, ndjson, parquet
from shared.formats.format import Format
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

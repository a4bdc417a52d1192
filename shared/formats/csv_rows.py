"""CSV files to validated rows: cut into blocks of whole records, which are parsed and validated on several cores.

Arrow's CSV reader directly parses the usual notations of numbers. It is strict about some spellings (59.0 for an integer)
and lax about others (NAN, 0x10), so columns with such fields are read as text and parsed exactly.
"""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from math import isnan

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from shared.contract.columns import Invalid, validate_columns
from shared.contract.contract import Contract
from shared.contract.matching import are_mostly_known, match_columns, missing_features
from shared.contract.validated import Validated
from shared.errors import InputError, MalformedInput, WrongColumns
from shared.formats.csv_blocks import QUOTE, UTF8_MARK, Block, Blocks, check, check_fields, first_record
from shared.formats.csv_values import FALSE, MISSING, TRUE, text_or_missing, values_of
from shared.formats.parallel import ordered_map
from shared.formats.source import DELIMITER, ReadOptions, Text
from shared.reasons import cut_names

BLOCK_BYTES = 4 * 2**20
"""Approximate block size, processed in 20 to 60 ms; smaller blocks have more overhead."""
FIRST_BLOCK_BYTES = 2**16
"""Sufficient for most headers."""
FEW_COLUMNS = 8
"""Blocks are smaller with fewer columns."""
MAX_COLUMNS = 100_000
DELIMITERS = {";": ";", "\t": "%09", ",": ",", "|": "|"}
"""Delimiters that a file may have used instead of the given one, and their spelling in a URL."""

SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?\r?\n?', re.IGNORECASE)
"""An Excel convention for the first line, which declares the delimiter and is not the header."""


@dataclass(frozen=True)
class _Dialect:
    """The special characters of one file."""

    delimiter: str
    decimal: str


def read(source: Text, options: ReadOptions, contract: Contract) -> Iterator[Validated]:
    """Read the rows of a CSV file in UTF-8 with a header; blank lines are skipped, as is a first line `sep=;`.

    Raises MalformedInput, with the line number, if the file is not such CSV, and WrongColumns.
    """
    delimiter = DELIMITER if options.delimiter is None else options.delimiter
    with source.stream() as stream:
        blocks = Blocks(stream, delimiter, min(FIRST_BLOCK_BYTES, BLOCK_BYTES))
        header, rest = _first_filled(blocks, Block(b"", 1))
        if separator := SEPARATOR_LINE.fullmatch(header.data):
            delimiter = options.delimiter or separator[1].decode("latin-1")
            header, rest = _first_filled(blocks, rest)
        dialect = _dialect(options, delimiter)
        blocks.delimiter = dialect.delimiter
        names = _names(header, dialect, options, contract)
        reader = _Reader(names, dialect, options, contract)
        # With few columns a block has many rows, which take much memory if features are absent or rows invalid.
        blocks.size = max(1, BLOCK_BYTES * len(names) // max(len(names), len(contract.names), FEW_COLUMNS))
        rows = 0
        for validated in ordered_map(reader.read, _pieces(chain([rest], blocks))):
            if validated is not None:
                # Row numbers are unknown while blocks are read in parallel.
                yield replace(validated, report=validated.report.moved(rows))
                rows += validated.batch.num_rows
    if not rows:
        raise MalformedInput("no-rows")


def _dialect(options: ReadOptions, delimiter: str) -> _Dialect:
    """Validate the options and return them as a dialect."""
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise MalformedInput("csv-delimiter-invalid")
    if options.decimal not in (".", ","):
        raise MalformedInput("csv-decimal-invalid")
    if delimiter == options.decimal:
        raise MalformedInput("csv-signs-equal")
    return _Dialect(delimiter, options.decimal)


def _first_filled(blocks: Blocks, rest: Block) -> tuple[Block, Block]:
    """Find the next record that is not blank; return it and the rest of its block."""
    for block in chain([rest], blocks):
        rest = block
        while rest.data:
            record, rest = first_record(rest)
            if record.data.strip(b"\r\n"):
                return record, rest
    raise MalformedInput("file-empty")


def _names(header: Block, dialect: _Dialect, options: ReadOptions, contract: Contract) -> list[str]:
    """Read the names of the columns; raises WrongColumns unless they are what the contract needs."""
    check(header, dialect.delimiter)
    if header.data.count(dialect.delimiter.encode()) >= MAX_COLUMNS:
        header.fault(0, "csv-too-many-columns", limit=MAX_COLUMNS)
    text = header.data.decode()
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter, strict=True))
    except csv.Error:
        header.fault(0, "csv-header-unreadable")
    if len(names) == 1 and names[0] not in contract.names:
        for delimiter, written in DELIMITERS.items():
            if delimiter in text:
                raise WrongColumns("csv-delimiter-wrong", delimiter=written)
    missing = missing_features(contract, names)
    if missing and not (
        {*names} <= {*contract.names, *options.keep} or are_mostly_known(contract, names, options.keep)
    ):
        # The content may be an applicant's data, so it is not repeated.
        raise WrongColumns("csv-header-missing", columns=cut_names(missing))
    match_columns(contract, names, options.keep)
    return names


def _pieces(blocks: Iterable[Block]) -> Iterator[Block | InputError]:
    """Yield an error of the stream as its last item, so that earlier errors in the data are found first."""
    try:
        yield from (block for block in blocks if block.data)
    except InputError as error:
        yield error


def _has_hexadecimal(data: bytes) -> bool:
    """Return whether there may be a number such as 0x10; searching for one letter is faster."""
    return (b"x" in data and b"0x" in data) or (b"X" in data and b"0X" in data)


def _has_nan(numbers: pa.DoubleArray) -> bool:
    """Return whether there may be a NaN, of which Arrow accepts several spellings. A sum is the fastest test."""
    return isnan(pc.sum(numbers).as_py() or 0.0)


class _Reader:
    """Reads the blocks of one file; thread-safe."""

    def __init__(self, names: list[str], dialect: _Dialect, options: ReadOptions, contract: Contract) -> None:
        self._names = names
        self._dialect = dialect
        self._options = options
        self._contract = contract
        self._features = {feature.name: feature for feature in contract.features if feature.name in names}
        self._integers = {name for name, feature in self._features.items() if feature.kind.python is int}
        # A kept column is repeated verbatim, so even numbers are read as text.
        self._as_text = {*options.keep, *(self._features if options.missing else ())}

    def read(self, block: Block | InputError) -> Validated | None:
        """Read and validate the rows of a block, numbered from 0; None if all its lines are blank."""
        if isinstance(block, InputError):
            raise block
        check(block, self._dialect.delimiter)
        table, as_text = self._table(block)
        if not table.num_rows:
            return None
        columns, found = {}, {}
        for name, feature in self._features.items():
            column = table[name]
            if name not in as_text:
                columns[name] = text_or_missing(column) if feature.kind.python is str else column
                continue
            columns[name], invalid = values_of(feature, column, self._dialect.decimal, self._options.missing)
            if invalid:
                found[name] = invalid
            if invalid or columns[name].type != feature.kind.arrow:
                # Most likely, this applies to the next block too.
                self._as_text = self._as_text | {name}
        return replace(self._validated(table, columns, found), offset=block.start)

    def _validated(
        self, table: pa.RecordBatch, columns: dict[str, pa.Array], found: dict[str, list[Invalid]]
    ) -> Validated:
        batch = pa.RecordBatch.from_pydict(columns) if columns else table.select([])
        validated = validate_columns(self._contract, batch, 0, invalid=found)
        kept = {name: text_or_missing(table[name]) for name in self._options.keep}
        return replace(validated, kept=pa.RecordBatch.from_pydict(kept)) if kept else validated

    def _table(self, block: Block) -> tuple[pa.RecordBatch, set[str]]:
        """Return the needed columns, and which of them are text that must be parsed exactly."""
        as_text = self._as_text
        if _has_hexadecimal(block.data):
            as_text = as_text | self._integers
        try:
            table = self._parsed(block, as_text)
            if not any(pa.types.is_floating(column.type) and _has_nan(column) for column in table.columns):
                return table, as_text
        except pa.ArrowInvalid:
            pass
        as_text = {*self._features, *self._options.keep}
        try:
            return self._parsed(block, as_text), as_text
        except pa.ArrowInvalid:
            check_fields(block, self._dialect.delimiter, len(self._names))
            block.fault(0, "csv-unreadable")

    def _parsed(self, block: Block, as_text: Collection[str]) -> pa.RecordBatch:
        """Parse a block; raises ArrowInvalid if a field does not have the type of its column, or if it is not CSV."""
        types = {
            name: pa.string() if name in as_text else feature.kind.arrow for name, feature in self._features.items()
        }
        types |= {name: pa.string() for name in self._options.keep}
        is_quoted = QUOTE in block.data
        # Arrow would strip a byte order mark at the beginning; a blank line before it prevents that.
        data = b"\n" + block.data if block.data.startswith(UTF8_MARK) else block.data
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            # A single block for Arrow too, in this thread.
            read_options=arrow_csv.ReadOptions(column_names=self._names, block_size=len(data) + 1, use_threads=False),
            # Without quotes, Arrow processes many bytes at a time.
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._dialect.delimiter, quote_char='"' if is_quoted else False, newlines_in_values=is_quoted
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=MISSING,
                true_values=TRUE,
                false_values=FALSE,
                strings_can_be_null=False,
                decimal_point=self._dialect.decimal,
            ),
        )
        return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)

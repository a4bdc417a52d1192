"""CSV files to checked rows: cut into blocks of whole records, which are read and checked on several cores.

While the fields are as one expects, Arrow's CSV reader makes numbers of them at once. It is strict about some spellings
(59.0 for an integer) and lax about others (NAN, 0x10), so columns with such fields are read as text and judged exactly.
"""

import csv
import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from math import isnan

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from shared.contract.columns import Refusal, match_columns, validate_columns
from shared.contract.contract import Contract
from shared.contract.validated import Validated
from shared.errors import InputError, MalformedInput, WrongColumns, cut
from shared.formats.csv_blocks import QUOTE, UTF8_MARK, Block, Blocks, check, check_fields, first_record
from shared.formats.csv_values import FALSE, MISSING, TRUE, text_or_missing, values_of
from shared.formats.parallel import ordered_map
from shared.formats.source import ReadOptions, Source

BLOCK_BYTES = 4 * 2**20
"""About so much is read and checked in one go, in 20 to 60 ms; around smaller ones there is more to do."""
FIRST_BLOCK_BYTES = 2**16
"""Enough for most headers."""
FEW_COLUMNS = 8
"""With fewer columns, blocks are smaller."""
MAX_COLUMNS = 100_000
DELIMITERS = {";": ";", "\t": "%09", ",": ",", "|": "|"}
"""What a file may be delimited by instead of what was said, and how that is written in a URL."""


def read(source: Source, options: ReadOptions, contract: Contract) -> Iterator[Validated]:
    """Read the rows of a CSV file in UTF-8 with a header; blank lines are passed over.

    Raises MalformedInput, naming the line, for what is not such a file, and WrongColumns.
    """
    _check_options(options)
    with source.stream() as stream:
        blocks = Blocks(stream, options.delimiter, min(FIRST_BLOCK_BYTES, BLOCK_BYTES))
        header, rest = _header(blocks)
        names = _names(header, options, contract)
        reader = _Reader(names, options, contract)
        # With few columns there are many rows in a block, and much is made of them if features are absent or rows refused.
        blocks.size = max(1, BLOCK_BYTES * len(names) // max(len(names), len(contract.names), FEW_COLUMNS))
        rows = 0
        for checked in ordered_map(reader.read, _pieces(chain([rest], blocks))):
            if checked is not None:
                yield _moved(checked, rows)
                rows += checked.batch.num_rows
    if not rows:
        raise MalformedInput("The file has a header and no rows.")


def _check_options(options: ReadOptions) -> None:
    delimiter, decimal = options.delimiter, options.decimal
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise MalformedInput("The delimiter must be one ASCII character, and neither a quote nor the end of a line.")
    if decimal not in (".", ","):
        raise MalformedInput("The decimal sign must be a point or a comma.")
    if delimiter == decimal:
        raise MalformedInput("The delimiter and the decimal sign must differ.")


def _header(blocks: Blocks) -> tuple[Block, Block]:
    """Find the first record that is not blank; gives it, and what follows it in its block."""
    for rest in blocks:
        while rest.data:
            header, rest = first_record(rest)
            if header.data.strip(b"\r\n"):
                return header, rest
    raise MalformedInput("The file is empty.")


def _names(header: Block, options: ReadOptions, contract: Contract) -> list[str]:
    """Read the names of the columns; raises WrongColumns unless they are what the contract needs."""
    check(header, options.delimiter)
    if header.data.count(options.delimiter.encode()) >= MAX_COLUMNS:
        header.fault(0, f"the header has more than {MAX_COLUMNS} columns.")
    text = header.data.decode()
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=options.delimiter, strict=True))
    except csv.Error:
        header.fault(0, "the header is not CSV, or a name in it is too long.")
    if len(names) == 1 and names[0] not in contract.names:
        for delimiter, written in DELIMITERS.items():
            if delimiter in text:
                raise WrongColumns(f"The header has only one column; should it be read with delimiter={written} ?")
    try:
        match_columns(contract, names, options.keep)
    except WrongColumns as error:
        raise WrongColumns(f"{error}{_hint(names, (*contract.names, *options.keep))}") from None
    return names


def _hint(names: Collection[str], wanted: Collection[str]) -> str:
    """Tell of a name that is nearly right, for the difference is hard to see."""
    right = {name.strip().casefold(): name for name in wanted if name not in names}
    for name in names:
        if name not in wanted and (meant := right.get(name.strip().casefold())) is not None:
            return f" {cut(name)!r} is not {cut(meant)!r}: letters must be small or capital alike, and no spaces around them."
    return ""


def _pieces(blocks: Iterable[Block]) -> Iterator[Block | InputError]:
    """Give an error of the stream as its last piece, so that what is wrong before it is found first."""
    try:
        yield from (block for block in blocks if block.data)
    except InputError as error:
        yield error


def _moved(checked: Validated, rows: int) -> Validated:
    """Count the rows of a block from the beginning of the file, which is not known while blocks are read side by side."""
    errors = tuple(replace(error, row=rows + (error.row or 0)) for error in checked.errors)
    return replace(checked, errors=errors)


def _has_hexadecimal(data: bytes) -> bool:
    """Tell whether there may be a number such as 0x10; the search for one letter is the faster one."""
    return (b"x" in data and b"0x" in data) or (b"X" in data and b"0X" in data)


def _has_nan(numbers: pa.DoubleArray) -> bool:
    """Tell whether there may be a NaN: Arrow takes spellings of it for numbers. A sum is the fastest way to see it."""
    return isnan(pc.sum(numbers).as_py() or 0.0)


class _Reader:
    """Reads blocks of one file; may be used in several threads."""

    def __init__(self, names: list[str], options: ReadOptions, contract: Contract) -> None:
        self._names = names
        self._options = options
        self._contract = contract
        self._features = {feature.name: feature for feature in contract.features if feature.name in names}
        self._integers = {name for name, feature in self._features.items() if feature.kind.python is int}
        # A kept column is given as it stands, so even a number is read as text.
        self._as_text = set(options.keep)

    def read(self, block: Block | InputError) -> Validated | None:
        """Read and check the rows of a block, counted from 0; None if all of its lines are blank."""
        if isinstance(block, InputError):
            raise block
        check(block, self._options.delimiter)
        table, as_text = self._table(block)
        if not table.num_rows:
            return None
        columns, refused = {}, {}
        for name, feature in self._features.items():
            column = table[name]
            if name not in as_text:
                columns[name] = text_or_missing(column) if feature.kind.python is str else column
                continue
            columns[name], refusal = values_of(feature, column, self._options.decimal)
            if refusal is not None:
                refused[name] = refusal
            if refusal is not None or columns[name].type != feature.kind.arrow:
                # It will be so in the next block too, most likely.
                self._as_text = self._as_text | {name}
        return self._checked(table, columns, refused)

    def _checked(self, table: pa.RecordBatch, columns: dict[str, pa.Array], refused: dict[str, Refusal]) -> Validated:
        batch = pa.RecordBatch.from_pydict(columns) if columns else table.select([])
        checked = validate_columns(self._contract, batch, 0, refused=refused)
        kept = {name: text_or_missing(table[name]) for name in self._options.keep}
        return replace(checked, kept=pa.RecordBatch.from_pydict(kept)) if kept else checked

    def _table(self, block: Block) -> tuple[pa.RecordBatch, set[str]]:
        """Give the columns that are needed, and which of them are text that must be judged."""
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
            check_fields(block, self._options.delimiter, len(self._names))
            block.fault(0, "what begins here cannot be read as CSV.")

    def _parsed(self, block: Block, as_text: Collection[str]) -> pa.RecordBatch:
        """Parse a block; raises ArrowInvalid if a field is not of its column's type, or if it is not CSV."""
        types = {
            name: pa.string() if name in as_text else feature.kind.arrow for name, feature in self._features.items()
        }
        types |= {name: pa.string() for name in self._options.keep}
        is_quoted = QUOTE in block.data
        # Arrow would take a mark at the beginning away; a blank line before it does no harm.
        data = b"\n" + block.data if block.data.startswith(UTF8_MARK) else block.data
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            # One block for Arrow too, on this thread.
            read_options=arrow_csv.ReadOptions(column_names=self._names, block_size=len(data) + 1, use_threads=False),
            # Without quotes, Arrow looks at many bytes at a time.
            parse_options=arrow_csv.ParseOptions(
                delimiter=self._options.delimiter, quote_char='"' if is_quoted else False, newlines_in_values=is_quoted
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=MISSING,
                true_values=TRUE,
                false_values=FALSE,
                strings_can_be_null=False,
                decimal_point=self._options.decimal,
            ),
        )
        return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)

"""Cut a stream of CSV into blocks of whole records, and locate syntax errors.

A record ends at a newline with an even number of quotes before it. That holds as long as quotes only enclose fields, or
are doubled within such a field; `check` rejects a block with a quote elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt

from shared.errors import MalformedInput

MAX_RECORD_BYTES = 16 * 2**20
"""A longer record is considered to have an unclosed quote, or not to be CSV at all."""

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
QUOTE, NEWLINE, RETURN, NUL = b'"', b"\n", b"\r", b"\0"

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Block:
    """Some whole records; the last one of a file may lack its newline."""

    data: bytes
    line: int
    """Line number of the first line in the file, from 1."""
    start: int = 0
    """Offset of the first byte in the file."""

    def fault(self, place: int, type: str, **params: Any) -> NoReturn:
        """Raise MalformedInput of this type, with the line number of `place`, an offset in the block."""
        raise MalformedInput(type, line=self.line + self.data.count(NEWLINE, 0, place), **params)


class Blocks(Iterator[Block]):
    """The blocks of a stream, in order. Buffers at most two blocks, or the maximum length of a record."""

    def __init__(self, stream: BinaryIO, delimiter: str, size: int) -> None:
        self.size = size
        """Approximate size of a block in bytes; may be changed during iteration."""
        self.delimiter = delimiter
        """Used only for error messages; may be changed during iteration too."""
        self._stream = stream
        self._line = 1
        start = stream.read(len(UTF8_MARK))
        if start.startswith(UTF16_MARKS):
            raise MalformedInput("csv-utf16")
        self._rest = start.removeprefix(UTF8_MARK)
        self._start = len(start) - len(self._rest)

    def __next__(self) -> Block:
        while True:
            # Doubling the buffer keeps a long record from being copied and searched too often.
            wanted = max(self.size, len(self._rest))
            piece = self._stream.read(min(wanted, MAX_RECORD_BYTES + 1 - len(self._rest)))
            if not piece:
                last, self._rest = self._rest, b""
                return self._last(last)
            records = self._take_records(piece)
            if len(self._rest) > MAX_RECORD_BYTES:
                self._reject(Block(self._rest, self._line))
            if records:
                return self._block(records)

    def _take_records(self, piece: bytes) -> bytes:
        """Return all complete records, up to some point in the piece, and keep the rest."""
        if QUOTE in self._rest or QUOTE in piece:
            data = self._rest + piece
            end = _end_of_records(data)
            records, self._rest = data[:end], data[end:]
            return records
        # The usual case, with one copy instead of two.
        end = piece.rfind(NEWLINE) + 1
        rest, self._rest = self._rest, piece[end:] if end else self._rest + piece
        return b"".join((rest, memoryview(piece)[:end])) if end else b""

    def _block(self, data: bytes) -> Block:
        block = Block(data, self._line, self._start)
        self._line += _count(data, NEWLINE)
        self._start += len(data)
        return block

    def _last(self, data: bytes) -> Block:
        if not data:
            raise StopIteration
        if _count(data, QUOTE) % 2:
            self._reject(Block(data, self._line))
        return self._block(data)

    def _reject(self, block: Block) -> NoReturn:
        """Return the error for a record that does not end."""
        _check_quotes(block, self.delimiter)
        if _count(block.data, QUOTE) % 2:
            block.fault(block.data.rfind(QUOTE), "csv-open-quote", limit=MAX_RECORD_BYTES)
        block.fault(0, "csv-record-too-long", limit=MAX_RECORD_BYTES)


def first_record(block: Block) -> tuple[Block, Block]:
    """Split off the first record of a block; return it and the remaining block."""
    end, inside = 0, False
    while end < len(block.data):
        start, end = end, block.data.find(NEWLINE, end) + 1 or len(block.data)
        inside ^= block.data.count(QUOTE, start, end) % 2 == 1
        if not inside:
            break
    lines = block.data.count(NEWLINE, 0, end)
    rest = Block(block.data[end:], block.line + lines, block.start + end)
    return Block(block.data[:end], block.line, block.start), rest


def record_at(data: bytes, number: int) -> bytes:
    """Return the record of whole ones that has this number, from 0; blank lines do not count. Raises IndexError."""
    octets = _bytes(data)
    starts, ends = _records(octets)
    place = np.flatnonzero(~_are_blank(octets, starts, ends))[number]
    return data[starts[place] : ends[place]]


def check(block: Block, delimiter: str) -> None:
    """Raise MalformedInput for anything in the block that is not CSV, whatever the number of columns."""
    if NUL in block.data:
        block.fault(block.data.index(NUL), "csv-nul")
    if not block.data.isascii():
        try:
            str(block.data, "utf-8")
        except UnicodeDecodeError as error:
            block.fault(error.start, "csv-not-utf8")
    _check_quotes(block, delimiter)
    _check_returns(block)


def check_fields(block: Block, delimiter: str, columns: int) -> None:
    """Raise MalformedInput, with the line number, if the number of fields of a record differs from that of the columns."""
    octets = _bytes(block.data)
    quotes = _find(octets, QUOTE)
    delimiters = _outside(_find(octets, delimiter.encode()), quotes)
    starts, ends = _records(octets)
    fields = np.diff(np.searchsorted(delimiters, np.append(0, ends))) + 1
    for number in np.flatnonzero((fields != columns) & ~_are_blank(octets, starts, ends))[:1]:
        block.fault(int(starts[number]), "csv-field-count", count=int(fields[number]), expected=columns)


def _records(octets: npt.NDArray[np.uint8]) -> tuple[Places, Places]:
    """Return where each line that is not within quotes begins, and where its newline is or would be."""
    ends = _outside(_find(octets, NEWLINE), _find(octets, QUOTE))
    if not len(octets) or octets[-1] != ord(NEWLINE):
        ends = np.append(ends, len(octets))
    return np.append(0, ends[:-1] + 1), ends


def _are_blank(octets: npt.NDArray[np.uint8], starts: Places, ends: Places) -> npt.NDArray[np.bool_]:
    blank: npt.NDArray[np.bool_] = ends == starts
    blank |= (ends == starts + 1) & (octets[starts.clip(max=len(octets) - 1)] == ord(RETURN))
    return blank


def _check_quotes(block: Block, delimiter: str) -> None:
    """Reject a quote within a field: quotes open and close alternately, opening after and closing before a field boundary."""
    if QUOTE not in block.data:
        return
    octets = _bytes(block.data)
    quotes = _find(octets, QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    before, after = _is_one_of(f'{delimiter}\n"'), _is_one_of(f'{delimiter}\n\r"')
    # There is a boundary before the first byte (-1 is the last byte, whatever it is), and after the last byte too.
    right = before[octets[opening - 1]] | (opening == 0)
    astray = opening[~right]
    right = after[octets[np.minimum(closing + 1, len(octets) - 1)]]
    astray = np.sort(np.append(astray, closing[~right]))
    for place in astray[:1]:
        block.fault(int(place), "csv-stray-quote")


def _check_returns(block: Block) -> None:
    """Reject a lone carriage return outside of quotes: only some readers treat it as a line end."""
    if RETURN not in block.data:
        return
    octets = _bytes(block.data)
    returns = _find(octets, RETURN)
    returns = returns[returns + 1 < len(octets)]
    alone = returns[octets[returns + 1] != ord(NEWLINE)]
    for place in _outside(alone, _find(octets, QUOTE))[:1] if len(alone) else ():
        block.fault(int(place), "csv-carriage-return")


def _end_of_records(data: bytes) -> int:
    """Return where the last complete record ends; 0 if there is none. The data must begin with a record."""
    end = len(data)
    inside = _count(data, QUOTE) % 2 == 1
    while True:
        newline = data.rfind(NEWLINE, 0, end)
        if newline < 0:
            return 0
        inside ^= data.count(QUOTE, newline, end) % 2 == 1
        if not inside:
            return newline + 1
        # The newline is within a field: continue before its opening quote.
        end = data.rfind(QUOTE, 0, newline)
        inside = False


def _outside(places: Places, quotes: Places) -> Places:
    """Return the places that are not within quotes."""
    outside: Places = places[np.searchsorted(quotes, places) % 2 == 0]
    return outside


def _is_one_of(characters: str) -> npt.NDArray[np.bool_]:
    """Make a lookup table of whether each byte value is one of these."""
    table = np.zeros(256, np.bool_)
    table[list(characters.encode())] = True
    return table


def _find(octets: npt.NDArray[np.uint8], what: bytes) -> Places:
    return np.flatnonzero(octets == ord(what))


def _count(data: bytes, what: bytes) -> int:
    return int(np.count_nonzero(_bytes(data) == ord(what)))


def _bytes(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)

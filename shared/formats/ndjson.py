"""NDJSON files to validated rows: one JSON object per line."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import msgspec
import pydantic_core

from shared.contract.contract import Contract
from shared.contract.findings import JsonFault, json_fault
from shared.contract.validated import Validated
from shared.errors import MalformedInput
from shared.formats.json_columns import JsonRows
from shared.formats.json_parts import decoded
from shared.formats.json_pieces import MAX_ROW_BYTES
from shared.formats.source import ReadOptions, Text

BLOCK_BYTES = 2**20
"""Approximate block size, processed in some 5 ms. Larger blocks would not be faster."""

MAX_LINE_BYTES = 16 * 2**20

UTF8_MARK = b"\xef\xbb\xbf"


def read(source: Text, options: ReadOptions, contract: Contract) -> Iterator[Validated]:
    """Read the rows of an NDJSON file; blank lines are skipped.

    A line that is JSON but not an object is an invalid row. Raises MalformedInput, with the line number, if a line is not JSON.
    """
    rows = JsonRows(contract, options, ignore_extra=True)
    start, number = 0, 1
    with source.stream() as stream:
        for offset, block in _blocks(stream):
            lines = block.split(b"\n")
            filled = list(filter(_is_filled, lines))
            if filled:
                checked = rows.from_lines(filled, start)
                if checked is None:
                    _check_lines(lines, number)
                    checked = rows.from_rows(filled, start)
                yield replace(checked, offset=offset)
            start += len(filled)
            number += len(lines)
    if not start:
        raise MalformedInput("no-rows")
    rows.names.check()


def record_at(data: bytes, number: int) -> bytes:
    """Return the line of whole ones that has this number, from 0; blank lines do not count. Raises IndexError."""
    return list(filter(_is_filled, data.split(b"\n")))[number]


def _is_filled(line: bytes) -> bool:
    # Only JSON whitespace counts as blank; other control characters are not valid JSON.
    return bool(line.strip(b" \t\r"))


def _blocks(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines, about BLOCK_BYTES at a time, without the last line end and without a byte order mark.

    Before each block comes its offset in the stream.
    """
    parts: list[bytes] = []
    size, done, offset = 0, 0, 0
    while part := stream.read(BLOCK_BYTES):
        if not done and not size and part.startswith(UTF8_MARK):
            part, offset = part[len(UTF8_MARK) :], len(UTF8_MARK)
        parts.append(part)
        size += len(part)
        end = part.rfind(b"\n") if size >= BLOCK_BYTES else -1
        if end >= 0:
            parts[-1] = part[:end]
            block = b"".join(parts)
            done += block.count(b"\n") + 1
            yield offset, block
            offset += len(block) + 1
            parts = [part[end + 1 :]]
            size = len(parts[0])
        elif size > MAX_LINE_BYTES:
            raise MalformedInput("ndjson-line-too-long", line=done + 1, limit=MAX_LINE_BYTES)
    if size:
        yield offset, b"".join(parts)


def _check_lines(lines: Sequence[bytes], first: int) -> None:
    """Raise MalformedInput for a line that is not JSON; NaN and Infinity pass, since their rows can be identified."""
    for number, line in enumerate(lines, first):
        if _is_filled(line) and (found := _fault_of(line)):
            raise MalformedInput("ndjson-invalid", line=number, character=found.character, fault=found.fault)


def _fault_of(line: bytes) -> JsonFault | None:
    try:
        if len(line) > MAX_ROW_BYTES:
            decoded(line, msgspec.Raw)  # validates everything without building objects
        else:
            pydantic_core.from_json(line, allow_inf_nan=True)
    except MalformedInput as error:
        return JsonFault(**error.reason.params)
    except (ValueError, RecursionError) as error:
        return json_fault(str(error), len(line))
    return None

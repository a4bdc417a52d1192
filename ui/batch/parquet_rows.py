"""The first rows of a Parquet file: a program of its own, since some damaged files end the process that reads them.

`python -m ui.batch.parquet_rows SIZE MAX_UNPACKED` writes `[position, length]` in a line of JSON for each piece of the file that
it needs, and reads it after eight bytes with its length; the last line is an object, a `FirstRows` or `{"unreadable": reason}`.
"""

import io
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import Buffer

from ui.batch.columns import odd_columns
from ui.batch.content import Unreadable
from ui.batch.delimited import MAX_ROWS, Row
from ui.batch.values import MAX_COLUMNS, text_of

BUFFER_BYTES = 1 << 16
LENGTH_BYTES = 8
MORE = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True)
class FirstRows:
    """What is shown of a Parquet file."""

    columns: Sequence[str]
    rows: Sequence[Row]
    total: int
    """Rows of the whole file."""
    odd: Sequence[str]
    shown: int
    """Columns whose values are in `rows`."""


class _Asked(io.RawIOBase):
    """A file of which the parent process has the bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        _say([self._position, len(view)])
        length = int.from_bytes(sys.stdin.buffer.read(LENGTH_BYTES), "big")
        view[:length] = sys.stdin.buffer.read(length)
        self._position += length
        return length


def first_rows(data: BinaryIO, max_unpacked: int) -> FirstRows:
    """Read the first rows; columns of more than `max_unpacked` bytes in all are not decompressed. Raises Unreadable."""
    file = pq.ParquetFile(data, buffer_size=BUFFER_BYTES)
    schema, total = file.schema_arrow, file.metadata.num_rows
    if not total:
        raise Unreadable("header_only")
    odd = odd_columns(schema)
    group = next((it for it in range(file.num_row_groups) if file.metadata.row_group(it).num_rows), None)
    if group is None:
        raise Unreadable("damaged")
    shown = _fitting(file.metadata.row_group(group), schema.names[:MAX_COLUMNS], max_unpacked)
    read = [name for name in schema.names[:shown] if name not in odd]
    batches = file.iter_batches(MAX_ROWS, row_groups=[group], columns=read, use_threads=False)
    batch = next(batches, None) if read else pa.RecordBatch.from_pylist([])
    if batch is None:
        raise Unreadable("damaged")
    return FirstRows(schema.names, _rows(batch, schema.names[:shown], odd), total, sorted(odd), shown)


def _fitting(group: pq.RowGroupMetaData, names: Sequence[str], max_unpacked: int) -> int:
    """Count the first columns that together are not too large to decompress; nested ones, not decompressed, count as 0."""
    leaves = [group.column(index) for index in range(group.num_columns)]
    sizes = {leaf.path_in_schema: leaf.total_uncompressed_size for leaf in leaves}
    return sum(upto <= max_unpacked for upto in accumulate(sizes.get(name, 0) for name in names))


def _rows(batch: pa.RecordBatch, names: Sequence[str], odd: Collection[str]) -> list[Row]:
    """Write the values of the named columns; nested and binary ones may be of any size, and are not looked into."""
    columns = [column for name, column in zip(batch.schema.names, batch.columns, strict=True) if name not in odd]
    plain = iter(columns[:MAX_COLUMNS])
    shown = ([MORE] * batch.num_rows if name in odd else map(text_of, next(plain).to_pylist()) for name in names)
    return list(zip(*shown, strict=True))


def main() -> None:
    """Read the file that the parent process has, and write what is shown of it."""
    size, max_unpacked = map(int, sys.argv[1:])
    try:
        found = first_rows(io.BufferedReader(_Asked(size), BUFFER_BYTES), max_unpacked)
    except Unreadable as error:
        _say({"unreadable": error.reason})
    except (OSError, ValueError, MemoryError, pa.ArrowException):
        _say({"unreadable": "damaged"})
    else:
        _say(asdict(found))


def _say(message: object) -> None:
    sys.stdout.write(f"{json.dumps(message)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

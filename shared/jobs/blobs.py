"""Record batches in blobs, each with a checksum: a damaged blob is an error, never a wrong score."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain

import pyarrow as pa
import xxhash

from shared.errors import StorageUnavailable
from shared.storage import Storage

CHECKSUM = b"xxh3"

DAMAGE = (pa.ArrowException, ValueError, IndexError, KeyError)
"""Errors that reading a damaged Arrow file may raise."""


@contextmanager
def batch_writer(name: str, schema: pa.Schema, storage: Storage) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Open an Arrow IPC file for writing; leaves no file behind on error."""
    with storage.write(name) as file, pa.ipc.new_file(file, schema) as writer:
        yield lambda batch: writer.write_batch(batch, custom_metadata={CHECKSUM: _checksum(batch)})


def write_batches(batches: Iterable[pa.RecordBatch], name: str, storage: Storage) -> None:
    """Write an Arrow IPC file of batches of the same schema, of which there is at least one."""
    iterator = iter(batches)
    first = next(iterator)
    with batch_writer(name, first.schema, storage) as write:
        for batch in chain([first], iterator):
            write(batch)


def read_batches(name: str, storage: Storage, numbers: Iterable[int] | None = None) -> Iterator[pa.RecordBatch]:
    """Read all batches of a file, or some; raises StorageUnavailable if one is missing or damaged."""
    with storage.read(name) as file:
        try:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches) if numbers is None else numbers:
                batch, metadata = reader.get_batch_with_custom_metadata(number)
                if metadata is None or metadata[CHECKSUM] != _checksum(batch):
                    raise StorageUnavailable("storage-damaged")
                yield batch
        except DAMAGE as error:
            raise StorageUnavailable("storage-damaged") from error


def read_schema(name: str, storage: Storage) -> pa.Schema:
    """Read the schema of a file; raises StorageUnavailable if it is missing or damaged."""
    with storage.read(name) as file:
        try:
            return pa.ipc.open_file(file).schema
        except DAMAGE as error:
            raise StorageUnavailable("storage-damaged") from error


def _checksum(batch: pa.RecordBatch) -> bytes:
    """Compute the checksum of schema and columns: plain numbers in place, everything else as serialised."""
    checksum = xxhash.xxh3_64(batch.schema.serialize())
    others = []
    for column in batch.columns:
        if (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)) and not column.null_count:
            checksum.update(column.to_numpy())
        else:
            others.append(column)
    if others:
        rest = pa.RecordBatch.from_arrays(others, names=[str(i) for i in range(len(others))])
        checksum.update(rest.serialize())
    return checksum.hexdigest().encode()

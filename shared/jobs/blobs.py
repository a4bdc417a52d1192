"""Record batches in blobs, each with a checksum: a damaged blob is an error, never a wrong score."""

import zlib
from collections.abc import Iterable

import pyarrow as pa

from shared.errors import StorageUnavailable
from shared.storage import Storage

CHECKSUM = b"crc32"
DAMAGED = "The stored rows or scores of the job are damaged."

DAMAGE = (pa.ArrowException, ValueError, IndexError, KeyError)
"""What reading a damaged Arrow file may raise."""


def write_batches(batches: Iterable[pa.RecordBatch], schema: pa.Schema, name: str, storage: Storage) -> int:
    """Write an Arrow IPC file and give its number of rows; nothing is left if anything raises."""
    rows = 0
    with storage.write(name) as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch, custom_metadata={CHECKSUM: _checksum(batch)})
            rows += batch.num_rows
    return rows


def read_batch(name: str, number: int, storage: Storage) -> pa.RecordBatch:
    """Read one batch of a file; raises StorageUnavailable if it is not there or not as it was written."""
    with storage.read(name) as file:
        try:
            batch, metadata = pa.ipc.open_file(file).get_batch_with_custom_metadata(number)
            whole = metadata is not None and metadata[CHECKSUM] == _checksum(batch)
        except DAMAGE as error:
            raise StorageUnavailable(DAMAGED) from error
    if not whole:
        raise StorageUnavailable(DAMAGED)
    return batch


def _checksum(batch: pa.RecordBatch) -> bytes:
    return b"%08x" % zlib.crc32(batch.serialize(), zlib.crc32(batch.schema.serialize()))

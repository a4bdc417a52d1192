"""Stream request bodies to storage, chunk by chunk."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pyarrow as pa
from anyio import CancelScope, to_thread
from typing_extensions import Buffer

from shared.errors import MalformedInput
from shared.storage import Storage

PIECE = 2**20
"""Bytes buffered before a write: each write is a hop to another thread."""


async def spool(pieces: AsyncIterator[bytes], name: str, storage: Storage, note: Callable[[Buffer], None]) -> int:
    """Write a body to a blob and return its size in bytes; leaves nothing if it ends early.

    `note` receives all of it too, in a thread and before it is written; it may raise to end the body. Raises MalformedInput if
    the body is empty, StorageUnavailable, and any error from reading the body.
    """
    size = 0
    gathered = bytearray()
    async with _opened(name, storage) as file:

        def write() -> None:
            note(gathered)
            file.write(gathered)

        async for piece in pieces:
            gathered += piece
            size += len(piece)
            if len(gathered) >= PIECE:
                await to_thread.run_sync(write)
                gathered.clear()
        await to_thread.run_sync(write)
        if not size:
            raise MalformedInput("file-empty")
    return size


@asynccontextmanager
async def _opened(name: str, storage: Storage) -> AsyncIterator[pa.NativeFile]:
    blob = storage.write(name)
    file = await to_thread.run_sync(blob.__enter__)
    try:
        yield file
    except BaseException as error:
        # Remove the partial file even if the request is cancelled.
        with CancelScope(shield=True):
            await to_thread.run_sync(blob.__exit__, type(error), error, error.__traceback__)
        raise
    await to_thread.run_sync(blob.__exit__, None, None, None)

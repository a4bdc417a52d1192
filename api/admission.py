"""Whether there is room for another job. Asked before its body is read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread

from shared.errors import QueueFull, StorageUnavailable
from shared.jobs.store import JobStore
from shared.settings import Settings
from shared.storage import Storage

BODIES_AT_ONCE = 4
"""JSON bodies of the largest size that one process holds in memory at a time."""


class Admission:
    """Refuses what the service could not hold: rows in the queue, bytes in the storage, bodies in memory."""

    def __init__(self, settings: Settings, store: JobStore, storage: Storage) -> None:
        self._settings = settings
        self._store = store
        self._storage = storage
        self._room = BODIES_AT_ONCE * settings.max_body_bytes

    async def check(self, length: int | None) -> None:
        """Raise QueueFull or StorageUnavailable if a job of so many bytes (None: not known) cannot be taken on now."""
        await to_thread.run_sync(self._check, length or 0)

    def _check(self, length: int) -> None:
        if self._store.queued_rows() >= self._settings.max_queued_rows:
            raise QueueFull
        free = self._storage.free_bytes()
        if free is not None and free - length < self._settings.min_free_bytes:
            raise StorageUnavailable("The storage for jobs is full; try again when earlier jobs have expired.")

    @asynccontextmanager
    async def memory_for(self, length: int | None) -> AsyncIterator[None]:
        """Count a JSON body against the memory of this process; raises QueueFull if there are too many large ones."""
        size = self._settings.max_body_bytes if length is None else length
        if size > self._room:
            raise QueueFull("Too many large JSON bodies are being read; try again, or send a file.")
        self._room -= size
        try:
            yield
        finally:
            self._room += size

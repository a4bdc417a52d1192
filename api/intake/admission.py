"""Admission control: whether there is room for another job. Checked before its body is read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anyio import to_thread

from shared.errors import QueueFull, StorageUnavailable
from shared.jobs.store import JobStore
from shared.settings import Settings
from shared.storage import Storage

BODIES_AT_ONCE = 4
"""Maximum-size JSON bodies that one process holds in memory at a time."""


class Admission:
    """Rejects jobs beyond capacity: rows in the queue, bytes in storage, bodies in memory."""

    def __init__(self, settings: Settings, store: JobStore, storage: Storage) -> None:
        self._settings = settings
        self._store = store
        self._storage = storage
        self._room = BODIES_AT_ONCE * settings.max_body_bytes

    async def check(self, length: int | None) -> None:
        """Raise QueueFull or StorageUnavailable if a job of this size in bytes (None: unknown) cannot be accepted now."""
        await to_thread.run_sync(self._check, length or 0)

    def _check(self, length: int) -> None:
        if self._store.queued_rows() >= self._settings.max_queued_rows:
            raise QueueFull
        self.check_storage(length)

    def check_storage(self, length: int = 0) -> None:
        """Raise StorageUnavailable if this many more bytes would leave too little free space."""
        free = self._storage.free_bytes()
        if free is not None and free - length < self._settings.min_free_bytes:
            raise StorageUnavailable("storage-full")

    @contextmanager
    def memory(self) -> Iterator[Callable[[int], None]]:
        """Yield a function that counts the bytes of a JSON body against this process's memory budget, until the block ends.

        It raises QueueFull if too many large bodies are in memory.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if size > self._room:
                raise QueueFull("bodies-full")
            self._room -= size
            taken += size

        try:
            yield take
        finally:
            self._room += taken

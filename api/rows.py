"""One row of a job: its inputs, which a worker reads from the file again, beside what the results say of it."""

import anyio
import msgspec
from anyio import to_thread

from shared.errors import JobConflict, NotExplainable, RowDelayed, StorageUnavailable
from shared.jobs.job import Job
from shared.jobs.queue import TaskQueue
from shared.jobs.row import RowAnswer, RowRequest
from shared.reasons import Reason
from shared.storage import Storage
from shared.storage.faults import MISSING

PATIENCE = 12.0
"""Seconds that a caller waits for a row: as long as a worker may read, and a little more."""

AT_ONCE = 2
"""Rows that one process has read at a time, so that callers who ask for many do not keep the workers from scoring."""

FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.2
"""Polling interval in seconds: a quarter of the elapsed time, within these bounds."""


class RowReader:
    """Has workers read rows of files, and waits for what they find."""

    def __init__(self, queue: TaskQueue, storage: Storage) -> None:
        self._queue = queue
        self._storage = storage
        self._turns = anyio.Semaphore(AT_ONCE)

    async def read(self, job: Job, request: RowRequest) -> RowAnswer:
        """Return the inputs of a row that is scored.

        Raises JobConflict if it cannot be read again, RowDelayed if no worker has read it in time, StorageUnavailable,
        NotExplainable.
        """
        with anyio.move_on_after(PATIENCE):
            async with self._turns:
                return _found(await self._answer(job, request.name))
        raise RowDelayed

    async def _answer(self, job: Job, name: str) -> RowAnswer:
        began, blob = anyio.current_time(), job.row_blob(name)
        answer = await to_thread.run_sync(self._look, blob)
        if answer is not None and answer.failed is None:
            return answer
        if answer is not None:
            # What kept another request from it may have passed.
            await to_thread.run_sync(self._storage.delete, blob)
        await to_thread.run_sync(self._queue.publish_row, job.id, name)
        while True:
            await anyio.sleep(min(max(FIRST_PAUSE, (anyio.current_time() - began) / 4), LONGEST_PAUSE))
            if (answer := await to_thread.run_sync(self._look, blob)) is not None:
                return answer

    def _look(self, name: str) -> RowAnswer | None:
        """Return the stored answer, if there is one."""
        try:
            with self._storage.read(name) as file:
                return msgspec.json.decode(file.read(), type=RowAnswer)
        except StorageUnavailable as error:
            if error.reason.type == MISSING:
                return None
            raise


def _found(answer: RowAnswer) -> RowAnswer:
    if answer.failed is None:
        return answer
    reason = Reason.from_dict(answer.failed)
    if answer.kind == "unexplained":
        raise NotExplainable.of(reason)
    if answer.kind == "away":
        raise StorageUnavailable.of(reason)
    raise JobConflict("row-unreadable", reason=reason)

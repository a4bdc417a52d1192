"""Removal of jobs: of one at its owner's wish, of the others once they have expired."""

import time
from collections.abc import Iterator

from shared.jobs.job import JOBS_FOLDER, folder_of
from shared.jobs.store import JobStore
from shared.storage import Storage

ORPHAN_AGE = 3600.0
"""Seconds after which a folder without a job record is considered left over from an interrupted submission."""

REMOVAL_SECONDS = 5.0
"""Time for the expired jobs of one round, so that a worker is soon free again; the next round goes on."""


def remove(job_id: str, store: JobStore, storage: Storage) -> None:
    """Remove the record of a job, then its blobs. An open job is thereby cancelled.

    Blobs that the storage does not remove now, or that a worker is still writing, go as a folder that belongs to no job.
    """
    store.purge(job_id)
    storage.delete_folder(folder_of(job_id))


def remove_expired(store: JobStore, storage: Storage) -> None:
    """Remove records, then blobs, of jobs past their time to live, and folders that belong to no job."""
    end = time.monotonic() + REMOVAL_SECONDS
    for job_id in _expired(store):
        if time.monotonic() > end:
            return
        if store.forget(job_id):
            storage.delete_folder(folder_of(job_id))
    for job_id in store.without_record(storage.folders_older_than(JOBS_FOLDER, ORPHAN_AGE)):
        # A submission that is still under way, however late, must not be recorded without its blobs.
        if store.abandon(job_id):
            storage.delete_folder(folder_of(job_id))


def _expired(store: JobStore) -> Iterator[str]:
    while jobs := store.expired_jobs():
        yield from jobs

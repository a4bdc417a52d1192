"""Removal of expired jobs."""

from shared.jobs.job import JOBS_FOLDER, folder_of
from shared.jobs.store import JobStore
from shared.storage import Storage

ORPHAN_AGE = 3600.0
"""Seconds after which a folder without a job record is considered left over from an interrupted submission."""


def remove_expired(store: JobStore, storage: Storage) -> None:
    """Remove records, then blobs, of jobs past their time to live, and folders that belong to no job."""
    for job_id in store.expired_jobs():
        if store.forget(job_id):
            storage.delete_folder(folder_of(job_id))
    for job_id in storage.folders_older_than(JOBS_FOLDER, ORPHAN_AGE):
        # A submission that is still under way, however late, must not be recorded without its blobs.
        if store.abandon(job_id):
            storage.delete_folder(folder_of(job_id))

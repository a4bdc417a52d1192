"""The jobs that a caller may see: its own, or those of all for an administrator."""

from dataclasses import dataclass

from api.access.callers import Caller
from shared.errors import UnknownJob
from shared.jobs.job import Job, JobState
from shared.jobs.store import JobStore


@dataclass(frozen=True, slots=True)
class VisibleJobs:
    """All that a route learns of jobs for its caller; another caller's job is as one that does not exist."""

    store: JobStore
    caller: Caller

    def get(self, job_id: str) -> Job:
        """Read a job; raises UnknownJob."""
        job = self.store.get(job_id)
        if not self.caller.is_admin and job.owner != self.caller.owner:
            raise UnknownJob
        return job

    def page(self, state: JobState | None, offset: int, limit: int) -> tuple[list[Job], int]:
        """Read some of the jobs, newest first, and count all of them."""
        owner = None if self.caller.is_admin else self.caller.owner or ""
        return self.store.page(state, offset, limit, owner)

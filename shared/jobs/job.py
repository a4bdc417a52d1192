"""The job record and its states."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil

JOBS_FOLDER = "jobs"


def folder_of(job_id: str) -> str:
    """Name the storage folder of a job."""
    return f"{JOBS_FOLDER}/{job_id}"


class JobState(StrEnum):
    """The states of a job; the last three are final."""

    QUEUED = "queued"  # accepted and stored; no chunk has been started
    RUNNING = "running"  # at least one chunk has been started
    SUCCEEDED = "succeeded"  # every chunk is scored; the results are there
    FAILED = "failed"  # given up; `error` says why
    CANCELLED = "cancelled"  # ended by its owner

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Job:
    """One submitted batch, pinned to the model version that was active when it came. Times are seconds since the epoch."""

    id: str
    model_version: str
    threshold: float
    rows: int
    chunk_rows: int
    created_at: float
    state: JobState = JobState.QUEUED
    rows_done: int = 0
    granted: int = 0
    refused: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    error: str | None = None

    @property
    def chunks(self) -> int:
        """Number of chunks; all hold `chunk_rows` rows but the last."""
        return ceil(self.rows / self.chunk_rows)

    @property
    def folder(self) -> str:
        """Where the storage keeps the job's blobs."""
        return folder_of(self.id)

    @property
    def input_blob(self) -> str:
        """The Arrow IPC file of the rows; record batch n is chunk n."""
        return f"{self.folder}/input.arrow"

    def scores_blob(self, chunk: int) -> str:
        """Name the Arrow IPC file of the scores of one chunk: one float64 column."""
        return f"{self.folder}/scores-{chunk:06d}.arrow"

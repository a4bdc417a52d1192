"""The job record and its states."""

from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Literal, get_args

from shared.formats.charset import UTF8, Charset
from shared.formats.format import Encoding, Format
from shared.formats.source import ReadOptions
from shared.reasons import Reason

JOBS_FOLDER = "jobs"

OnInvalid = Literal["reject", "flag"]
ON_INVALID: tuple[OnInvalid, ...] = get_args(OnInvalid)
"""What becomes of a file with invalid rows: all of it is rejected, or the other rows are scored."""

READING = "reading"
"""The unit of work that turns a file into record batches; the other units are the numbers of the chunks, and WRITING."""

WRITING = "writing"
"""The unit of work that writes the results to where the submission asked for them."""


def folder_of(job_id: str) -> str:
    """Name the storage folder of a job."""
    return f"{JOBS_FOLDER}/{job_id}"


class JobState(StrEnum):
    """The states of a job; the last three are final."""

    QUEUED = "queued"  # accepted and stored; no work has been started
    RUNNING = "running"  # at least one unit of work has been started
    SUCCEEDED = "succeeded"  # every chunk is scored; the results are there
    FAILED = "failed"  # given up; `error` says why
    CANCELLED = "cancelled"  # ended by its owner

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more, but for a retry of a failed job."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Stage(StrEnum):
    """What an open job waits for or does."""

    READING = READING  # a worker reads and checks its file
    SCORING = "scoring"  # its chunks are scored
    WRITING = WRITING  # its results are written to where the submission asked for them


@dataclass(frozen=True)
class Job:
    """One submitted batch, pinned to the model version that was active when it came. Times are seconds since the epoch."""

    id: str
    model_version: str
    threshold: float
    created_at: float
    state: JobState = JobState.QUEUED
    stage: Stage = Stage.SCORING

    positive_class: str = ""
    """The class that the scores are of; a worker that would give those of another one does not score the job."""

    # What was submitted.
    name: str | None = None
    format: Format = Format.JSON
    encoding: Encoding | None = None
    charset: Charset = UTF8
    delimiter: str | None = None
    decimal: str = "."
    keep: tuple[str, ...] = ()
    on_invalid: OnInvalid = "reject"
    upload_bytes: int = 0
    input_uri: str | None = field(default=None, repr=False)
    output_uri: str | None = field(default=None, repr=False)
    callback_url: str | None = field(default=None, repr=False)

    # What the reading made of it.
    attempt: str | None = None
    """Names the blobs of the reading that was completed; one that was overtaken wrote others."""
    rows: int | None = None
    chunk_rows: int | None = None
    batch_rows: int | None = None
    """Rows of the record batches that a chunk is stored as."""
    rows_read: int = 0

    # What the scoring made of it.
    next_chunk: int = 0
    """The first chunk whose message has not been sent yet."""
    rows_done: int = 0
    granted: int = 0
    refused: int = 0
    invalid: int = 0
    """Rows that break the contract; scored as none, of the rows done."""
    scoring_at: float | None = None

    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    error: Reason | None = None
    retryable: bool = True
    """Whether a failed job could succeed if it were done again."""
    webhook_attempts: int = 0

    @property
    def chunks(self) -> int | None:
        """Number of chunks; all hold `chunk_rows` rows but the last. None until the file is read."""
        return ceil(self.rows / self.chunk_rows) if self.rows is not None and self.chunk_rows else None

    @property
    def is_flagged(self) -> bool:
        """Whether the stored rows say which of them are to be scored."""
        return self.on_invalid == "flag"

    @property
    def has_echo(self) -> bool:
        """Whether columns are kept for the results beside the scores."""
        return bool(self.keep) or self.is_flagged

    @property
    def read_options(self) -> ReadOptions:
        """How to read the file."""
        return ReadOptions(self.keep, self.delimiter, self.decimal)

    @property
    def folder(self) -> str:
        """Where the storage keeps the job's blobs."""
        return folder_of(self.id)

    @property
    def upload_blob(self) -> str:
        """The file as it came."""
        return f"{self.folder}/upload"

    @property
    def rows_blob(self) -> str:
        """The Arrow IPC file of the rows as the model reads them."""
        return f"{self.folder}/rows-{self.attempt}.arrow"

    @property
    def echo_blob(self) -> str:
        """The Arrow IPC file of the kept columns and of what is invalid, in the same record batches."""
        return f"{self.folder}/echo-{self.attempt}.arrow"

    def batches_of(self, chunk: int) -> range:
        """Give the numbers of the record batches of a chunk; all hold `batch_rows` rows but the very last."""
        if self.rows is None or not self.chunk_rows or not self.batch_rows:
            return range(0)
        each = self.chunk_rows // self.batch_rows
        return range(chunk * each, min((chunk + 1) * each, ceil(self.rows / self.batch_rows)))

    def scores_blob(self, chunk: int) -> str:
        """Name the Arrow IPC file of the scores of one chunk: one float64 column, null for a row that is not scored."""
        return f"{self.folder}/scores-{chunk:06d}.arrow"

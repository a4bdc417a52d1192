"""The job record and its states."""

from collections.abc import Mapping
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
"""How a file with invalid rows is handled: it is rejected as a whole, or the other rows are scored."""

READING = "reading"
"""The unit of work that reads a file into record batches; the other units are the chunk numbers, and WRITING."""

WRITING = "writing"
"""The unit of work that writes the results to the output URI."""


SMALL_UPLOAD = 1_000_000
"""Bytes; a file up to this size is read together with other short tasks."""

UNPACKED = 20
"""Assumed compression ratio of a compressed file."""

ROWS_PREFIX, ECHO_PREFIX, INDEX_PREFIX = "rows-", "echo-", "index-"
READ_PREFIXES = (ROWS_PREFIX, ECHO_PREFIX, INDEX_PREFIX)
"""How the names of the blobs begin that a reading writes."""


def folder_of(job_id: str) -> str:
    """Return the storage folder of a job."""
    return f"{JOBS_FOLDER}/{job_id}"


class JobState(StrEnum):
    """The states of a job; the last three are final."""

    QUEUED = "queued"  # accepted and stored; no work has been started
    RUNNING = "running"  # at least one unit of work has been started
    SUCCEEDED = "succeeded"  # every chunk is scored; the results are available
    FAILED = "failed"  # given up; `error` says why
    CANCELLED = "cancelled"  # cancelled by its owner

    @property
    def is_final(self) -> bool:
        """Whether the job has ended; only a retry of a failed job can still change it."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class Stage(StrEnum):
    """The current stage of an open job."""

    READING = READING  # a worker reads and validates its file
    SCORING = "scoring"  # its chunks are being scored
    WRITING = WRITING  # its results are being written to the output URI


@dataclass(frozen=True)
class Job:
    """One submitted batch, pinned to the model version active at submission. Times are seconds since the epoch."""

    id: str
    model_version: str
    threshold: float
    created_at: float
    state: JobState = JobState.QUEUED
    stage: Stage = Stage.SCORING

    positive_class: str = ""
    """The class whose probability is scored; a worker whose model scores another class does not score the job."""

    # Set at submission.
    owner: str | None = None
    """The name of the key that sent it; None if it came without one."""
    rows_left: int | None = None
    """Rows that the owner could still have scored on the day of the submission; None without a limit."""
    name: str | None = None
    format: Format = Format.JSON
    encoding: Encoding | None = None
    charset: Charset = UTF8
    delimiter: str | None = None
    decimal: str = "."
    missing: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    on_invalid: OnInvalid = "reject"
    explain: int | None = None
    """Reasons to store with each score: the factors that contribute most; None for scores alone."""
    upload_bytes: int = 0
    input_uri: str | None = field(default=None, repr=False)
    output_uri: str | None = field(default=None, repr=False)
    callback_url: str | None = field(default=None, repr=False)

    is_large: bool = False
    """Whether its file was found to be larger than its size lets expect."""

    # Set by the reading.
    attempt: str | None = None
    """Names the blobs of the reading that completed; a superseded one wrote others."""
    in_place: bool = False
    """Whether each chunk is read from the file itself when it is scored, rather than stored by the reading."""
    checksum: str | None = None
    """That of the metadata of a file that is read in place."""
    rows: int | None = None
    chunk_rows: int | None = None
    batch_rows: int | None = None
    """Rows per record batch of a chunk."""
    rows_read: int = 0

    # Set by the scoring.
    next_chunk: int = 0
    """The first chunk that is not published yet."""
    rows_done: int = 0
    granted: int = 0
    refused: int = 0
    invalid: int = 0
    """Rows done that break the contract and have no score."""
    unseen_categories: Mapping[str, int] = field(default_factory=dict)
    """By category feature, of the rows scored those whose category was not in the training; without features of which the
    model cannot tell."""
    scoring_at: float | None = None

    started_at: float | None = None
    finished_at: float | None = None
    expires_at: float | None = None
    error: Reason | None = None
    retryable: bool = True
    """Whether a failed job could succeed if it were run again."""
    webhook_attempts: int = 0

    @property
    def chunks(self) -> int | None:
        """Number of chunks; all but the last hold `chunk_rows` rows. None until the file is read."""
        return ceil(self.rows / self.chunk_rows) if self.rows is not None and self.chunk_rows else None

    @property
    def is_flagged(self) -> bool:
        """Whether the stored rows are marked as to be scored or not."""
        return self.on_invalid == "flag"

    @property
    def has_echo(self) -> bool:
        """Whether columns are kept for the results beside the scores."""
        return bool(self.keep) or self.is_flagged

    @property
    def is_rejected(self) -> bool:
        """Whether a row is known to be invalid that fails the job once all rows are validated."""
        return self.invalid > 0 and not self.is_flagged

    @property
    def is_withheld(self) -> bool:
        """Whether no score may be handed out yet, since rows that were not looked at may be invalid and fail the job."""
        return self.in_place and not self.is_flagged and self.stage is Stage.SCORING

    @property
    def is_small(self) -> bool:
        """Whether its file is expected to be read in a moment."""
        size = self.upload_bytes * (UNPACKED if self.encoding else 1)
        return not self.is_large and self.input_uri is None and size <= SMALL_UPLOAD

    @property
    def read_options(self) -> ReadOptions:
        """How to read the file."""
        return ReadOptions(self.keep, self.delimiter, self.decimal, self.missing)

    @property
    def folder(self) -> str:
        """The storage folder of the job's blobs."""
        return folder_of(self.id)

    @property
    def upload_blob(self) -> str:
        """The file as uploaded, or the JSON document as UTF-8."""
        return f"{self.folder}/upload"

    @property
    def rows_blob(self) -> str:
        """The Arrow IPC file of the rows as the model reads them."""
        return f"{self.folder}/{ROWS_PREFIX}{self.attempt}.arrow"

    @property
    def echo_blob(self) -> str:
        """The Arrow IPC file of the kept columns and the invalid values, in the same record batches."""
        return f"{self.folder}/{ECHO_PREFIX}{self.attempt}.arrow"

    @property
    def index_blob(self) -> str:
        """The Arrow IPC file that says where in a file of text which rows begin."""
        return f"{self.folder}/{INDEX_PREFIX}{self.attempt}.arrow"

    def row_blob(self, name: str) -> str:
        """Return the name of the JSON file with the answer to a request for one row, which is written when it is asked for."""
        return f"{self.folder}/{name}.json"

    def rows_of(self, chunk: int) -> range:
        """Return the numbers of the rows of a chunk."""
        size, rows = self.chunk_rows or 0, self.rows or 0
        return range(min(chunk * size, rows), min((chunk + 1) * size, rows))

    def batches_of(self, chunk: int) -> range:
        """Return the numbers of the stored record batches of a chunk; all but the very last hold `batch_rows` rows."""
        if self.rows is None or not self.chunk_rows or not self.batch_rows:
            return range(0)
        each = self.chunk_rows // self.batch_rows
        return range(chunk * each, min((chunk + 1) * each, ceil(self.rows / self.batch_rows)))

    def scores_blob(self, chunk: int) -> str:
        """Return the name of the Arrow IPC file with the scores of one chunk: a float64 column, null for an unscored row.

        The reasons follow, if they are wanted, and in a job that is read in place the kept columns and the invalid values.
        """
        return f"{self.folder}/scores-{chunk:06d}.arrow"

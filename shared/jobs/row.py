"""The inputs of one row of a job, read again from the file as it was sent. A plain function, independent of Celery.

Files of callers are decoded by workers only (docs/decisions/0012), so the answer travels as a blob of the job.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Literal, cast

import msgspec
import pydantic_core

from shared.contract.contract import Contract
from shared.contract.text import Language
from shared.contract.validated import Validated
from shared.errors import (
    JobConflict,
    MalformedInput,
    NotExplainable,
    PretError,
    StorageUnavailable,
    Unavailable,
    UnknownJob,
)
from shared.explanation import Explanation, Wanted, Which
from shared.formats import csv_blocks, csv_rows, ndjson
from shared.formats.format import Format
from shared.formats.json_rows import row_text
from shared.formats.readers import RANGE_READERS, ROW_READERS
from shared.formats.source import ReadOptions, TextInMemory
from shared.formats.writers import json_rows
from shared.jobs.job import Job
from shared.jobs.read import opened_file
from shared.jobs.row_index import piece_with
from shared.jobs.unit import Workplace, remove_if_void
from shared.jobs.upload import SignOfLife, StoredFile
from shared.scoring import explain, score
from shared.storage import Storage
from shared.storage.faults import MISSING

ALL = "all"
"""In the name of a request, in place of a number of factors."""

LONGEST = 10.0
"""Seconds that reading one row may take: a row deep in a compressed file waits for all before it to be decompressed."""

PIECE_BYTES = 32 << 20
"""Most bytes of text that are searched for a row; the longest record of CSV fits twice."""

Inputs = dict[str, Any]
"""By feature, the value in the type of the contract; None if it is missing. An invalid one is as it came, if JSON can say it."""


@dataclass(frozen=True)
class RowRequest:
    """Which row is wanted, and how its score is to be explained, if at all."""

    row: int
    wanted: Wanted | None = None

    @property
    def name(self) -> str:
        """Name it for a message and for the blob of the answer, as in `row-7` or `row-7-5-adverse-fr`."""
        asked = [self.wanted.count or ALL, self.wanted.which, self.wanted.language] if self.wanted else []
        return "-".join(map(str, ["row", self.row, *asked]))

    @classmethod
    def of(cls, name: str) -> "RowRequest":
        """Read a name."""
        _, row, *asked = name.split("-")
        if not asked:
            return cls(int(row))
        count, which, language = asked
        wanted = Wanted(None if count == ALL else int(count), cast(Which, which), cast(Language, language))
        return cls(int(row), wanted)


class RowAnswer(msgspec.Struct):
    """What a worker found: the inputs, or why there are none."""

    inputs: Inputs = {}
    score: float | None = None
    """That of these inputs; another one than the job's says that the file was changed."""
    explanation: Explanation | None = None
    """If it is wanted, and the row has a score."""
    failed: dict[str, Any] | None = None
    """The reason, as `Reason.as_dict` has it."""
    kind: Literal["lost", "away", "unexplained"] = "lost"
    """Whether the row cannot be read, or not now, or its score not be explained."""


def answer_row(job_id: str, name: str, at: Workplace) -> None:
    """Answer the request of that name and store the answer, unless that was done; one of a job that is gone is removed again."""
    try:
        job = at.store.get(job_id)
    except UnknownJob:
        return
    with suppress(StorageUnavailable):
        at.storage.size(job.row_blob(name))
        return
    try:
        answer = _read(job, RowRequest.of(name), at)
    except NotExplainable as error:
        answer = RowAnswer(failed=error.reason.as_dict(), kind="unexplained")
    except PretError as error:
        answer = RowAnswer(failed=error.reason.as_dict(), kind="away" if _may_return(error) else "lost")
    with at.storage.write(job.row_blob(name)) as file:
        file.write(msgspec.json.encode(answer))
    remove_if_void(job, at)


def _may_return(error: PretError) -> bool:
    return isinstance(error, Unavailable) and error.reason.type != MISSING


def _read(job: Job, request: RowRequest, at: Workplace) -> RowAnswer:
    model = at.models.load(job.model_version)
    with opened_file(job, model, at, _until(time.monotonic() + LONGEST)) as source:
        reader = _reader(job, request.row, source, model.contract, at.storage)
        validated = reader.read()
        inputs = _inputs(validated, reader)
    if validated.report.invalid_values:
        return RowAnswer(inputs)
    if request.wanted is None:
        return RowAnswer(inputs, float(score(model, validated.batch).scores[0]))
    [explained] = explain(model, [inputs], request.wanted)
    return RowAnswer(inputs, explained.score, explained.explanation)


def _until(end: float) -> SignOfLife:
    def give_sign(_: int) -> None:
        if time.monotonic() > end:
            raise JobConflict("row-out-of-reach", limit=LONGEST)

    return give_sign


class _Reader:
    """Reads one row, as often as needed; `names` are the columns that have a value, or None for all."""

    def __init__(self, read: Callable[[ReadOptions], Any], options: ReadOptions, names: Sequence[str] | None) -> None:
        self._read = read
        self._options = options
        self.names = names

    def read(self, keep: Sequence[str] = ()) -> Validated:
        """Validate the row, and keep these columns too."""
        # Those of the job first: in JSON, an unknown key beside them may be a misspelt feature.
        kept = tuple(dict.fromkeys([*self._options.keep, *keep]))
        validated: Validated = next(iter(self._read(replace(self._options, keep=kept))))
        if validated.batch.num_rows != 1:
            raise MalformedInput("file-changed")
        return validated


def _reader(job: Job, row: int, source: StoredFile, contract: Contract, storage: Storage) -> _Reader:
    options = job.read_options
    if job.in_place:
        ranged, rows = RANGE_READERS[job.format].read, range(row, row + 1)
        return _Reader(lambda given: ranged(source, given, contract, rows, job.checksum or ""), options, None)
    if job.format in ROW_READERS:
        alone = ROW_READERS[job.format]
        return _Reader(lambda given: alone(source, given, contract, row), options, None)
    try:
        head, record = _record(job, row, source, contract, storage)
    except IndexError:
        raise MalformedInput("file-changed") from None
    text = TextInMemory(head + record)
    if job.format is Format.CSV:
        return _Reader(lambda given: csv_rows.read(text, given, contract), options, None)
    return _Reader(lambda given: ndjson.read(text, given, contract), options, _names(record))


def _record(job: Job, row: int, source: StoredFile, contract: Contract, storage: Storage) -> tuple[bytes, bytes]:
    """Return the text of one row, after that of a header; raises IndexError if there is no such row."""
    if job.format is Format.JSON:
        with source.stream() as stream:
            return b"", row_text(stream.read(), row, contract, job.read_options)
    piece = piece_with(row, job, storage)
    size = min(PIECE_BYTES, PIECE_BYTES if piece.end is None else piece.end - piece.start)
    number, data = row - piece.first_row, source.part(piece.start, size)
    if job.format is Format.CSV:
        return source.part(0, piece.head), csv_blocks.record_at(data, number)
    return b"", ndjson.record_at(data, number)


def _names(text: bytes) -> list[str]:
    """Return the keys of a JSON object; none of anything else."""
    try:
        value = pydantic_core.from_json(text, allow_inf_nan=True)
    except ValueError:
        return []
    return list(value) if isinstance(value, dict) else []


def _inputs(validated: Validated, reader: _Reader) -> Inputs:
    inputs = _values(validated.batch.to_pylist()[0])
    if validated.report.invalid_values:
        # What is invalid is null among the validated values.
        there = {error.column for error in validated.report.errors} if reader.names is None else {*reader.names}
        unread = [name for name, value in inputs.items() if value is None and name in there]
        kept = reader.read(unread).kept if unread else None
        inputs |= {} if kept is None else json_rows(kept.select(unread))[0]
    return inputs


def _values(row: Mapping[str, Any]) -> Inputs:
    return {name: None if isinstance(value, float) and isnan(value) else value for name, value in row.items()}

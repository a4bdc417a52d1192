"""From validated rows to stored chunks: one Arrow IPC file of small record batches, a fixed number per chunk, for any format."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import chain
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from shared.contract.kept import common_type
from shared.contract.validated import Validated
from shared.errors import InputTooLarge, MalformedInput
from shared.formats.parallel import ahead
from shared.formats.source import ReadOptions
from shared.jobs.blobs import batch_writer
from shared.jobs.job import Job
from shared.memory import slice_rows
from shared.models.artifact import Model
from shared.scoring import rows_per_second
from shared.storage import Storage

CHUNK_SECONDS = 0.25
"""Target scoring time of a chunk on one core, in seconds: long compared with the task overhead, short enough to be fair."""

SMALLEST_CHUNK, LARGEST_CHUNK = 1000, 2_000_000
"""Bounds of a chunk, in rows."""

SMALLEST_EXPLAINED = 100
"""Fewest rows of a chunk with reasons: of a model of deep trees, a thousand might take longer than the lease."""

MOST_WAITING = 256
"""Pending record batches that are merged even if they have too few rows: one of a single row takes 100 times its memory."""

ERROR_COLUMN, ERRORS_COLUMN = "error", "errors"
"""Columns after the kept ones in a flagged job: the invalid values of a row, in words and as a JSON list."""


class KeptTypesDiffer(Exception):
    """A kept column does not have the same type throughout the file; `types` are those that hold the values of all rows."""

    def __init__(self, types: tuple[pa.DataType, ...]) -> None:
        super().__init__()
        self.types = types

    def solved(self, options: ReadOptions) -> ReadOptions:
        """Give the options with which to read again; raises itself if that has been done."""
        names = tuple(map(str, self.types))
        if options.kept_types == names:
            raise self
        return replace(options, kept_types=names)


def sizes_for(model: Model, chunk_rows: int | None, *, explains: bool = False) -> tuple[int, int]:
    """Choose the rows per chunk, about `chunk_rows` if given, and per record batch in it; raises NotExplainable."""
    least = SMALLEST_EXPLAINED if explains else SMALLEST_CHUNK
    wanted = chunk_rows or max(
        least, min(int(rows_per_second(model, explains=explains) * CHUNK_SECONDS), LARGEST_CHUNK)
    )
    batch_rows = min(wanted, slice_rows(len(model.contract.features)))
    return wanted // batch_rows * batch_rows, batch_rows


def check_count(job: Job, rows: int, limit: int) -> None:
    """Raise InputTooLarge if these are more rows than any file may have, or than the owner of the job may still have scored."""
    if rows > limit:
        raise InputTooLarge("too-many-rows", limit=limit)
    if job.rows_left is not None and rows > job.rows_left:
        raise InputTooLarge("rows-left-exceeded", limit=job.rows_left)


def store_rows(
    slices: Iterable[Validated],
    job: Job,
    model: Model,
    storage: Storage,
    chunk_rows: int | None,
    *,
    in_thread: bool = False,
) -> Job:
    """Write the rows as the model reads them, and the kept columns; return the job updated with what was read.

    The batches are written under a unique name, so a concurrent reading of the same file does no harm. Raises
    MalformedInput if there are no rows, KeptTypesDiffer if a kept column has no single type. `in_thread` reads and encodes
    in parallel with the writing; for a few rows at once, starting a thread costs more than it gains.
    """
    size, batch_rows = sizes_for(model, chunk_rows, explains=bool(job.explain))
    job = replace(job, attempt=uuid4().hex[:8], chunk_rows=size, batch_rows=batch_rows)
    rows = 0
    encoded = encoded_rows(slices, job, model)
    kept = slice(_width(job, model), _width(job, model) + len(job.keep))
    with ExitStack() as files:
        write_rows = write_echo = None
        for batch in regrouped(ahead(encoded) if in_thread else encoded, batch_rows, kept):
            own, echo = parted(batch, job, model)
            if write_rows is None:
                write_rows = files.enter_context(batch_writer(job.rows_blob, own.schema, storage))
            write_rows(own)
            if job.has_echo:
                if write_echo is None:
                    write_echo = files.enter_context(batch_writer(job.echo_blob, echo.schema, storage))
                write_echo(echo)
            rows += batch.num_rows
        if not rows:
            raise MalformedInput("no-rows")
    return replace(job, rows=rows, rows_read=rows)


def regrouped(batches: Iterable[pa.RecordBatch], size: int, kept: slice = slice(None)) -> Iterator[pa.RecordBatch]:
    """Regroup record batches into batches of `size` rows; the last one may be smaller.

    Raises KeptTypesDiffer where types are different, once it has seen all batches; `kept` tells which columns are kept ones.
    """
    batches = iter(batches)
    waiting: list[pa.RecordBatch] = []
    rows = 0
    schema = None
    for batch in batches:
        schema = batch.schema if schema is None else schema
        if batch.schema != schema:
            schemas = chain([schema, batch.schema], (each.schema for each in batches))
            seen = {tuple(each.types[kept]) for each in schemas}
            raise KeptTypesDiffer(tuple(map(common_type, zip(*seen, strict=True))))
        while rows + batch.num_rows >= size:
            missing = size - rows
            head = batch.slice(0, missing)
            # Without pending batches, concatenating would only make a copy.
            yield pa.concat_batches([*waiting, head]) if waiting else head
            waiting, rows, batch = [], 0, batch.slice(missing)
        if batch.num_rows:
            waiting.append(batch)
            rows += batch.num_rows
        if len(waiting) == MOST_WAITING:
            waiting = [pa.concat_batches(waiting)]
    if rows:
        yield pa.concat_batches(waiting)


def encoded_rows(slices: Iterable[Validated], job: Job, model: Model) -> Iterator[pa.RecordBatch]:
    """Encode rows for the model: features, in a flagged job which rows to score, kept columns, invalid values."""
    return map(partial(_encoded, job=job, model=model), slices)


def parted(batch: pa.RecordBatch, job: Job, model: Model) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Separate what is scored of encoded rows from what is repeated in the results."""
    width, count = _width(job, model), batch.num_columns
    return batch.select(range(width)), batch.select(range(width, count))


def _width(job: Job, model: Model) -> int:
    """Count the columns of encoded rows that are scored, before those that are repeated."""
    return len(model.contract.features) + job.is_flagged


def _encoded(validated: Validated, job: Job, model: Model) -> pa.RecordBatch:
    encoded = model.scorer.encode(validated.batch)
    columns, names = list(encoded.columns), list(encoded.schema.names)
    invalid = _invalid(validated) if job.is_flagged else []
    if job.is_flagged:
        columns.append(pc.is_null(invalid[0]))
        names.append("to_score")
    if validated.kept is not None:
        columns += validated.kept.columns
        names += validated.kept.schema.names
    if job.is_flagged:
        columns += invalid
        names += [ERROR_COLUMN, ERRORS_COLUMN]
    return pa.RecordBatch.from_arrays(columns, names=names)


def _invalid(validated: Validated) -> list[pa.StringArray]:
    """Return the invalid values of each row, in words and as a JSON list; null if the row is valid."""
    nothing = pa.nulls(validated.batch.num_rows, pa.string())
    return [nothing if told is None else told for told in (validated.words, validated.details)]

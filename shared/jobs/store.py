"""Job records in Redis. Values that must change together change in one script, on the server's own clock (`job_scripts.py`).

The keys of a job, below `pret:job:<id>`, are the record (a hash), `:due` (sorted set: each unit of work that is published and
not done, by the time from which its message counts as lost), `:leases` (hash: unit to the end and the owner of the lease),
`:attempts` (hash: unit to the number of times it was started), `:report` (hash: counts of what is invalid, and chunk to its first
invalid values) and, where there is no record, `:abandoned` (there never will be one).
A unit is the reading of the file, the number of a chunk, or the writing of the output. `:due` holds no more chunks than the
window allows, whatever the size of the job; the next ones follow as these are done. A unit is done once it is removed from
`:due`; so the first commit wins, and a second one finds nothing to do.

A call whose answer is lost is sent again and gets the answer of the first time; only after RedisUnavailable does the caller not
know whether the record has changed (docs/decisions/0018).
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from itertools import chain, islice
from types import MappingProxyType, UnionType
from typing import Any, get_args, get_type_hints
from uuid import uuid4

import redis

from shared.errors import ALL_VALID, IdempotencyConflict, Report, StorageUnavailable, UnknownJob
from shared.jobs import job_scripts
from shared.jobs.job import READING, WRITING, Job, JobState
from shared.jobs.job_keys import ENDED_KEY, JOB_KEY, OPEN_KEY, TURN_KEY, WEBHOOKS_KEY, keys_of, list_of
from shared.reasons import MAX_REPORTED, InvalidValue, Reason
from shared.redis import translated_errors
from shared.settings import Settings
from shared.storage.faults import MISSING

JOB_ID = re.compile("[0-9a-f]{32}")

OVERDUE_AT_ONCE = 1000
"""Maximum number of units of one job that one reconciliation examines."""

JOBS_AT_ONCE = 1000
"""Jobs that are listed or looked up in one request."""

IDEMPOTENCY_TTL = 24 * 3600
"""Lifetime of an idempotency key in seconds."""

ABANDONED_TTL = 24 * 3600
"""Seconds for which no record can be made of a job whose folder was removed; no submission takes that long."""

NOTHING_UNSEEN: Mapping[str, int] = MappingProxyType({})

DIED = Reason("worker-died")
"""Reason of a failed attempt about which nothing else is known."""


class Claim(StrEnum):
    """The result of claiming a unit of work."""

    TAKEN = "taken"  # the caller holds the unit until the lease ends
    HELD = "held"  # another worker holds it
    OVER = "over"  # nothing to do: the unit is done, or the job has ended, expired or just failed for too many attempts


class JobStore:
    """Reads and changes job records. Every method raises RedisUnavailable if Redis is unavailable.

    `window` is the number of units of one job that may be in progress; methods that take it return the units to publish.
    `owner` is `<worker>/<attempt>`, unique for each attempt at a unit; the name of a worker stands for all of its attempts.
    """

    def __init__(self, client: "redis.Redis", *, job_ttl: int, lease: float, attempts: int) -> None:
        self._redis = client
        self._ttl = job_ttl
        self._lease = lease
        self._attempts = attempts
        self._scripts = {name: client.register_script(text) for name, text in job_scripts.SCRIPTS.items()}

    @classmethod
    def from_settings(cls, client: "redis.Redis", settings: Settings) -> "JobStore":
        """Create the store of a process."""
        return cls(client, job_ttl=settings.job_ttl, lease=settings.chunk_lease, attempts=settings.chunk_attempts)

    def create(
        self, job: Job, window: int, key: str | None = None, fingerprint: str = "", report: Report = ALL_VALID
    ) -> tuple[str, list[str]]:
        """Record a new job, with the report of its invalid rows; return its id and the units to publish.

        If the idempotency key was used with the same fingerprint in the last 24 h, returns the id of that job and no
        units; if with another fingerprint, raises IdempotencyConflict. Raises StorageUnavailable if the job was abandoned.
        """
        facts = [(name, getattr(job, name)) for name in _READERS]
        values = [part for name, value in facts if value is not None for part in (name, _text(value))]
        submission = [key or "", fingerprint, IDEMPOTENCY_TTL]
        arguments = [window, self._lease, job.created_at, *submission, _report_text(report), *values]
        known, units = self._run("create", job.id, *arguments)
        if known == "conflict":
            raise IdempotencyConflict
        if known == "abandoned":
            raise StorageUnavailable(MISSING)
        return (known, []) if known else (job.id, units)

    def abandon(self, job_id: str) -> bool:
        """Make sure that there will be no record of the job, however late it is created. False if there is one."""
        return bool(self._run("abandon", job_id, ABANDONED_TTL))

    def get(self, job_id: str) -> Job:
        """Read a job; raises UnknownJob."""
        if not JOB_ID.fullmatch(job_id):
            raise UnknownJob
        with translated_errors():
            values: dict[str, str] = self._redis.hgetall(f"{JOB_KEY}{job_id}")  # type: ignore[assignment]
        if "state" not in values:
            raise UnknownJob
        return _job(values)

    def get_all(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Read several jobs in one request; those that there are, by their ids."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hgetall(f"{JOB_KEY}{job_id}")
            records = zip(job_ids, pipe.execute(), strict=True)
        return {job_id: _job(values) for job_id, values in records if "state" in values}

    def page(self, state: JobState | None, offset: int, limit: int, owner: str | None = None) -> tuple[list[Job], int]:
        """Read some of the jobs, newest first, and count all of them: those of one owner ("": of none), or all."""
        key = list_of(state or "any", owner)
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            total = int(self._redis.zcard(key))
            ids: list[str] = self._redis.zrange(key, offset, offset + limit - 1, desc=True)  # type: ignore[assignment]
            for job_id in ids:
                pipe.hgetall(f"{JOB_KEY}{job_id}")
            records = pipe.execute()
        return [_job(values) for values in records if "state" in values], total

    def claim(self, job_id: str, unit: str, owner: str) -> Claim:
        """Claim a unit of work for the length of the lease, which counts as an attempt."""
        return Claim(self._run("claim", job_id, unit, owner, self._lease, self._attempts, _text(DIED)))

    def renew(self, job_id: str, unit: str, owner: str, rows_read: int | None = None) -> bool:
        """Renew the lease and record how many rows were read. False if the work can stop: the lease is not the owner's any more."""
        return bool(self._run("renew", job_id, unit, owner, self._lease, "" if rows_read is None else rows_read))

    def commit_reading(self, job: Job, window: int, owner: str) -> list[str] | None:
        """Record the outcome of the reading: rows, sizes, attempt. None if the lease is not the owner's any more."""
        assert job.rows is not None and job.chunk_rows and job.attempt  # noqa: S101 - for the type checker
        units: list[str] | None = self._run(
            "commit_reading",
            job.id,
            READING,
            owner,
            self._lease,
            window,
            job.rows,
            job.chunk_rows,
            job.batch_rows,
            job.attempt,
            int(job.in_place),
            job.checksum or "",
        )
        return units

    def commit(
        self,
        job_id: str,
        chunk: str,
        window: int,
        *,
        granted: int = 0,
        refused: int = 0,
        invalid: int = 0,
        unscored: int = 0,
        unseen: Mapping[str, int] = NOTHING_UNSEEN,
        report: Report = ALL_VALID,
    ) -> list[str] | None:
        """Count a chunk that is done, and report what was found to be invalid in it; the last one ends the job.

        `unscored` counts valid rows that have no score, since the job will fail: it does when a report was made of it and it
        rejects invalid rows. None if another call has counted the chunk, or if the job has ended or now failed.
        """
        rows = granted + refused + invalid + unscored
        counts = [rows, granted, refused, invalid, _report_text(report)]
        units: list[str] | None = self._run(
            "commit", job_id, chunk, self._lease, window, *counts, *chain(*unseen.items())
        )
        return units

    def commit_writing(self, job_id: str) -> bool:
        """End a job whose output is written. False if it has already ended."""
        return bool(self._run("commit_writing", job_id, WRITING))

    def fill(self, job_id: str, window: int) -> list[str]:
        """Return the additional units that may be published because the window has grown."""
        units: list[str] = self._run("fill", job_id, self._lease, window)
        return units

    def release(self, job_id: str, unit: str, owner: str, reason: Reason) -> bool:
        """Release a unit before its lease ends, with the reason; the attempt remains counted. False if it is not the owner's."""
        return bool(self._run("release", job_id, unit, owner, _text(reason), 0))

    def hand_back(self, job_id: str, unit: str, owner: str, *, is_large: bool = False) -> bool:
        """Release a unit that was interrupted, so that the attempt does not count; perhaps note that the file is a large one.

        False if the unit is not the owner's.
        """
        return bool(self._run("release", job_id, unit, owner, "", int(is_large)))

    def fail(self, job_id: str, reason: Reason, *, retryable: bool = True, report: Report = ALL_VALID) -> bool:
        """Fail a job, with the report if rows are invalid. False if it has already ended."""
        return bool(self._run("end", job_id, JobState.FAILED, _text(reason), int(retryable), _report_text(report)))

    def cancel(self, job_id: str) -> bool:
        """Cancel a job. False if it has already ended."""
        return bool(self._run("end", job_id, JobState.CANCELLED, "", 0, ""))

    def retry(self, job_id: str, window: int) -> list[str] | None:
        """Restart a failed job from its stored rows, else from its file. None if it cannot be retried."""
        units: list[str] | None = self._run("retry", job_id, self._lease, window)
        return units

    def report(self, job_id: str) -> Report:
        """Read the report of a job's invalid rows."""
        with translated_errors():
            found: Any = self._redis.hgetall(f"{JOB_KEY}{job_id}:report")
        return _report(found) if found else ALL_VALID

    def note_report(self, job_id: str, report: Report) -> None:
        """Store the report of a job that continues without its invalid rows, unless the job has been removed."""
        self._run("note_report", job_id, _report_text(report))

    def finished_chunks(self, job: Job) -> int:
        """Count the leading chunks that are done, up to the first that is not."""
        with translated_errors():
            under_way: Any = self._redis.zrange(f"{JOB_KEY}{job.id}:due", 0, -1)
        if not under_way:
            # It has ended in the meantime.
            return 0
        return min([int(unit) for unit in under_way if unit.isdigit()], default=job.next_chunk)

    def open_jobs(self) -> list[str]:
        """List the jobs that have not ended, oldest first."""
        with translated_errors():
            return self._redis.zrange(OPEN_KEY, 0, -1)  # type: ignore[return-value]

    def queued_rows(self) -> int:
        """Count the unscored rows of open jobs, as far as their files are read."""
        return int(self._run("queued_rows", ""))

    def versions_in_use(self) -> set[str]:
        """Return the model versions that open jobs are pinned to."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for job_id in self.open_jobs():
                pipe.hget(f"{JOB_KEY}{job_id}", "model_version")
            return {version for version in pipe.execute() if version}

    def overdue(self, job_id: str) -> list[str]:
        """List the units whose messages may be lost: not done, and neither published nor started within the last lease."""
        units: list[str] = self._run("overdue", job_id, OVERDUE_AT_ONCE)
        return units

    def postpone(self, job_id: str, units: list[str]) -> None:
        """Mark these units as published now."""
        self._run("postpone", job_id, self._lease, *units)

    def hasten(self, job_id: str, units: list[str]) -> None:
        """Mark these units as not published, so that they are overdue."""
        self._run("postpone", job_id, 0, *units)

    def due_webhooks(self) -> list[str]:
        """List the ended jobs whose webhook is due."""
        with translated_errors():
            return self._redis.zrangebyscore(WEBHOOKS_KEY, "-inf", time.time())  # type: ignore[return-value]

    def begin_webhook(self, job_id: str, seconds: float) -> int | None:
        """Claim the webhook for `seconds`; return the number of earlier attempts, or None if it is not due or claimed elsewhere."""
        attempts: int | None = self._run("begin_webhook", job_id, seconds)
        return attempts

    def end_webhook(self, job_id: str, again_in: float | None) -> None:
        """Record that the webhook is finished, or due again in `again_in` seconds."""
        with translated_errors():
            if again_in is None:
                self._redis.zrem(WEBHOOKS_KEY, job_id)
            else:
                self._redis.zadd(WEBHOOKS_KEY, {job_id: time.time() + again_in}, xx=True)

    def expired_jobs(self, limit: int = JOBS_AT_ONCE) -> list[str]:
        """List jobs that have expired, the first ones first."""
        with translated_errors():
            return self._redis.zrangebyscore(ENDED_KEY, "-inf", time.time(), 0, limit)  # type: ignore[return-value]

    def is_first_since(self, seconds: float) -> bool:
        """Whether no other worker has called this within `seconds`: lets one worker at a time do periodic work."""
        own = uuid4().hex
        with translated_errors():
            is_set = self._redis.set(TURN_KEY, own, nx=True, px=int(seconds * 1000))
            # Sent again after a lost answer, it finds its own.
            return bool(is_set) or self._redis.get(TURN_KEY) == own

    def forget(self, job_id: str) -> bool:
        """Remove all records of a job that has ended. False if it is open, having been retried in the meantime."""
        return bool(self._run("forget", job_id, 0))

    def purge(self, job_id: str) -> None:
        """Remove all records of a job, open or not; its work in progress finds that there is nothing to do."""
        self._run("forget", job_id, 1)

    def without_record(self, job_ids: list[str]) -> list[str]:
        """Return those of the jobs that have no record."""
        found: list[str] = []
        for start in range(0, len(job_ids), JOBS_AT_ONCE):
            some = job_ids[start : start + JOBS_AT_ONCE]
            with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
                for job_id in some:
                    pipe.exists(f"{JOB_KEY}{job_id}")
                found += [job_id for job_id, exists in zip(some, pipe.execute(), strict=True) if not exists]
        return found

    def _run(self, name: str, job_id: str, *arguments: Any) -> Any:
        keys = keys_of(job_id, call=uuid4().hex)
        with translated_errors():
            return self._scripts[name](keys=keys, args=[job_id, self._ttl, *arguments])


def _report_text(report: Report) -> str:
    listed = json.dumps([value.as_dict() for value in report.errors])
    counts = f"{report.invalid_rows} {report.invalid_values} {len(report.errors)}"
    return f"{counts} {listed}" if report.invalid_values else ""


def _report(found: Mapping[str, str]) -> Report:
    """Put the lists of the chunks together, in the order of the file."""
    chunks = sorted((field for field in found if field.isdigit()), key=int)
    listed = chain.from_iterable(json.loads(found[chunk].partition(" ")[2]) for chunk in chunks)
    first = tuple(map(InvalidValue.from_dict, islice(listed, MAX_REPORTED)))
    return Report(int(found["invalid_rows"]), int(found["invalid_values"]), first)


def _text(value: Any) -> Any:
    if isinstance(value, Reason):
        return json.dumps(value.as_dict())
    if isinstance(value, tuple):
        return json.dumps(value)
    return int(value) if isinstance(value, bool) else value


def _reader(hint: Any) -> Any:
    """Return the function that parses the text of a field."""
    if isinstance(hint, UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if hint is bool:
        return lambda text: text == "1"
    if hint is Reason:
        return lambda text: Reason.from_dict(json.loads(text))
    if isinstance(hint, type) and issubclass(hint, int | float | str):
        return hint
    return (lambda text: tuple(json.loads(text))) if "tuple" in str(hint) else str


_HINTS = get_type_hints(Job)
UNSEEN = "unseen_categories"
"""The field of a job that is not one of its record: each feature has one, which begins with UNSEEN_PREFIX."""
UNSEEN_PREFIX = "unseen:"
_READERS: dict[str, Any] = {item.name: _reader(_HINTS[item.name]) for item in fields(Job) if item.name != UNSEEN}


def _job(values: dict[str, str]) -> Job:
    unseen = {
        name.removeprefix(UNSEEN_PREFIX): int(value) for name, value in values.items() if name.startswith(UNSEEN_PREFIX)
    }
    known = {name: _READERS[name](value) for name, value in values.items() if name in _READERS}
    return Job(**known, unseen_categories=unseen)

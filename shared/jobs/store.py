"""Job records in Redis. What must change together changes in one script, on the server's own clock.

Of a job there are, below `pret:job:<id>`: the record (a hash), `:due` (sorted set: each chunk that is not done yet, by the
time from which its message counts as lost), `:leases` (hash: chunk to the end of the lease of the worker that has it) and
`:attempts` (hash: chunk to the number of times it was started). A chunk is done when it is gone from `:due`; so the first
commit wins, and a second one finds nothing to do. Two sorted sets list the jobs: `pret:jobs:open` by creation and
`pret:jobs:ended` by expiry.
"""

import re
import time
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Any

import redis

from shared.errors import UnknownJob
from shared.jobs.job import Job, JobState
from shared.redis import KEY_PREFIX, translated_errors

JOB_ID = re.compile("[0-9a-f]{32}")
JOB_KEY = f"{KEY_PREFIX}job:"
OPEN_KEY = f"{KEY_PREFIX}jobs:open"
ENDED_KEY = f"{KEY_PREFIX}jobs:ended"

OVERDUE_AT_ONCE = 1000
"""Chunks of one job that one reconciliation looks at."""


class Claim(StrEnum):
    """The answer to a worker that wants to score a chunk."""

    TAKEN = "taken"  # the chunk is yours until the lease ends
    HELD = "held"  # another worker has it
    OVER = (
        "over"  # nothing to do: the chunk is done, or the job has ended, expired or just failed for too many attempts
    )


# Every script gets: KEYS record, due, leases, attempts, open, ended; ARGV[1] the job id, ARGV[2] the time to live of an
# ended job in seconds.
_PREAMBLE = """
local record, due, leases, attempts, open, ended = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local id, ttl = ARGV[1], tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local state = redis.call('HGET', record, 'state')
local live = state == 'queued' or state == 'running'
local function finish(final, reason)
    redis.call('HSET', record, 'state', final, 'finished_at', now, 'expires_at', now + ttl)
    if reason ~= '' then redis.call('HSET', record, 'error', reason) end
    redis.call('DEL', due, leases, attempts)
    redis.call('ZREM', open, id)
    redis.call('ZADD', ended, now + ttl, id)
end
"""

_CLAIM = """
local chunk, lease, limit = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if not live or not redis.call('ZSCORE', due, chunk) then return 'over' end
local held_until = redis.call('HGET', leases, chunk)
if held_until and tonumber(held_until) > now then return 'held' end
if tonumber(redis.call('HGET', attempts, chunk) or 0) >= limit then
    local last = redis.call('HGET', record, 'last_error:' .. chunk) or 'Its worker died.'
    finish('failed', 'Chunk ' .. chunk .. ' was given up after ' .. limit .. ' attempts. ' .. last)
    return 'over'
end
redis.call('HINCRBY', attempts, chunk, 1)
redis.call('HSET', leases, chunk, now + lease)
redis.call('ZADD', due, now + lease, chunk)
if state == 'queued' then redis.call('HSET', record, 'state', 'running', 'started_at', now) end
return 'taken'
"""

_COMMIT = """
local chunk = ARGV[3]
if not live or redis.call('ZREM', due, chunk) == 0 then return 0 end
redis.call('HDEL', leases, chunk)
redis.call('HDEL', attempts, chunk)
redis.call('HDEL', record, 'last_error:' .. chunk)
redis.call('HINCRBY', record, 'rows_done', ARGV[4])
redis.call('HINCRBY', record, 'granted', ARGV[5])
redis.call('HINCRBY', record, 'refused', ARGV[6])
if redis.call('EXISTS', due) == 0 then finish('succeeded', '') end
return 1
"""

_END = """
if not live then return 0 end
finish(ARGV[3], ARGV[4])
return 1
"""

_RELEASE = """
if live and redis.call('ZSCORE', due, ARGV[3]) then
    redis.call('HDEL', leases, ARGV[3])
    redis.call('ZADD', due, now, ARGV[3])
    redis.call('HSET', record, 'last_error:' .. ARGV[3], ARGV[4])
end
"""

_OVERDUE = """
return redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, tonumber(ARGV[3]))
"""

_POSTPONE = """
for i = 4, #ARGV do redis.call('ZADD', due, 'XX', now + tonumber(ARGV[3]), ARGV[i]) end
"""


class JobStore:
    """Reads and changes job records. Every method raises RedisUnavailable while Redis is away."""

    def __init__(self, client: "redis.Redis", *, job_ttl: int, lease: float, attempts: int) -> None:
        self._redis = client
        self._ttl = job_ttl
        self._lease = lease
        self._attempts = attempts
        self._claim, self._commit, self._end, self._release, self._overdue, self._postpone = (
            client.register_script(_PREAMBLE + body) for body in (_CLAIM, _COMMIT, _END, _RELEASE, _OVERDUE, _POSTPONE)
        )

    def create(self, job: Job) -> None:
        """Record a new job; each of its chunks counts as published now."""
        record, due, _, _, open_jobs, _ = _keys(job.id)
        values: Any = {name: value for name, value in asdict(job).items() if value is not None}
        overdue_from = time.time() + self._lease
        with translated_errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(record, mapping=values)
            pipe.zadd(due, {str(chunk): overdue_from for chunk in range(job.chunks)})
            pipe.zadd(open_jobs, {job.id: job.created_at})
            pipe.execute()

    def get(self, job_id: str) -> Job:
        """Read a job; raises UnknownJob."""
        if not JOB_ID.fullmatch(job_id):
            raise UnknownJob
        with translated_errors():
            values: dict[str, str] = self._redis.hgetall(f"{JOB_KEY}{job_id}")  # type: ignore[assignment]
        if "state" not in values:
            raise UnknownJob
        return _job(values)

    def claim(self, job_id: str, chunk: int) -> Claim:
        """Ask for a chunk, for the length of the lease."""
        return Claim(self._run(self._claim, job_id, chunk, self._lease, self._attempts))

    def commit(self, job_id: str, chunk: int, *, granted: int, refused: int) -> bool:
        """Count a scored chunk, and end the job with the last one. False if that was done before, or the job has ended."""
        return bool(self._run(self._commit, job_id, chunk, granted + refused, granted, refused))

    def release(self, job_id: str, chunk: int, reason: str) -> None:
        """Give a chunk back before its lease ends, saying why; the attempt stays counted."""
        self._run(self._release, job_id, chunk, reason)

    def fail(self, job_id: str, reason: str) -> bool:
        """End a job that cannot be done. False if it has ended already."""
        return bool(self._run(self._end, job_id, JobState.FAILED, reason))

    def cancel(self, job_id: str) -> bool:
        """End a job at its owner's wish. False if it has ended already."""
        return bool(self._run(self._end, job_id, JobState.CANCELLED, ""))

    def open_jobs(self) -> list[str]:
        """List the jobs that have not ended, oldest first."""
        with translated_errors():
            return self._redis.zrange(OPEN_KEY, 0, -1)  # type: ignore[return-value]

    def versions_in_use(self) -> set[str]:
        """Name the model versions that open jobs are pinned to."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for job_id in self.open_jobs():
                pipe.hget(f"{JOB_KEY}{job_id}", "model_version")
            return {version for version in pipe.execute() if version}

    def overdue_chunks(self, job_id: str) -> list[int]:
        """List the chunks whose message may be lost: not done, and neither published nor started within the last lease."""
        return [int(chunk) for chunk in self._run(self._overdue, job_id, OVERDUE_AT_ONCE)]

    def postpone(self, job_id: str, chunks: list[int]) -> None:
        """Count these chunks as published now."""
        self._run(self._postpone, job_id, self._lease, *chunks)

    def expired_jobs(self) -> list[str]:
        """List the ended jobs whose time to live is over."""
        with translated_errors():
            return self._redis.zrangebyscore(ENDED_KEY, "-inf", time.time())  # type: ignore[return-value]

    def forget(self, job_id: str) -> None:
        """Remove all records of a job."""
        record, due, leases, attempts, open_jobs, ended = _keys(job_id)
        with translated_errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(record, due, leases, attempts)
            pipe.zrem(open_jobs, job_id)
            pipe.zrem(ended, job_id)
            pipe.execute()

    def exists(self, job_id: str) -> bool:
        """Whether there is a record of the job."""
        with translated_errors():
            return bool(self._redis.exists(f"{JOB_KEY}{job_id}"))

    def _run(self, script: Any, job_id: str, *arguments: Any) -> Any:
        with translated_errors():
            return script(keys=_keys(job_id), args=[job_id, self._ttl, *arguments])


def _keys(job_id: str) -> list[str]:
    record = f"{JOB_KEY}{job_id}"
    return [record, f"{record}:due", f"{record}:leases", f"{record}:attempts", OPEN_KEY, ENDED_KEY]


_READERS: dict[Any, Any] = {int: int, float: float, float | None: float, JobState: JobState}


def _job(values: dict[str, str]) -> Job:
    known = {field.name: _READERS.get(field.type, str) for field in fields(Job)}
    return Job(**{name: known[name](value) for name, value in values.items() if name in known})

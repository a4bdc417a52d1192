"""What the processes of the service share about models: records in Redis.

The active version is one record and the only truth. A candidate is a second one: a version that every live process is asked to
get ready. Processes look at both every half second, so there is no broadcast that one of them could miss.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import redis

from shared.redis import KEY_PREFIX, translated_errors

ACTIVE_KEY = f"{KEY_PREFIX}model:active"
CANDIDATE_KEY = f"{KEY_PREFIX}model:candidate"
HISTORY_KEY = f"{KEY_PREFIX}model:history"
PREPARED_KEY = f"{KEY_PREFIX}model:prepared:"
PROCESS_KEY = f"{KEY_PREFIX}process:"

LOOK_INTERVAL = 0.5
"""Seconds between two looks of a process at the records."""

REPORT_INTERVAL = 2.0
REPORT_TTL = 10
"""Seconds between two reports of a process, and after how many without one it no longer counts as alive."""

HISTORY_LENGTH = 100

Kind = Literal["api", "worker"]


@dataclass(frozen=True)
class ActiveVersion:
    """The version that new requests and new jobs use; `at` is in seconds since the epoch."""

    version: str
    previous: str | None
    by: str
    at: float


@dataclass(frozen=True)
class Candidate:
    """A version that one reload asks every process to get ready."""

    reload_id: str
    version: str
    by: str
    at: float


@dataclass(frozen=True)
class ProcessReport:
    """What a live process says of itself: the version it serves (a worker: has ready), and since when."""

    kind: Kind
    host: str
    pid: int
    version: str | None
    since: float
    error: str | None = None
    slots: int = 0
    """Tasks that it does at the same time."""
    queues: tuple[str, ...] = ()
    """The queues that it takes tasks from."""

    @property
    def name(self) -> str:
        """Tell the process from all others."""
        return f"{self.kind}:{self.host}:{self.pid}"


@dataclass(frozen=True)
class Prepared:
    """What a process says of a candidate: ready, or the error."""

    error: str | None
    error_kind: str | None
    seconds: float


@dataclass(frozen=True)
class HistoryEntry:
    """One attempt to change the active version, and what came of it."""

    version: str
    at: float
    by: str
    outcome: Literal["activated", "refused"]
    reason: str | None = None


# A candidate lapses by itself, so that a coordinator that died holds up nobody; setting it is also the lock.
_ACTIVATE = """
local candidate = redis.call('GET', KEYS[2])
if not candidate or cjson.decode(candidate).reload_id ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('LPUSH', KEYS[3], ARGV[3])
redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[4]) - 1)
return 1
"""

_WITHDRAW = """
local candidate = redis.call('GET', KEYS[1])
if candidate and cjson.decode(candidate).reload_id == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('LPUSH', KEYS[2], ARGV[2])
redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[3]) - 1)
"""


class Fleet:
    """The shared records. Every method raises RedisUnavailable while Redis is away."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client
        self._activate = client.register_script(_ACTIVATE)
        self._withdraw = client.register_script(_WITHDRAW)

    def look(self) -> tuple[ActiveVersion | None, Candidate | None]:
        """Read the active version and the candidate, of which there may be none."""
        with translated_errors():
            active, candidate = self._redis.mget(ACTIVE_KEY, CANDIDATE_KEY)
        return (
            ActiveVersion(**json.loads(active)) if active else None,
            Candidate(**json.loads(candidate)) if candidate else None,
        )

    def activate_first(self, active: ActiveVersion) -> None:
        """Record the version of the very first process; where there is an active version, it stays."""
        with translated_errors():
            if self._redis.set(ACTIVE_KEY, _encoded(active), nx=True):
                entry = HistoryEntry(active.version, active.at, active.by, "activated")
                self._redis.lpush(HISTORY_KEY, _encoded(entry))

    def propose(self, candidate: Candidate, seconds: float) -> bool:
        """Make a version the candidate for so long at most. False if there is another one."""
        with translated_errors():
            return bool(self._redis.set(CANDIDATE_KEY, _encoded(candidate), nx=True, px=int(seconds * 1000)))

    def activate(self, candidate: Candidate, active: ActiveVersion) -> bool:
        """Make the candidate the active version, in one step. False if it is no longer the candidate."""
        entry = HistoryEntry(active.version, active.at, active.by, "activated")
        keys = [ACTIVE_KEY, CANDIDATE_KEY, HISTORY_KEY]
        with translated_errors():
            arguments: list[Any] = [candidate.reload_id, _encoded(active), _encoded(entry), HISTORY_LENGTH]
            return bool(self._activate(keys=keys, args=arguments))

    def withdraw(self, candidate: Candidate, entry: HistoryEntry) -> None:
        """Give a candidate up, and note why."""
        with translated_errors():
            arguments: list[Any] = [candidate.reload_id, _encoded(entry), HISTORY_LENGTH]
            self._withdraw(keys=[CANDIDATE_KEY, HISTORY_KEY], args=arguments)

    def history(self) -> list[HistoryEntry]:
        """List the changes and attempted changes, newest first."""
        with translated_errors():
            entries: list[str] = self._redis.lrange(HISTORY_KEY, 0, -1)  # type: ignore[assignment]
        return [HistoryEntry(**json.loads(entry)) for entry in entries]

    def report(self, report: ProcessReport) -> None:
        """Say that this process is alive, and what it serves."""
        with translated_errors():
            self._redis.set(f"{PROCESS_KEY}{report.name}", _encoded(report), ex=REPORT_TTL)

    def retire(self, report: ProcessReport) -> None:
        """Say that this process ends."""
        with translated_errors():
            self._redis.delete(f"{PROCESS_KEY}{report.name}")

    def processes(self) -> list[ProcessReport]:
        """List the live processes, API first."""
        with translated_errors():
            keys = sorted(self._redis.scan_iter(f"{PROCESS_KEY}*", count=1000))
            reports = self._redis.mget(keys) if keys else []
        return [ProcessReport(**json.loads(report)) for report in reports if report]

    def slots(self, queue: str) -> int:
        """Count the tasks of one queue that all live workers together do at the same time."""
        return sum(process.slots for process in self.processes() if queue in process.queues)

    def report_prepared(self, candidate: Candidate, process: str, prepared: Prepared) -> None:
        """Say what came of getting the candidate ready."""
        key = f"{PREPARED_KEY}{candidate.reload_id}"
        with translated_errors(), self._redis.pipeline(transaction=True) as pipe:
            pipe.hset(key, process, _encoded(prepared))
            pipe.expire(key, 3600)
            pipe.execute()

    def prepared(self, candidate: Candidate) -> dict[str, Prepared]:
        """Read what the processes said of the candidate so far."""
        with translated_errors():
            reports: dict[str, str] = self._redis.hgetall(f"{PREPARED_KEY}{candidate.reload_id}")  # type: ignore[assignment]
        return {process: Prepared(**json.loads(report)) for process, report in reports.items()}


def _encoded(record: Any) -> str:
    return json.dumps(asdict(record))

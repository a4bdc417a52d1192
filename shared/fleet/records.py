"""What the processes of the service share about models: records in Redis.

The deployment is one record and the only truth: it says which version is active. A candidate is a second one: a version that
every live process is asked to get ready. Processes look at both every half second, so there is no broadcast that one of them
could miss.

A call whose answer is lost is sent again; so each looks first whether the records already say what it would write.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec
import redis

from shared.models.version import VersionRef
from shared.reasons import Reason
from shared.redis import KEY_PREFIX, translated_errors

DEPLOYMENT_KEY = f"{KEY_PREFIX}model:deployment"
CANDIDATE_KEY = f"{KEY_PREFIX}model:candidate"
HISTORY_KEY = f"{KEY_PREFIX}model:history"
ORIGINS_KEY = f"{KEY_PREFIX}model:origins"
PREPARED_KEY = f"{KEY_PREFIX}model:prepared:"
PROCESS_KEY = f"{KEY_PREFIX}process:"

LOOK_INTERVAL = 0.5
"""Seconds between two looks of a process at the records."""

REPORT_INTERVAL = 2.0
REPORT_TTL = 10
"""Seconds between two reports of a process, and after how many without one it no longer counts as alive."""

HISTORY_LENGTH = 100

Kind = Literal["api", "worker"]

Blame = Literal["model", "version", "source"]
"""Why a version is not ready: the model must not serve, the source does not have the version, or it does not answer."""

Record = TypeVar("Record")


@dataclass(frozen=True)
class Deployment:
    """What the fleet serves; `at` is in seconds since the epoch. A second version beside the active one gets a field of its own."""

    active: VersionRef
    """The version that new requests and new jobs use."""
    previous: VersionRef | None
    source: str
    """Name of the source that the active version was taken from."""
    by: str
    at: float


@dataclass(frozen=True)
class Candidate:
    """A version that one reload asks every process to get ready."""

    reload_id: str
    version: VersionRef
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
    error: Reason | None = None
    """Why it does not serve what is deployed."""
    slots: int = 0
    """Tasks that it does at the same time."""
    queues: tuple[str, ...] = ()
    """The queues that it takes tasks from."""
    source: str = ""
    """Name of the source that its settings say."""

    @property
    def name(self) -> str:
        """Tell the process from all others."""
        return f"{self.kind}:{self.host}:{self.pid}"


@dataclass(frozen=True)
class Prepared:
    """What a process says of a candidate: ready, or why not."""

    error: Reason | None
    blame: Blame | None
    seconds: float


@dataclass(frozen=True)
class HistoryEntry:
    """One attempt to change the active version, and what came of it."""

    version: str
    at: float
    by: str
    outcome: Literal["activated", "rejected"]
    reason: Reason | None = None


_DEPLOY_FIRST = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('LPUSH', KEYS[2], ARGV[2])
return 1
"""

# A candidate lapses by itself, so that a coordinator that died holds up nobody; setting it is also the lock.
_PROPOSE = """
local candidate = redis.call('GET', KEYS[1])
if candidate then return candidate == ARGV[1] and 1 or 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_ACTIVATE = """
if redis.call('GET', KEYS[1]) == ARGV[2] then return 1 end
local candidate = redis.call('GET', KEYS[2])
if not candidate or cjson.decode(candidate).reload_id ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('LPUSH', KEYS[3], ARGV[3])
redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[4]) - 1)
return 1
"""

_REPLACE = """
local current = redis.call('GET', KEYS[1])
if current == ARGV[3] then return 1 end
if current then
    local record = cjson.decode(current)
    if record.active.id ~= ARGV[1] or record.source ~= ARGV[2] then return 0 end
end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('LPUSH', KEYS[2], ARGV[4])
redis.call('LTRIM', KEYS[2], 0, tonumber(ARGV[5]) - 1)
return 1
"""

# The candidate may have lapsed, or have been activated although its coordinator does not know.
_WITHDRAW = """
local candidate, deployment = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])
if candidate and cjson.decode(candidate).reload_id == ARGV[1] then
    redis.call('DEL', KEYS[1])
elseif deployment and cjson.decode(deployment).active.id == ARGV[2] then
    return 0
end
for _, entry in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
    if entry == ARGV[3] then return 1 end
end
redis.call('LPUSH', KEYS[3], ARGV[3])
redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[4]) - 1)
return 1
"""

_REPORT_PREPARED = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], 3600)
return 1
"""

SCRIPTS = {
    "deploy_first": _DEPLOY_FIRST,
    "propose": _PROPOSE,
    "activate": _ACTIVATE,
    "replace": _REPLACE,
    "withdraw": _WITHDRAW,
    "report_prepared": _REPORT_PREPARED,
}


class Fleet:
    """The shared records. Every method raises RedisUnavailable while Redis is away."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client
        self._scripts = {name: client.register_script(text) for name, text in SCRIPTS.items()}

    def look(self) -> tuple[Deployment | None, Candidate | None]:
        """Read what is deployed and the candidate, of which there may be none."""
        with translated_errors():
            deployment, candidate = self._redis.mget(DEPLOYMENT_KEY, CANDIDATE_KEY)
        return _decoded(Deployment, deployment), _decoded(Candidate, candidate)

    def deploy_first(self, deployment: Deployment) -> None:
        """Record the version of the very first process; where there is a deployment, it stays."""
        self._note_origin(deployment.active)
        self._run("deploy_first", [DEPLOYMENT_KEY, HISTORY_KEY], _encoded(deployment), _encoded(_entry(deployment)))

    def replace(self, old: Deployment, new: Deployment) -> bool:
        """Record another deployment in one step, without a reload. False if the old one is no longer what is deployed."""
        self._note_origin(new.active)
        arguments = [old.active.id, old.source, _encoded(new), _encoded(_entry(new)), HISTORY_LENGTH]
        return self._run("replace", [DEPLOYMENT_KEY, HISTORY_KEY], *arguments)

    def propose(self, candidate: Candidate, seconds: float) -> bool:
        """Make a version the candidate for so long at most. False if there is another one."""
        self._note_origin(candidate.version)
        return self._run("propose", [CANDIDATE_KEY], _encoded(candidate), int(seconds * 1000))

    def activate(self, candidate: Candidate, deployment: Deployment) -> bool:
        """Deploy the candidate, in one step. False if it is no longer the candidate."""
        keys = [DEPLOYMENT_KEY, CANDIDATE_KEY, HISTORY_KEY]
        arguments = [candidate.reload_id, _encoded(deployment), _encoded(_entry(deployment)), HISTORY_LENGTH]
        return self._run("activate", keys, *arguments)

    def origin_of(self, version: str) -> str | None:
        """Tell by what a version's source fetches it, where the id does not say it: for jobs, which only know the id."""
        with translated_errors():
            origin: str | None = self._redis.hget(ORIGINS_KEY, version)  # type: ignore[assignment]
        return origin

    def _note_origin(self, version: VersionRef) -> None:
        if version.origin is not None:
            with translated_errors():
                self._redis.hset(ORIGINS_KEY, version.id, version.origin)

    def withdraw(self, candidate: Candidate, entry: HistoryEntry) -> bool:
        """Give a candidate up, and note why. False if its version is active after all."""
        keys = [CANDIDATE_KEY, DEPLOYMENT_KEY, HISTORY_KEY]
        return self._run("withdraw", keys, candidate.reload_id, candidate.version.id, _encoded(entry), HISTORY_LENGTH)

    def history(self) -> list[HistoryEntry]:
        """List the changes and attempted changes, newest first."""
        with translated_errors():
            entries: list[str] = self._redis.lrange(HISTORY_KEY, 0, -1)  # type: ignore[assignment]
        return [_read(HistoryEntry, entry) for entry in entries]

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
        return [_read(ProcessReport, report) for report in reports if report]

    def slots(self, queue: str) -> int:
        """Count the tasks of one queue that all live workers together do at the same time."""
        return sum(process.slots for process in self.processes() if queue in process.queues)

    def report_prepared(self, candidate: Candidate, process: str, prepared: Prepared) -> None:
        """Say what came of getting the candidate ready."""
        self._run("report_prepared", [f"{PREPARED_KEY}{candidate.reload_id}"], process, _encoded(prepared))

    def prepared(self, candidate: Candidate) -> dict[str, Prepared]:
        """Read what the processes said of the candidate so far."""
        with translated_errors():
            reports: dict[str, str] = self._redis.hgetall(f"{PREPARED_KEY}{candidate.reload_id}")  # type: ignore[assignment]
        return {process: _read(Prepared, report) for process, report in reports.items()}

    def _run(self, name: str, keys: list[str], *arguments: Any) -> bool:
        with translated_errors():
            return bool(self._scripts[name](keys=keys, args=arguments))


def _entry(deployment: Deployment) -> HistoryEntry:
    return HistoryEntry(deployment.active.id, deployment.at, deployment.by, "activated")


def _encoded(record: Any) -> str:
    return msgspec.json.encode(record).decode()


def _read(kind: type[Record], text: str | bytes) -> Record:
    """Read a record; what another version of the service wrote into it besides is passed over."""
    return msgspec.json.decode(text, type=kind)


def _decoded(kind: type[Record], text: Any) -> Record | None:
    return _read(kind, text) if text else None

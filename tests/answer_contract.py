"""What every call that changes a record of a job or of the fleet promises when its answer never comes.

The client sends the call again, and the caller gets the answer that it would have got, with the records as they would have been:
if the first one was carried out and its answer lost, and also if it is carried out late, after its own repetition. A method or
a script that no case calls makes a test fail.
"""

import inspect
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Protocol

import pytest
import redis

from shared.errors import ALL_VALID, IdempotencyConflict, Report, StorageUnavailable
from shared.fleet import records
from shared.fleet.records import Candidate, Deployment, Fleet, HistoryEntry, Prepared, ProcessReport
from shared.jobs import job_keys, job_scripts
from shared.jobs.job import READING, WRITING
from shared.jobs.store import JobStore
from shared.models.version import VersionRef
from tests.factories import make_job
from tests.store_contract import (
    CALLER,
    FULL,
    JOB,
    LONG,
    NEWER,
    OVER,
    REPORT,
    WHY,
    WINDOW,
    lasting_keys,
    make_file_job,
    read,
    read_in_place,
    store_over,
)

MINE, OTHERS = "worker-1/1", "worker-2/1"

READING_METHODS = {
    JobStore: {
        *(
            "from_settings",
            "get",
            "get_all",
            "page",
            "report",
            "finished_chunks",
            "open_jobs",
            "queued_rows",
            "versions_in_use",
        ),
        *("overdue", "due_webhooks", "expired_jobs", "without_record"),
    },
    Fleet: {"look", "origin_of", "history", "processes", "slots", "prepared"},
}
"""Those that change nothing; they may be called as often as one likes."""

READING_SCRIPTS = {"overdue", "queued_rows"}


class Wire(Protocol):
    """The way to a server, on which one command can be disturbed."""

    client: redis.Redis
    """Asks again, as those of the service do."""
    direct: redis.Redis
    """Its commands are never disturbed."""
    disturbances: tuple[str, ...]

    def disturbed(self, disturbance: str, nth: int) -> AbstractContextManager[None]:
        """Let it befall the n-th command that is sent in the block; when the block ends, every command is carried out."""

    def sent(self) -> int:
        """Count the commands so far."""


@dataclass(frozen=True)
class Call:
    """One call: what there was before, and the call itself."""

    method: str
    arguments: tuple[Any, ...]
    before: Callable[[Any], object] = lambda _: None
    named: tuple[tuple[str, Any], ...] = ()
    case: str = ""

    def __call__(self, on: Any) -> Any:
        try:
            return getattr(on, self.method)(*self.arguments, **dict(self.named))
        except (IdempotencyConflict, StorageUnavailable) as error:
            return type(error)

    @property
    def id(self) -> str:
        return f"{self.method}, {self.case}" if self.case else self.method


def queued(store: JobStore) -> None:
    store.create(make_job(callback_url=CALLER), 2)


def with_output(store: JobStore) -> None:
    store.create(make_job(output_uri="s3://a/b.csv"), 2)


def waiting_file(store: JobStore) -> None:
    store.create(make_file_job(), WINDOW)


def claimed(unit: str, owner: str = MINE, create: Callable[[JobStore], object] = queued) -> Callable[[JobStore], None]:
    def prepare(store: JobStore) -> None:
        create(store)
        store.claim(JOB, unit, owner)

    return prepare


def lapsed(store: JobStore) -> None:
    """A lease that has run out, of a worker that is silent."""
    queued(store)
    store_over_the_same(store, OVER).claim(JOB, "0", OTHERS)


def store_over_the_same(store: JobStore, lease: float) -> JobStore:
    return store_over(store._redis, lease=lease)


def tried(store: JobStore) -> None:
    """A chunk whose attempts are used up."""
    queued(store)
    for attempt in "123":
        store.claim(JOB, "0", f"worker-2/{attempt}")
        store.release(JOB, "0", f"worker-2/{attempt}", WHY)


def in_place(found: Report) -> Callable[[JobStore], None]:
    """A job whose file is read in place; in its first two chunks this was found to be invalid."""

    def prepare(store: JobStore) -> None:
        waiting_file(store)
        store.claim(JOB, READING, MINE)
        store.commit_reading(read_in_place(make_file_job()), WINDOW, MINE)
        for chunk in ("0", "1"):
            store.claim(JOB, chunk, MINE)
            store.commit(JOB, chunk, WINDOW, granted=1, refused=1, report=found)

    return prepare


def done_but(*last: str, create: Callable[[JobStore], object] = queued) -> Callable[[JobStore], None]:
    """All chunks but some are done."""

    def prepare(store: JobStore) -> None:
        create(store)
        for chunk in sorted({"0", "1", "2"} - set(last)):
            store.claim(JOB, chunk, MINE)
            store.commit(JOB, chunk, WINDOW, granted=1, refused=1)

    return prepare


def failed(create: Callable[[JobStore], object]) -> Callable[[JobStore], None]:
    def prepare(store: JobStore) -> None:
        create(store)
        store.fail(JOB, FULL)

    return prepare


def submitted(fingerprint: str) -> Callable[[JobStore], object]:
    return lambda store: store.create(make_job(NEWER), WINDOW, "key", fingerprint)


INVALID = (("invalid", 1), ("unscored", 1), ("report", REPORT))
COUNTS = (("granted", 1), ("refused", 1), ("invalid", 0), ("unseen", {"town": 1}))

JOB_CALLS = [
    Call("create", (make_job(), 2)),
    Call("create", (make_file_job(), WINDOW), case="a file"),
    Call("create", (make_job(owner="ada"), 2), case="of an owner"),
    Call("create", (make_job(), 2, "key", "print", REPORT), case="with a key and a report"),
    Call("create", (make_job(), 2, "key", "print"), submitted("print"), case="the same submission"),
    Call("create", (make_job(), 2, "key", "print"), submitted("other"), case="another submission of the key"),
    Call("create", (make_job(), 2), lambda store: store.abandon(JOB), case="abandoned"),
    Call("abandon", (JOB,)),
    Call("abandon", (JOB,), queued, case="a job"),
    Call("claim", (JOB, "0", MINE), queued),
    Call("claim", (JOB, "0", MINE), claimed("1"), case="the second"),
    Call("claim", (JOB, "0", MINE), claimed("0", OTHERS), case="held by another"),
    Call("claim", (JOB, "0", MINE), lapsed, case="a lease that ran out"),
    Call("claim", (JOB, "0", MINE), tried, case="once too often"),
    Call("renew", (JOB, "0", MINE, 7), claimed("0")),
    Call("renew", (JOB, "0", MINE), claimed("0", OTHERS), case="held by another"),
    Call("commit_reading", (read(make_file_job()), 2, MINE), claimed(READING, create=waiting_file)),
    Call("commit_reading", (read(make_file_job()), 2, MINE), claimed(READING, OTHERS, waiting_file), case="too late"),
    Call(
        "commit_reading",
        (read_in_place(make_file_job()), 2, MINE),
        claimed(READING, create=waiting_file),
        case="in place",
    ),
    Call("commit", (JOB, "0", 2), claimed("0"), COUNTS, case="one of several"),
    Call("commit", (JOB, "0", 2), claimed("0"), INVALID, case="one of several, with invalid rows"),
    Call("commit", (JOB, "2", 2), in_place(ALL_VALID), INVALID, case="the last, with invalid rows"),
    Call("commit", (JOB, "2", 2), in_place(REPORT), COUNTS, case="the last, after invalid rows"),
    Call("commit", (JOB, "2", 2), done_but("2"), COUNTS, case="the last"),
    Call("commit", (JOB, "2", 2), done_but("2", create=with_output), COUNTS, case="the last before the output"),
    Call("commit", (JOB, "0", 2), done_but("1"), COUNTS, case="done by another"),
    Call("commit_writing", (JOB,), claimed(WRITING, create=done_but(create=with_output))),
    Call("commit_writing", (JOB,), queued, case="nothing to write"),
    Call("fill", (JOB, 3), queued),
    Call("release", (JOB, "0", MINE, WHY), claimed("0")),
    Call("release", (JOB, "0", MINE, WHY), claimed("0", OTHERS), case="held by another"),
    Call("hand_back", (JOB, "0", MINE), claimed("0")),
    Call("hand_back", (JOB, "0", MINE), claimed("0", OTHERS), case="held by another"),
    Call("fail", (JOB, WHY), claimed("0"), (("retryable", False), ("report", REPORT))),
    Call("fail", (JOB, WHY), done_but(), case="ended before"),
    Call("cancel", (JOB,), claimed("0")),
    Call("cancel", (JOB,), failed(queued), case="ended before"),
    Call("retry", (JOB, 2), failed(done_but("2"))),
    Call("retry", (JOB, 2), failed(waiting_file), case="a file"),
    Call("retry", (JOB, 2), failed(in_place(REPORT)), case="in place"),
    Call("retry", (JOB, 2), queued, case="not failed"),
    Call("note_report", (JOB, REPORT), waiting_file),
    Call("postpone", (JOB, ["0", "1", "2"]), queued),
    Call("hasten", (JOB, ["0", "1", "2"]), queued),
    Call("begin_webhook", (JOB, LONG), failed(queued)),
    Call("begin_webhook", (JOB, LONG), queued, case="not due"),
    Call("end_webhook", (JOB, None), failed(queued)),
    Call("end_webhook", (JOB, LONG), failed(queued), case="again later"),
    Call("is_first_since", (LONG,)),
    Call("is_first_since", (LONG,), lambda store: store.is_first_since(LONG), case="another was"),
    Call("forget", (JOB,), failed(queued)),
    Call("forget", (JOB,), queued, case="not ended"),
    Call("purge", (JOB,), failed(queued)),
    Call("purge", (JOB,), claimed("0"), case="not ended"),
]

OLD, NEW = VersionRef("local-000000000000"), VersionRef("local-111111111111", "models:/name/1")
DEPLOYED = Deployment(OLD, None, "folder:1", "start", 1000.5)
CHANGE = Deployment(NEW, OLD, "folder:1", "somebody", 2000.25)
CANDIDATE = Candidate("c" * 32, NEW, "somebody", 1500.125)
ANOTHER = Candidate("d" * 32, OLD, "another", 1400.0)
REJECTED = HistoryEntry(NEW.id, 1500.125, "somebody", "rejected", FULL)
PROCESS = ProcessReport("worker", "host", 1, OLD.id, 1.5, queues=("chunks",))


def deployed(fleet: Fleet) -> None:
    fleet.deploy_first(DEPLOYED)


def proposed(candidate: Candidate) -> Callable[[Fleet], None]:
    def prepare(fleet: Fleet) -> None:
        deployed(fleet)
        fleet.propose(candidate, LONG)

    return prepare


def activated(fleet: Fleet) -> None:
    proposed(CANDIDATE)(fleet)
    fleet.activate(CANDIDATE, CHANGE)


FLEET_CALLS = [
    Call("deploy_first", (CHANGE,)),
    Call("deploy_first", (CHANGE,), deployed, case="not the first"),
    Call("replace", (DEPLOYED, CHANGE), deployed),
    Call("replace", (CHANGE, DEPLOYED), deployed, case="replaced before"),
    Call("propose", (CANDIDATE, LONG), deployed),
    Call("propose", (CANDIDATE, LONG), proposed(ANOTHER), case="another is the candidate"),
    Call("activate", (CANDIDATE, CHANGE), proposed(CANDIDATE)),
    Call("activate", (CANDIDATE, CHANGE), proposed(ANOTHER), case="another is the candidate"),
    Call("withdraw", (CANDIDATE, REJECTED), proposed(CANDIDATE)),
    Call("withdraw", (CANDIDATE, REJECTED), proposed(ANOTHER), case="lapsed"),
    Call("withdraw", (CANDIDATE, REJECTED), activated, case="activated"),
    Call("report", (PROCESS,)),
    Call("retire", (PROCESS,), lambda fleet: fleet.report(PROCESS)),
    Call("report_prepared", (CANDIDATE, PROCESS.name, Prepared(WHY, "model", 0.5))),
]

# Redis writes a number as it comes out shortest, which may be `1.79e+9`.
TIME = re.compile(r"\b1[789]\d{8}(\.\d+)?\b|\b2\d{9}\.\d+\b|\b[12]\.\d+e\+0?9\b")
RANDOM = re.compile(r"\b[0-9a-f]{32}\b")


def snapshot(client: redis.Redis) -> dict[str, Any]:
    """All that is in Redis, but for the moments at which it was written, and whether it will go by itself."""
    found: dict[str, Any] = {}
    for key in lasting_keys(client):
        kind = client.type(key)
        if kind == "hash":
            content: Any = sorted(client.hgetall(key).items())
        elif kind == "zset":
            content = sorted(client.zrange(key, 0, -1, withscores=True))
        else:
            content = client.lrange(key, 0, -1) if kind == "list" else client.get(key)
        found[key] = TIME.sub("<time>", repr(content)), int(client.ttl(key)) >= 0
    # Its value only tells one taker from the next.
    if job_keys.TURN_KEY in found:
        found[job_keys.TURN_KEY] = RANDOM.sub("<taker>", found[job_keys.TURN_KEY][0])
    return found


Make = Callable[[redis.Redis], Any]


class AnswerContract:
    """The tests; a module that defines the fixture `wire` runs them all."""

    def walk(self, wire: Wire, make: Make, call: Call) -> None:
        def begin(client: redis.Redis) -> Any:
            wire.direct.flushall()
            call.before(make(wire.direct))
            client.ping()
            return make(client)

        undisturbed = begin(wire.client)
        call(undisturbed)  # loads the scripts
        undisturbed = begin(wire.client)
        before = wire.sent()
        expected = call(undisturbed)
        commands = wire.sent() - before
        records = snapshot(wire.direct)
        assert commands
        for disturbance in wire.disturbances:
            for nth in range(1, commands + 1):
                on = begin(wire.client)
                with wire.disturbed(disturbance, nth):
                    assert call(on) == expected, (disturbance, nth)
                assert snapshot(wire.direct) == records, (disturbance, nth)

    @pytest.mark.parametrize("call", JOB_CALLS, ids=lambda call: call.id)
    def test_a_call_about_a_job_without_an_answer(self, wire: Wire, call: Call) -> None:
        self.walk(wire, store_over, call)

    @pytest.mark.parametrize("call", FLEET_CALLS, ids=lambda call: call.id)
    def test_a_call_about_the_fleet_without_an_answer(self, wire: Wire, call: Call) -> None:
        self.walk(wire, Fleet, call)

    @pytest.mark.parametrize(
        ("kind", "make", "calls", "scripts"),
        [
            (JobStore, store_over, JOB_CALLS, job_scripts.SCRIPTS),
            (Fleet, Fleet, FLEET_CALLS, records.SCRIPTS),
        ],
    )
    def test_every_method_and_every_script_has_its_case(
        self, wire: Wire, kind: type, make: Make, calls: list[Call], scripts: dict[str, str]
    ) -> None:
        methods = {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}
        assert {call.method for call in calls} == methods - READING_METHODS[kind]
        wire.direct.script_flush()
        for call in calls:
            wire.direct.flushall()
            on = make(wire.direct)
            call.before(on)
            call(on)
        digests = [sha1(text.encode()).hexdigest() for text in scripts.values()]  # noqa: S324
        is_loaded = wire.direct.script_exists(*digests)
        assert {name for name, loaded in zip(scripts, is_loaded, strict=True) if not loaded} == (
            READING_SCRIPTS & scripts.keys()
        )

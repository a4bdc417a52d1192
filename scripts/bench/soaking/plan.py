"""What goes wrong during a soak, and when: a function of the seed and of nothing else."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Generic, TypeVar

from scripts.bench.redis_proxy import Command, Disturbance, Match
from shared.fleet.records import PROCESS_KEY
from shared.jobs.queue import QUEUE_PREFIX

Card = TypeVar("Card")


class Fault(StrEnum):
    """What can go wrong at any moment. Most last for some seconds; what is killed or ended is started again by the supervisor."""

    KILL_API = "kill an API process"
    KILL_WORKER = "kill the worker"
    KILL_WORKER_CHILD = "kill a child of the worker"
    KILL_READER = "kill the reader"
    KILL_READER_CHILD = "kill the child of the reader"
    KILL_REDIS = "kill Redis"
    KILL_ALL = "kill everything at once"
    TERM_API = "end an API process"
    TERM_WORKER = "end the worker"
    TERM_READER = "end the reader"
    TERM_REDIS = "end Redis"
    FREEZE_API = "freeze an API process"
    FREEZE_WORKER = "freeze the worker"
    FREEZE_WORKER_CHILD = "freeze a child of the worker"
    FREEZE_READER = "freeze the reader"
    FREEZE_READER_CHILD = "freeze the child of the reader"
    FREEZE_REDIS = "freeze Redis"
    REDIS_FULL = "Redis is full"
    REDIS_LOADING = "kill Redis; it loads its file for seconds"
    REDIS_AWAY = "the network to Redis is away"
    REDIS_CUT = "all connections to Redis are cut"
    QUEUES_LOST = "the queues are lost"
    STORAGE_FULL = "the storage is full"
    STORAGE_AWAY = "the storage is away"
    WRITES_FAIL = "writes fail in the middle"
    RELOAD = "reload"
    ROLLBACK = "rollback"
    BAD_RELOAD = "reload of a damaged model"
    RESTART = "stop and start everything"


RELOADS = (Fault.RELOAD, Fault.ROLLBACK, Fault.BAD_RELOAD)

LASTING_FAULTS = frozenset(
    {Fault.REDIS_FULL, Fault.REDIS_AWAY, Fault.STORAGE_FULL, Fault.STORAGE_AWAY, Fault.WRITES_FAIL}
)
"""Each of these may meet every attempt at a unit of work, as long as it lasts."""

ALONE = frozenset({Fault.RESTART, Fault.KILL_ALL})
"""Beside these no other fault can show anything."""


@dataclass(frozen=True)
class Moment:
    """A chosen moment: that of a command to Redis, or one that the soak brings about itself."""

    name: str
    match: Match = ""
    """The command; nothing for a moment that is none of Redis's."""
    cause: Fault | None = None
    """What has to happen so that it comes; jobs come by themselves."""


def _on_key(prefix: str, *names: str) -> Callable[[Command], bool]:
    """Match a command of one of these names on a key that begins so."""
    return lambda command: (
        command.name in names and any(argument.startswith(prefix.encode()) for argument in command.arguments)
    )


MID_UPLOAD = Moment("half of a file is sent")

OF_JOBS = tuple(
    Moment(f"the script {name}", name)
    for name in ("create", "claim", "renew", "commit_reading", "commit", "end", "fill", "begin_webhook", "overdue")
)
OF_MESSAGES = (
    Moment("a message is published", _on_key(QUEUE_PREFIX, "LPUSH")),
    Moment("a message is taken", lambda command: command.name in ("BRPOP", "BLPOP")),
)
OF_RELOADS = (
    Moment("a candidate is proposed", "propose", Fault.RELOAD),
    Moment("a process says that it is ready", "report_prepared", Fault.RELOAD),
    Moment("a candidate is activated", "activate", Fault.RELOAD),
    Moment("a bad candidate is withdrawn", "withdraw", Fault.BAD_RELOAD),
    Moment("a process reports itself", _on_key(PROCESS_KEY, "SET")),
)
MOMENTS = (MID_UPLOAD, *OF_JOBS, *OF_MESSAGES, *OF_RELOADS)


@dataclass(frozen=True)
class Event:
    """One or more faults together, at any moment or at a chosen one."""

    number: int
    pause: float
    """Seconds before it."""
    faults: tuple[Fault, ...]
    seconds: float
    """How long what lasts does."""
    moment: Moment | None = None
    disturbance: Disturbance | None = None
    """What befalls the command of the moment; the faults follow at once."""
    nth: int = 1
    """Which of the commands that match."""
    waits: bool = True
    """Whether the service may recover before the next event."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is counted in the table."""
        disturbed = (f"{self.disturbance}: {self.moment.name}",) if self.moment and self.disturbance else ()
        return (*disturbed, *self.faults)

    @property
    def label(self) -> str:
        """One line that tells the event."""
        when = f" when {self.moment.name}" if self.moment and not self.disturbance else ""
        return " + ".join(self.kinds) + when


def plan_of(seed: int) -> Iterator[Event]:
    """Give the events of a soak, without an end; every kind of fault and moment comes within a few hundred."""
    rng = random.Random(f"plan {seed}")
    faults, moments = _Deck(tuple(Fault), rng), _Deck(MOMENTS, rng)
    for number in count(1):
        pause, seconds = rng.uniform(0.2, 2.0), rng.choice((0.5, 1.0, 2.0, 3.0, 6.0))
        waits = rng.random() < 0.8
        if rng.random() < 0.4:
            yield _chosen(number, pause, seconds, moments.draw(), rng)
            continue
        together = [faults.draw()]
        while together[0] not in ALONE and rng.random() < 0.25 and len(together) < 3:
            further = faults.draw()
            if further not in ALONE and further not in together:
                together.append(further)
        yield Event(number, pause, tuple(together), seconds, waits=waits)


def chosen_moments(seed: int) -> Iterator[Event]:
    """Give the chosen moments alone, each once, with what is worst at it; for a soak that is short."""
    rng = random.Random(f"moments {seed}")
    events = [
        *((MID_UPLOAD, None, (fault,)) for fault in (Fault.FREEZE_REDIS, Fault.KILL_API)),
        *((moment, Disturbance.LOSE, ()) for moment in (*OF_JOBS, *OF_MESSAGES, *OF_RELOADS)),
        *(
            (moment, Disturbance.LATE_COMMAND, (Fault.KILL_READER,))
            for moment in OF_JOBS
            if moment.match == "commit_reading"
        ),
        *((moment, Disturbance.CUT_AFTER, (Fault.KILL_WORKER,)) for moment in OF_JOBS if moment.match == "commit"),
        *((moment, Disturbance.TWICE, ()) for moment in OF_JOBS if moment.match in ("create", "claim")),
        (None, None, (Fault.REDIS_LOADING,)),
        (None, None, (Fault.QUEUES_LOST,)),
        (None, None, (Fault.REDIS_FULL, Fault.STORAGE_AWAY)),
    ]
    rng.shuffle(events)
    for number, (moment, disturbance, faults) in enumerate(events, 1):
        yield Event(number, rng.uniform(0.1, 0.3), faults, 1.5, moment, disturbance)


class _Deck(Generic[Card]):
    """Draws at random, but every one once before any comes again."""

    def __init__(self, cards: tuple[Card, ...], rng: random.Random) -> None:
        self._cards = cards
        self._rng = rng
        self._left: list[Card] = []

    def draw(self) -> Card:
        """Take the next one."""
        if not self._left:
            self._left = self._rng.sample(self._cards, len(self._cards))
        return self._left.pop()


def _chosen(number: int, pause: float, seconds: float, moment: Moment, rng: random.Random) -> Event:
    """Make the event of a chosen moment: its command is disturbed, or a fault comes at it, or both."""
    further: tuple[Fault, ...] = ()
    if moment is MID_UPLOAD or rng.random() < 0.5:
        further = (rng.choice([fault for fault in Fault if fault not in (*ALONE, *RELOADS)]),)
    if moment is MID_UPLOAD:
        return Event(number, pause, further, seconds, moment)
    return Event(number, pause, further, seconds, moment, rng.choice(tuple(Disturbance)), rng.choice((1, 1, 2, 3)))

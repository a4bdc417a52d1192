"""A proxy between the service and Redis that disturbs chosen commands: the n-th of a name, or of a script, and no other.

A command whose answer is lost may have been carried out. To kill or stop Redis hits that moment by luck; this always does:

    with redis_proxy(port, SCRIPTS) as proxy:
        lost = proxy.disturb("commit", Disturbance.LOSE, nth=2)
        ...
        assert lost.wait(10)

It understands just enough of the protocol to tell one command, and its answer, from the next. Connections that subscribe get
their answers unasked, so from there on theirs pass untouched.
"""

import asyncio
import hashlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HOST = "127.0.0.1"
BUFFER = 1 << 20
START_DEADLINE = 10.0

GONE = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
"""How a connection ends, or the whole proxy."""

UNASKED = {"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR"}
BY_SCRIPT = {"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO"}
FLAT = b"+-:,#(_"
SIZED = b"$=!"
AGGREGATES = {b"*"[0]: 1, b"~"[0]: 1, b">"[0]: 1, b"%"[0]: 2, b"|"[0]: 2}
"""How many values follow for each that is counted."""


class Disturbance(StrEnum):
    """What befalls a command. All but the first two leave the command carried out."""

    CUT_BEFORE = "connection cut before the command"
    LATE_COMMAND = "command carried out late"  # as by a server that stood still: perhaps after its own repetition
    LOSE = "answer lost"  # the caller waits until its time is up
    CUT_AFTER = "connection cut before the answer"
    LATE_ANSWER = "answer late"
    TWICE = "command carried out twice"  # the caller gets the second answer


@dataclass(frozen=True)
class Command:
    """A command as the client sent it."""

    name: str
    """In capitals, as `HSET`."""
    script: str
    """Name of the script that it runs, or nothing."""
    arguments: tuple[bytes, ...]

    def is_called(self, name: str) -> bool:
        """Whether it is this command, or runs the script of this name."""
        return name in (self.name, self.script)


Match = str | Callable[[Command], bool]
"""Which commands: those of a name, of a script, or any that a function accepts."""


@dataclass
class Plan:
    """One disturbance that is to happen, and whether it has."""

    match: Match
    disturbance: Disturbance
    nth: int = 1
    seconds: float = 2.0
    seen: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    """Set once the command has come, before anything befalls it."""
    done: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float) -> bool:
        """Wait until it has happened: until the server has carried the command out, unless the connection was cut before."""
        return self.done.wait(seconds)

    def fits(self, command: Command) -> bool:
        """Whether the command is one of those that are counted."""
        return command.is_called(self.match) if isinstance(self.match, str) else self.match(command)


class RedisProxy:
    """Listens on a free port while it runs, in a thread of its own. All methods may be called from any thread."""

    def __init__(self, redis_port: int, scripts: Mapping[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        """Commands that have passed, by their name, and by that of their script."""
        self.port = 0
        self._redis_port = redis_port
        self._scripts = {hashlib.sha1(text.encode()).hexdigest(): name for name, text in scripts.items()}  # noqa: S324
        self._plans: list[Plan] = []
        self._lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._end = asyncio.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    @property
    def url(self) -> str:
        """The address to give to the service, of database 0."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        assert self._listening.wait(START_DEADLINE)

    def stop(self) -> None:
        """Cut all connections and end."""
        self._call(self._end.set)
        self._thread.join()
        self._loop.close()

    def disturb(self, match: Match, disturbance: Disturbance, *, nth: int = 1, seconds: float = 2.0) -> Plan:
        """Have this happen once, to the n-th matching command from now; what is late is so by `seconds`."""
        plan = Plan(match, disturbance, nth, seconds)
        with self._lock:
            self._plans.append(plan)
        return plan

    def forget(self, plan: Plan) -> None:
        """Let a disturbance not happen any more, if it has not."""
        with self._lock, suppress(ValueError):
            self._plans.remove(plan)

    def cut(self) -> None:
        """Cut all connections; new ones may come."""
        self._call(self._cut_all)

    def hold(self) -> None:
        """Let nothing pass either way until `release`, as a network that is away; connections stay open."""
        self._call(self._open.clear)

    def release(self) -> None:
        """Let everything pass again, and what was held."""
        self._call(self._open.set)

    def plan_for(self, command: Command) -> Plan | None:
        """Count a command, and find what is to befall it."""
        self.counts.update({command.name, command.script} - {""})
        chosen = None
        with self._lock:
            for plan in [plan for plan in self._plans if plan.fits(command)]:
                plan.seen += 1
                if plan.seen == plan.nth and chosen is None:
                    chosen = plan
                    self._plans.remove(plan)
                    plan.reached.set()
        return chosen

    def plan_again(self, plan: Plan) -> None:
        """Have it happen to the next one instead: the server did not know the script, and carried nothing out."""
        plan.seen = plan.nth - 1
        plan.reached.clear()
        with self._lock:
            self._plans.append(plan)

    def script_of(self, name: str, arguments: tuple[bytes, ...]) -> str:
        """Tell the name of the script that a command runs; nothing if it runs none that is known."""
        if name not in BY_SCRIPT or not arguments:
            return ""
        digest = arguments[0].decode() if "SHA" in name else hashlib.sha1(arguments[0]).hexdigest()  # noqa: S324
        return self._scripts.get(digest, "")

    def _call(self, function: Callable[[], object]) -> None:
        """Run a function in the thread of the proxy, and wait for it."""

        async def called() -> None:
            function()

        asyncio.run_coroutine_threadsafe(called(), self._loop).result(START_DEADLINE)

    def _cut_all(self) -> None:
        for connection in list(self._connections):
            connection.cut()

    async def _serve(self) -> None:
        self._open.set()
        server = await asyncio.start_server(self._accept, HOST, 0, limit=BUFFER)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._end.wait()
        server.close()
        self._cut_all()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            redis = await asyncio.open_connection(HOST, self._redis_port, limit=BUFFER)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, self._open, (reader, writer), redis)
        self._connections.add(connection)
        try:
            # At the end of the proxy; the stream's own callback takes a cancelled task for an error.
            with suppress(asyncio.CancelledError):
                await connection.run()
        finally:
            self._connections.discard(connection)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """One connection of a client, and the one to Redis that belongs to it."""

    def __init__(self, proxy: RedisProxy, is_open: asyncio.Event, client: Streams, redis: Streams) -> None:
        self._proxy = proxy
        self._open = is_open
        self._client_reader, self._client = client
        self._redis_reader, self._redis = redis
        self._expected: deque[tuple[Plan | None, bool]] = deque()
        """For each answer that is still to come: what befalls it, and whether the client gets it."""
        self._is_unasked = False

    async def run(self) -> None:
        """Pass on what comes, until either side ends."""
        answers = asyncio.create_task(self._until_gone(self._pass_answers()))
        await self._until_gone(self._pass_commands())
        # What was sent is carried out, although nobody waits for the answer.
        with suppress(OSError):
            self._redis.write_eof()
        await answers
        self.cut()

    def cut(self) -> None:
        """Close both sides at once."""
        self._client.transport.abort()
        self._redis.transport.abort()

    async def _until_gone(self, passing: Coroutine[Any, Any, None]) -> None:
        with suppress(*GONE):
            await passing

    async def _pass_commands(self) -> None:
        while True:
            raw, parts = await read_value(self._client_reader)
            name = parts[0].decode().upper() if parts else ""
            command = Command(name, self._proxy.script_of(name, tuple(parts[1:])), tuple(parts[1:]))
            plan = self._proxy.plan_for(command)
            await self._open.wait()
            if plan is not None and plan.disturbance is Disturbance.CUT_BEFORE:
                plan.done.set()
                self.cut()
                return
            if plan is not None and plan.disturbance is Disturbance.LATE_COMMAND:
                await asyncio.sleep(plan.seconds)
            if plan is not None and plan.disturbance is Disturbance.TWICE:
                self._expected.append((None, False))
                self._redis.write(raw)
            self._is_unasked = self._is_unasked or name in UNASKED
            if not self._is_unasked:
                self._expected.append((plan, True))
            self._redis.write(raw)
            await self._redis.drain()

    async def _pass_answers(self) -> None:
        try:
            while True:
                raw, _ = await read_value(self._redis_reader)
                await self._open.wait()
                if self._is_unasked or raw[:1] == b">":
                    self._client.write(raw)
                    continue
                plan, is_wanted = self._expected.popleft()
                if is_wanted:
                    await self._pass_answer(raw, plan)
        finally:
            self._client.transport.abort()

    async def _pass_answer(self, raw: bytes, plan: Plan | None) -> None:
        if plan is not None and raw.startswith(b"-NOSCRIPT"):
            self._proxy.plan_again(plan)
            plan = None
        if plan is not None:
            plan.done.set()
            if plan.disturbance is Disturbance.LOSE:
                return
            if plan.disturbance is Disturbance.CUT_AFTER:
                self.cut()
                return
            if plan.disturbance is Disturbance.LATE_ANSWER:
                await asyncio.sleep(plan.seconds)
        self._client.write(raw)
        await self._client.drain()


async def read_value(reader: asyncio.StreamReader) -> tuple[bytes, list[bytes]]:
    """Read one value of the protocol, of either version; give its bytes, and the strings in it. Raises IncompleteReadError."""
    raw, strings = bytearray(), []
    missing = 1
    while missing:
        missing -= 1
        line = await reader.readuntil(b"\r\n")
        raw += line
        kind, head = line[0], line[1:-2]
        if kind in AGGREGATES:
            missing += max(int(head), 0) * AGGREGATES[kind]
            # An attribute stands before the value that it says something of.
            missing += kind == b"|"[0]
        elif kind in SIZED and int(head) >= 0:
            text = await reader.readexactly(int(head) + 2)
            raw += text
            strings.append(text[:-2])
        elif kind not in FLAT and kind not in SIZED:
            raise ConnectionError("this is not the protocol of Redis")
    return bytes(raw), strings


@contextmanager
def redis_proxy(redis_port: int, scripts: Mapping[str, str]) -> Iterator[RedisProxy]:
    """Run a proxy before the Redis on this port of this machine; `scripts` are the texts of those to be known by name."""
    proxy = RedisProxy(redis_port, scripts)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()

"""The quotas of callers: requests per second, and rows per day.

Redis holds the accounts. A process takes requests from there for a tenth of a second in advance, so that most requests need no
call; what it has counted itself it reports with the next one. While Redis does not answer, callers are let in without counting.
"""

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial

from anyio import CapacityLimiter, to_thread
from starlette.types import Message, Send

from api.access.callers import Caller
from api.access.rules import SAFE, WRITES
from shared.errors import InputTooLarge, QuotaExceeded, RedisUnavailable
from shared.keys import Limits
from shared.usage import DAY, Taken, Usage, seconds_of_day_left

IN_ADVANCE = 0.1
"""Seconds for which requests are taken at a time."""
FRESH = 1.0
"""Seconds after which what is known of the account is asked again."""
PATIENCE = 0.1
"""Seconds that a request waits for the account; then it is let in, and so are all until Redis has answered."""
CALLS_AT_ONCE = 4

OF_ONE = frozenset({"/individual_score", "/what_if"})
"""Paths where a request is about one applicant, and counts as one row."""


@dataclass
class Meter:
    """What this process knows of the account of one caller."""

    requests: int = 0
    """Taken and not used yet."""
    requests_left: int = 0
    rows_used: int = 0
    rows_unreported: int = 0
    asked_at: float = float("-inf")
    empty_until: float = float("-inf")
    """When there will be another request to take, by the monotonic clock."""
    is_blind: bool = False
    """Whether Redis did not answer in time."""
    asking: "asyncio.Task[None] | None" = field(default=None, repr=False)


class Quotas:
    """Counts what callers with limits send. Used by the event loop alone."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._meters: dict[str, Meter] = {}
        self._limiter = CapacityLimiter(CALLS_AT_ONCE)

    async def admit(self, caller: Caller, limits: Limits, method: str, path: str) -> None:
        """Count a request, and the row of a lone applicant; raises QuotaExceeded."""
        meter = self._meters.setdefault(caller.name, Meter())
        await self._take_request(meter, caller.name, limits)
        if method in SAFE or path not in WRITES:
            return
        if limits.rows is not None and not self.rows_left(caller):
            raise QuotaExceeded("rows-exceeded", limit=limits.rows, seconds=seconds_of_day_left())
        meter.rows_unreported += path in OF_ONE

    def count_rows(self, caller: Caller, rows: int) -> None:
        """Count rows that are scored without a job; those of jobs are counted with their records.

        Raises InputTooLarge if they are more than the caller may still have scored today.
        """
        left = self.rows_left(caller)
        if left is not None and rows > left:
            raise InputTooLarge("rows-left-exceeded", limit=left)
        if caller.limits is not None:
            self._meters.setdefault(caller.name, Meter()).rows_unreported += rows

    def rows_left(self, caller: Caller) -> int | None:
        """Return the rows that the caller may still have scored today; None without a limit."""
        if caller.limits is None or caller.limits.rows is None:
            return None
        meter = self._meters.get(caller.name, Meter())
        return max(0, caller.limits.rows - meter.rows_used - meter.rows_unreported)

    def told(self, caller: Caller, limits: Limits, send: Send) -> Send:
        """Add the fields RateLimit-Policy and RateLimit to a response (draft-ietf-httpapi-ratelimit-headers-10)."""

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._fields(caller, limits)]
            await send(message)

        return send_told

    async def _take_request(self, meter: Meter, name: str, limits: Limits) -> None:
        while _is_due(meter, limits):
            if limits.requests is not None and time.monotonic() < meter.empty_until:
                raise QuotaExceeded("requests-exceeded", limit=limits.requests, seconds=1)
            await self._ask(meter, name, limits)
        meter.requests -= not meter.is_blind

    async def _ask(self, meter: Meter, name: str, limits: Limits) -> None:
        """Wait for an answer about the account, but not for long; all who wait, wait for the same one."""
        asking = meter.asking = meter.asking or asyncio.create_task(self._refresh(meter, name, limits))
        await asyncio.wait({asking}, timeout=0 if meter.is_blind else PATIENCE)
        if not asking.done():
            meter.is_blind, meter.asked_at = True, time.monotonic()

    async def _refresh(self, meter: Meter, name: str, limits: Limits) -> None:
        rate = limits.requests or 0
        rows, meter.rows_unreported = meter.rows_unreported, 0
        take = partial(self._usage.take, name, rate, max(1, int(rate * IN_ADVANCE)), rows)
        try:
            taken: Taken = await to_thread.run_sync(take, limiter=self._limiter)
        except RedisUnavailable:
            meter.rows_unreported += rows
            meter.is_blind = True
        else:
            meter.requests, meter.requests_left, meter.rows_used = taken.requests, taken.requests_left, taken.rows_used
            meter.is_blind = False
            if rate and not taken.requests:
                meter.empty_until = time.monotonic() + 1 / rate
        finally:
            meter.asked_at = time.monotonic()
            meter.asking = None

    def _fields(self, caller: Caller, limits: Limits) -> list[tuple[bytes, bytes]]:
        meter = self._meters.get(caller.name, Meter())
        policies, states = [], []
        if limits.requests is not None:
            policies.append(f'"requests";q={limits.requests};w=1')
            states.append(f'"requests";r={meter.requests + meter.requests_left};t=1')
        if limits.rows is not None:
            policies.append(f'"rows";q={limits.rows};w={DAY}')
            states.append(f'"rows";r={self.rows_left(caller)};t={seconds_of_day_left()}')
        return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(states).encode())]


def _is_due(meter: Meter, limits: Limits) -> bool:
    """Whether the account must be asked before a request is let in."""
    if time.monotonic() - meter.asked_at > FRESH:
        return True
    return limits.requests is not None and meter.requests < 1 and not meter.is_blind

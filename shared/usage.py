"""What callers use up, counted in Redis for all processes: requests of the moment, and rows of the day (UTC)."""

import time
from dataclasses import dataclass

import redis

from shared.redis import KEY_PREFIX, translated_errors

REQUESTS_KEY = f"{KEY_PREFIX}usage:requests:"
ROWS_KEY = f"{KEY_PREFIX}usage:rows:"
DAY = 24 * 3600

# A bucket that holds as many requests as a second allows, and fills up at that rate.
_TAKE = """
local bucket, rate, wanted, rows = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local counter = KEYS[2] .. ARGV[1] .. ':' .. math.floor(now / 86400)
if rows > 0 then
    redis.call('INCRBY', counter, rows)
    redis.call('EXPIRE', counter, 172800)
end
local used = tonumber(redis.call('GET', counter) or 0)
if rate == 0 then return {0, 0, used} end
local facts = redis.call('HMGET', bucket, 'level', 'at')
local level = math.min(rate, tonumber(facts[1] or rate) + (now - tonumber(facts[2] or now)) * rate)
local granted = math.min(wanted, math.floor(level))
redis.call('HSET', bucket, 'level', string.format('%.6f', level - granted), 'at', string.format('%.6f', now))
redis.call('EXPIRE', bucket, 10)
return {granted, math.floor(level - granted), used}
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken from the account of a caller."""

    requests: int
    """Granted, which may be fewer than were wanted."""
    requests_left: int
    rows_used: int
    """Of this day, with those of jobs."""


class Usage:
    """The accounts of all callers. A call that is sent again counts again: so a lost answer costs a caller a few requests."""

    def __init__(self, client: "redis.Redis") -> None:
        self._take = client.register_script(_TAKE)

    def take(self, caller: str, rate: int, wanted: int, rows: int) -> Taken:
        """Take requests of a caller who has `rate` a second (0: no limit), and count rows; raises RedisUnavailable."""
        with translated_errors():
            return Taken(*self._take(keys=[f"{REQUESTS_KEY}{caller}", ROWS_KEY], args=[caller, rate, wanted, rows]))


def seconds_of_day_left() -> int:
    """Return the seconds until the count of rows begins anew, at least one."""
    return DAY - int(time.time()) % DAY

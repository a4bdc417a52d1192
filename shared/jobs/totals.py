"""How many jobs there are, and how many have ever ended, as the scripts of the store count them."""

from dataclasses import dataclass
from typing import Any

import redis

from shared.jobs.job import JobState
from shared.jobs.job_keys import GIVEN_UP, TOTALS_KEY, list_of
from shared.jobs.job_scripts import JOB_SECONDS
from shared.redis import translated_errors

BOUNDS = (*map(str, JOB_SECONDS), "+Inf")


@dataclass(frozen=True)
class Ended:
    """The jobs that have ended in one state since the records began."""

    durations: list[tuple[str, int]]
    """Their number by the upper bound of their duration in seconds, each without those before it."""
    seconds: float
    """From submission to end, of all together."""


class Totals:
    """Reads the counts; each method raises RedisUnavailable."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def by_state(self) -> dict[JobState, int]:
        """Count the jobs that there are."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for state in JobState:
                pipe.zcard(list_of(state, None))
            return dict(zip(JobState, pipe.execute(), strict=True))

    def given_up(self) -> int:
        """Count the units that ran out of attempts."""
        with translated_errors():
            found: Any = self._redis.hget(TOTALS_KEY, GIVEN_UP)
        return int(found or 0)

    def ended(self) -> dict[JobState, Ended]:
        """Count the jobs that have ended, removed ones too; one that was retried has ended several times."""
        with translated_errors():
            found: Any = self._redis.hgetall(TOTALS_KEY)
        return {
            state: Ended(
                [(bound, int(found.get(f"{state}:{bound}", 0))) for bound in BOUNDS],
                float(found.get(f"{state}:seconds", 0)),
            )
            for state in JobState
            if state.is_final
        }

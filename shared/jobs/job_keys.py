"""The keys of Redis under which jobs are recorded and listed."""

from shared.redis import KEY_PREFIX
from shared.usage import ROWS_KEY

JOB_KEY = f"{KEY_PREFIX}job:"
OPEN_KEY = f"{KEY_PREFIX}jobs:open"
ENDED_KEY = f"{KEY_PREFIX}jobs:ended"
STATE_KEY = f"{KEY_PREFIX}jobs:state:"
OWNER_KEY = f"{KEY_PREFIX}jobs:owner:"
WEBHOOKS_KEY = f"{KEY_PREFIX}jobs:webhooks"
TURN_KEY = f"{KEY_PREFIX}jobs:removal"
TOTALS_KEY = f"{KEY_PREFIX}jobs:totals"
"""Counts of the jobs that have ended, for the metrics: by state and by duration, `<state>:<upper bound in seconds>`."""

GIVEN_UP = "given-up"
"""Beside them, the units that ran out of attempts (`_CLAIM`)."""

IDEMPOTENCY_KEY = f"{KEY_PREFIX}submission:"
ANSWER_KEY = f"{KEY_PREFIX}answer:"


def keys_of(job_id: str, call: str) -> list[str]:
    """Return the keys that every script receives; `call` names the call, and is the same when it is sent again."""
    record = f"{JOB_KEY}{job_id}"
    own = [record, *(f"{record}:{part}" for part in ("due", "leases", "attempts", "report"))]
    lists = [OPEN_KEY, ENDED_KEY, STATE_KEY, WEBHOOKS_KEY, IDEMPOTENCY_KEY, JOB_KEY]
    return [*own, *lists, f"{ANSWER_KEY}{call}", OWNER_KEY, ROWS_KEY, TOTALS_KEY]


def list_of(state: str, owner: str | None) -> str:
    """Return the key of the jobs in a state (`any`: all) by the time of their creation: of one owner, or of all if None."""
    return f"{STATE_KEY}{state}" if owner is None else f"{OWNER_KEY}{owner}:{state}"

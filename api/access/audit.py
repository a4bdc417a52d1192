"""The audit: one line of JSON in the log for each change and each request that was not let in, and the same in Redis.

Nobody waits for Redis: entries wait in this process until they are recorded, the oldest of too many go.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from api.access.callers import Caller, Callers
from shared.audit import AuditLog, Entry, Kind
from shared.errors import PretError, RedisUnavailable
from shared.logging import request_id

logger = logging.getLogger("audit")

WAITING = 1000
"""Entries of each kind that wait while Redis is away."""

DONE = "done"
PLACES = frozenset(
    {
        *("/individual_score", "/multiple_score", "/jobs", "/reload_model", "/rollback_model", "/audit", "/caller"),
        *("/model_status", "/model_signature", "/model_info", "/model_card", "/model_versions", "/capabilities"),
        *("/what_if", "/model_importance"),
    }
)
BELOW_JOBS = "/jobs/"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass
class Change:
    """A change that is being made; `about` is the version or the job that it is of."""

    about: str | None = None


class Audit:
    """Takes the entries of one process."""

    def __init__(self, log: AuditLog) -> None:
        self.log = log
        self._waiting: dict[Kind, deque[Entry]] = {kind: deque(maxlen=WAITING) for kind in Kind}
        self._known: Callers | None = None

    @contextmanager
    def change(self, caller: Caller, what: str, about: str | None = None) -> Iterator[Change]:
        """Note a change once the block ends, with what came of it."""
        change = Change(about)
        try:
            yield change
        except PretError as error:
            self._note(Kind.CHANGES, caller.name, what, change.about, error.reason.type)
            raise
        self._note(Kind.CHANGES, caller.name, what, change.about, DONE)

    def denied(self, who: str, method: str, path: str, outcome: str) -> None:
        """Note a request that was not let in. Of its path only what is ours is kept: the rest may be anything."""
        place = path if path in PLACES else "/jobs/{id}" if path.startswith(BELOW_JOBS) else "elsewhere"
        self._note(Kind.DENIALS, who, f"{method if method in METHODS else 'other'} {place}", None, outcome)

    def look(self, callers: Callers) -> None:
        """Note changes of the keys, in one of all processes, and record what waits."""
        with suppress(RedisUnavailable):
            if callers is not self._known:
                self._note_keys(callers)
                self._known = callers
            self.flush()

    def flush(self) -> None:
        """Record what waits; raises RedisUnavailable, and it waits on."""
        for kind, waiting in self._waiting.items():
            taken = [waiting.popleft() for _ in range(len(waiting))]
            try:
                if taken:
                    self.log.add(kind, taken)
            except RedisUnavailable:
                waiting.extendleft(reversed(taken))
                raise

    def _note_keys(self, callers: Callers) -> None:
        now = callers.fingerprints()
        before = self.log.replace_keys(now)
        for name in sorted(before.keys() | now.keys()):
            if name not in now or before.get(name) != now[name]:
                what = "key removed" if name not in now else "key changed" if name in before else "key added"
                self._note(Kind.CHANGES, "operator", what, name, DONE)

    def _note(self, kind: Kind, who: str, what: str, about: str | None, outcome: str) -> None:
        entry: dict[str, Any] = {"at": round(time.time(), 3), "who": who, "what": what, "about": about}
        entry |= {"outcome": outcome, "request_id": request_id.get() or None}
        logger.info(json.dumps(entry))
        self._waiting[kind].append(entry)

"""The record of who changed what, and of who was not let in, bounded, in Redis."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from heapq import merge
from itertools import islice
from typing import Any

import redis

from shared.redis import KEY_PREFIX, translated_errors

AUDIT_KEY = f"{KEY_PREFIX}audit:"
KEYS_KEY = f"{KEY_PREFIX}audit-of-keys"
"""Each caller and what is known of its keys, as it was when a process last looked."""

KEPT = 10_000
"""Entries of each kind."""

Entry = Mapping[str, Any]
"""What JSON can hold; `at` in seconds since the epoch."""


class Kind(StrEnum):
    """The kinds have lists of their own, so that a flood of the one drives out nothing of the other."""

    CHANGES = "changes"
    DENIALS = "denials"


class AuditLog:
    """The entries of all processes. Every method raises RedisUnavailable if Redis is unavailable."""

    def __init__(self, client: "redis.Redis") -> None:
        self._redis = client

    def add(self, kind: Kind, entries: Sequence[Entry]) -> None:
        """Add entries, the latest last; the oldest go."""
        with translated_errors(), self._redis.pipeline() as pipe:
            pipe.lpush(f"{AUDIT_KEY}{kind}", *map(json.dumps, entries))
            pipe.ltrim(f"{AUDIT_KEY}{kind}", 0, KEPT - 1)
            pipe.execute()

    def page(self, kinds: Sequence[Kind], offset: int, limit: int) -> tuple[list[Entry], int]:
        """Read some of the entries of these kinds, newest first, and count all of them."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for kind in kinds:
                pipe.lrange(f"{AUDIT_KEY}{kind}", 0, offset + limit - 1)
                pipe.llen(f"{AUDIT_KEY}{kind}")
            (*found,) = pipe.execute()
        lists = [map(json.loads, texts) for texts in found[::2]]
        newest_first = merge(*lists, key=lambda entry: entry["at"], reverse=True)
        return list(islice(newest_first, offset, offset + limit)), sum(found[1::2])

    def replace_keys(self, fingerprints: Mapping[str, str]) -> Mapping[str, str]:
        """Record the callers that are known now; return those that were before, to one process alone."""
        text: Any
        with translated_errors():
            text = self._redis.set(KEYS_KEY, json.dumps(fingerprints, sort_keys=True), get=True)
        before: Mapping[str, str] = json.loads(text) if text else {}
        return before

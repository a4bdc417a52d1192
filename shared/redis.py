"""Connections to Redis, and the translation of their failures."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from shared.errors import RedisDenied, RedisUnavailable

KEY_PREFIX = "pret:"
"""Before every key that the service writes; the queue's own keys come below `pret:queue:`."""

CONNECT_TIMEOUT = 0.7
ANSWER_TIMEOUT = 0.7
"""Seconds; two tries of both stay below the 2 s in which a caller must learn that Redis is away."""

DENIALS = (redis.AuthenticationError, redis.exceptions.AuthorizationError, redis.exceptions.NoPermissionError)
"""What no waiting mends: a wrong password, or a user that lacks a right."""

REJECTION_ERRORS = (redis.exceptions.OutOfMemoryError, redis.ReadOnlyError, redis.exceptions.ClusterDownError)
REJECTIONS = ("MISCONF", "OOM", "READONLY", "LOADING", "NOREPLICAS", "CLUSTERDOWN")
"""How the answer of a server begins that is there but cannot write: disk or memory full, a replica, still loading."""


def connect(url: str, *, patient: bool = False) -> redis.Redis:
    """Make a client that retries once, at once (a pooled connection may be stale), or for some 10 s if `patient`.

    A patient one also waits for a server that is there but cannot write, such as a full one.
    """
    retry = Retry(ExponentialBackoff(cap=2, base=0.1), 8) if patient else Retry(NoBackoff(), 1)
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=ANSWER_TIMEOUT,
        socket_keepalive=True,
        retry=retry,
        retry_on_error=[redis.ConnectionError, redis.TimeoutError, *(REJECTION_ERRORS if patient else ())],
    )


def ping(url: str) -> bool:
    """See that the server does its work; raises RedisUnavailable, or RedisDenied for what no waiting mends."""
    with translated_errors(), connect(url) as client:
        client.ping()
        facts: Any = client.info("cluster")
        if facts.get("cluster_enabled"):
            # The records of a job would lie on several servers, where no script can change them together.
            raise RedisDenied("redis-cluster")
    return True


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise RedisUnavailable for whatever keeps Redis from doing its work: away, too slow, loading, full, read-only, locked."""
    try:
        yield
    except DENIALS as error:
        raise RedisDenied from error
    except (redis.ConnectionError, redis.TimeoutError, redis.InvalidResponse) as error:
        raise RedisUnavailable from error
    except redis.ResponseError as error:
        # The client takes the code off the answers that it has a class for.
        if isinstance(error, REJECTION_ERRORS) or str(error).startswith(REJECTIONS):
            raise RedisUnavailable from error
        raise

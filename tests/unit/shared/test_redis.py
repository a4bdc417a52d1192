"""Whatever keeps Redis from doing its work is one error, told within two seconds."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis
from redis._parsers.base import BaseParser

from shared.errors import RedisDenied, RedisUnavailable
from shared.redis import connect, translated_errors

parsed: Any = BaseParser.parse_error
"""What the client makes of an error that the server answers."""


@pytest.mark.parametrize(
    "answer",
    [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "LOADING Valkey is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "NOREPLICAS Not enough good replicas to write.",
        "CLUSTERDOWN The cluster is down",
    ],
)
def test_a_server_that_cannot_serve_is_unavailable(answer: str) -> None:
    error = parsed(answer)
    with pytest.raises(RedisUnavailable) as caught, translated_errors():
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.reason.type == "redis-unavailable"


@pytest.mark.parametrize(
    "answer",
    [
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "ERR AUTH <password> called without any password configured for the default user. "
        "Are you sure your configuration is correct?",
        "NOPERM this user has no permissions to run the 'mget' command",
    ],
)
def test_a_server_that_does_not_let_one_in_is_told_from_one_that_is_away(answer: str) -> None:
    error = parsed(answer)
    with pytest.raises(RedisDenied) as caught, translated_errors():
        raise error
    assert caught.value.__cause__ is error
    assert caught.value.reason.type == "redis-access-denied"


@pytest.mark.parametrize(
    "error", [redis.ConnectionError("closed"), redis.TimeoutError("too slow"), redis.InvalidResponse("HTTP/1.1 400")]
)
def test_a_server_that_does_not_answer_is_unavailable(error: redis.RedisError) -> None:
    with pytest.raises(RedisUnavailable), translated_errors():
        raise error


@pytest.mark.parametrize("answer", ["ERR unknown command", "WRONGTYPE Operation against a key of another kind"])
def test_our_own_mistakes_are_not_hidden(answer: str) -> None:
    with pytest.raises(redis.ResponseError), translated_errors():
        raise parsed(answer)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_silent_server_is_given_up_within_two_seconds(silent_port: int) -> None:
    client = connect(f"redis://127.0.0.1:{silent_port}/0")
    start = time.monotonic()
    with pytest.raises(RedisUnavailable), translated_errors():
        client.get("key")
    assert time.monotonic() - start < 2
    client.close()

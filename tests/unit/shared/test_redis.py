"""Whatever keeps Redis from doing its work is one error, told within two seconds."""

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import redis
from redis._parsers.base import BaseParser

from shared.errors import RedisDenied, RedisUnavailable
from shared.redis import connect, translated_errors
from tests.patience import within

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


OK, GREETING = b"+OK\r\n", b"%1\r\n$5\r\nproto\r\n:3\r\n"


@contextmanager
def answering(*answers: bytes) -> Iterator[str]:
    """The URL of a server that answers GET with these in turn, and all else with OK."""
    left = list(answers)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while received := self.request.recv(65536):
                for command in re.split(rb"(?<=\r\n)(?=\*\d)", received):
                    self.request.sendall(left.pop(0) if b"GET" in command else GREETING if b"HELLO" in command else OK)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        server.shutdown()
        thread.join()


FULL, READ_ONLY = b"-OOM command not allowed\r\n", b"-READONLY You can't write\r\n"


def test_a_patient_client_waits_for_a_server_that_cannot_write_for_a_while() -> None:
    with answering(FULL, READ_ONLY, b"+value\r\n") as url, connect(url, patient=True) as client:
        assert client.get("key") == "value"


def test_another_one_does_not() -> None:
    full = answering(FULL, b"+value\r\n")
    with full as url, connect(url) as client, pytest.raises(RedisUnavailable), translated_errors():
        client.get("key")


def test_a_silent_server_is_given_up_within_two_seconds(silent_port: int) -> None:
    def ask() -> None:
        with (
            pytest.raises(RedisUnavailable),
            translated_errors(),
            connect(f"redis://127.0.0.1:{silent_port}/0") as client,
        ):
            client.get("key")

    within(2, ask)

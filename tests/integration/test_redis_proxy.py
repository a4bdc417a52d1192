"""The proxy before Redis: it passes everything on, and disturbs what it was told to and nothing else."""

import time
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.bench.redis_proxy import Disturbance, RedisProxy, redis_proxy
from tests.processes import RedisServer, wait_for

PATIENCE = 0.5
"""Seconds until the client gives up; it asks once."""

COUNT = "return redis.call('INCR', KEYS[1])"
SCRIPTS = {"count": COUNT, "nothing": "return 0"}
HAPPENED = 10.0


@pytest.fixture
def direct(server: RedisServer) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        client.flushall()
        client.script_flush()
        yield client


@pytest.fixture
def proxy(server: RedisServer, direct: "redis.Redis") -> Iterator[RedisProxy]:
    with redis_proxy(server.port, SCRIPTS) as running:
        yield running


@pytest.fixture(params=[2, 3])
def client(proxy: RedisProxy, request: pytest.FixtureRequest) -> Iterator["redis.Redis"]:
    """One that sees what befalls each command, in either version of the protocol."""
    with redis.Redis.from_url(
        proxy.url, decode_responses=True, protocol=request.param, socket_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
    ) as made:
        yield made


@pytest.fixture(params=[2, 3])
def patient(proxy: RedisProxy, request: pytest.FixtureRequest) -> Iterator["redis.Redis"]:
    """One that waits for its answers as long as a busy machine needs."""
    with redis.Redis.from_url(
        proxy.url, decode_responses=True, protocol=request.param, retry=Retry(NoBackoff(), 0)
    ) as made:
        yield made


def test_whatever_is_not_to_be_disturbed_passes(patient: "redis.Redis", direct: "redis.Redis") -> None:
    large = "é" * 3_000_000
    assert patient.set("large", large)
    assert patient.get("large") == large
    assert patient.get("missing") is None
    assert patient.hset("hash", mapping={"a": 1, "b": "\r\n$3\r\n"}) == 2
    assert patient.hgetall("hash") == {"a": "1", "b": "\r\n$3\r\n"}
    assert patient.zadd("sorted", {"x": 1.5}) == 1
    assert [tuple(pair) for pair in patient.zrange("sorted", 0, -1, withscores=True)] == [("x", 1.5)]
    assert patient.blpop(["empty"], timeout=0.1) is None
    assert patient.brpop([f"empty{i}" for i in range(3)], timeout=0.1) is None
    assert patient.info("server")["tcp_port"] == direct.info("server")["tcp_port"]
    with patient.pipeline(transaction=True) as pipe:
        pipe.incr("n")
        pipe.lrange("empty", 0, -1)
        pipe.get("n")
        assert pipe.execute() == [1, [], "1"]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        patient.incr("hash")


def test_messages_to_subscribers_pass(client: "redis.Redis", proxy: RedisProxy) -> None:
    with client.pubsub(ignore_subscribe_messages=True) as listener:  # type: ignore[no-untyped-call]
        listener.subscribe("news")
        listener.psubscribe("new*")
        listener.ping()
        wait_for("the subscriptions", lambda: client.publish("news", "first") == 2)

        def heard() -> list[str]:
            message = listener.get_message(timeout=1)
            return [message["data"]] if message and message["type"] in ("message", "pmessage") else []

        assert wait_for("a message", heard) == ["first"]
        assert wait_for("the same for the pattern", heard) == ["first"]
    assert proxy.counts["PUBLISH"] >= 1


@pytest.mark.parametrize(
    ("disturbance", "error", "carried_out"),
    [
        (Disturbance.CUT_BEFORE, redis.ConnectionError, 0),
        (Disturbance.LATE_COMMAND, redis.TimeoutError, 1),
        (Disturbance.LOSE, redis.TimeoutError, 1),
        (Disturbance.CUT_AFTER, redis.ConnectionError, 1),
        (Disturbance.LATE_ANSWER, redis.TimeoutError, 1),
    ],
)
def test_the_second_alone_is_disturbed(
    disturbance: Disturbance,
    error: type[Exception],
    carried_out: int,
    client: "redis.Redis",
    direct: "redis.Redis",
    proxy: RedisProxy,
) -> None:
    planned = proxy.disturb("INCRBY", disturbance, nth=2, seconds=2 * PATIENCE)
    assert client.incr("n") == 1
    assert not planned.done.is_set()
    with pytest.raises(error):
        client.incr("n")
    assert planned.wait(HAPPENED)
    assert direct.get("n") == str(1 + carried_out)
    assert client.incr("n") == 2 + carried_out
    assert proxy.counts["INCRBY"] == 3


def test_a_late_command_comes_after_its_repetition(
    client: "redis.Redis", direct: "redis.Redis", proxy: RedisProxy
) -> None:
    planned = proxy.disturb("RPUSH", Disturbance.LATE_COMMAND, seconds=2 * PATIENCE)
    with pytest.raises(redis.TimeoutError):
        client.rpush("order", "first")
    client.rpush("order", "repeated")
    assert planned.wait(HAPPENED)
    assert direct.lrange("order", 0, -1) == ["repeated", "first"]


def test_a_late_answer_comes_to_who_waits(patient: "redis.Redis", proxy: RedisProxy) -> None:
    proxy.disturb("INCRBY", Disturbance.LATE_ANSWER, seconds=0.3)
    began = time.monotonic()
    assert patient.incr("n") == 1
    assert time.monotonic() - began >= 0.3


def test_what_is_carried_out_twice_gives_the_second_answer(client: "redis.Redis", proxy: RedisProxy) -> None:
    planned = proxy.disturb("INCRBY", Disturbance.TWICE)
    assert client.incr("n") == 2
    assert planned.done.is_set()
    assert client.incr("n") == 3


@pytest.mark.parametrize("disturbance", [Disturbance.LOSE, Disturbance.TWICE])
def test_a_script_is_known_by_its_name_and_counts_once_it_is_known_to_the_server(
    disturbance: Disturbance, client: "redis.Redis", direct: "redis.Redis", proxy: RedisProxy
) -> None:
    planned = proxy.disturb("count", disturbance)
    count, nothing = client.register_script(COUNT), client.register_script(SCRIPTS["nothing"])
    assert nothing() == 0
    if disturbance is Disturbance.LOSE:
        with pytest.raises(redis.TimeoutError):
            count(keys=["n"])
        assert planned.wait(HAPPENED)
        assert direct.get("n") == "1"
    else:
        assert count(keys=["n"]) == 2
    assert client.eval(COUNT, 1, "m") == 1
    assert proxy.counts["count"] == 3


def test_a_function_may_choose(client: "redis.Redis", proxy: RedisProxy) -> None:
    planned = proxy.disturb(lambda command: b"chosen" in command.arguments, Disturbance.CUT_AFTER)
    assert client.set("other", 1)
    with pytest.raises(redis.ConnectionError):
        client.set("chosen", 1)
    assert planned.wait(HAPPENED)


def test_what_was_planned_can_be_forgotten(client: "redis.Redis", proxy: RedisProxy) -> None:
    planned = proxy.disturb("INCRBY", Disturbance.CUT_BEFORE)
    proxy.forget(planned)
    proxy.forget(planned)
    assert client.incr("n") == 1
    assert not planned.done.is_set()


def test_a_network_that_is_away_comes_back(client: "redis.Redis", direct: "redis.Redis", proxy: RedisProxy) -> None:
    client.set("n", 0)
    proxy.hold()
    with pytest.raises(redis.TimeoutError):
        client.incr("n")
    assert direct.get("n") == "0"
    proxy.release()
    wait_for("the command that was held", lambda: direct.get("n") == "1")
    assert client.incr("n") == 2


def test_connections_that_are_cut_are_made_again(client: "redis.Redis", proxy: RedisProxy) -> None:
    assert client.incr("n") == 1
    proxy.cut()
    wait_for("another connection", lambda: client.incr("n") >= 2)


def test_it_outlives_the_server(client: "redis.Redis", proxy: RedisProxy, server: RedisServer) -> None:
    client.set("kept", "yes")
    server.kill()
    try:
        with pytest.raises(redis.ConnectionError):
            client.get("kept")
    finally:
        server.start()
    assert wait_for("the server", lambda: client.get("kept")) == "yes"


def test_the_commands_of_a_connection_stay_in_order(patient: "redis.Redis", proxy: RedisProxy) -> None:
    with patient.pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.rpush("list", number)
        assert pipe.execute() == list(range(1, 501))


def test_it_ends_while_something_is_held(server: RedisServer) -> None:
    with redis_proxy(server.port, SCRIPTS) as proxy:
        client = redis.Redis.from_url(proxy.url, socket_timeout=0.1, retry=Retry(NoBackoff(), 0))
        with client:
            client.ping()
            proxy.hold()
            with pytest.raises(redis.TimeoutError):
                client.ping()

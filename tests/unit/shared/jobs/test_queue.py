"""A message holds ids only, and is a hint: it may be lost, or come twice, without harm."""

import json
import logging
import socket
import time
from contextlib import closing
from pathlib import Path

import fakeredis
import pytest

from shared.errors import RedisUnavailable
from shared.jobs.queue import CHUNK_QUEUE, QUEUE_PREFIX, ChunkQueue, create_app
from tests.unit.workbench import Workbench, settings_in

JOB, OTHER = "a" * 32, "b" * 32


def unused_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def cut_off(tmp_path: Path, redis_client: fakeredis.FakeRedis) -> ChunkQueue:
    """A queue whose broker does not answer."""
    settings = settings_in(tmp_path, redis_url=f"redis://127.0.0.1:{unused_port()}/0")
    return ChunkQueue(create_app(settings), redis_client)


def test_a_message_holds_the_job_and_the_number_of_the_chunk(bench: Workbench) -> None:
    bench.parts.queue.publish([(JOB, 0), (JOB, 12)])
    messages = bench.take_messages()
    assert [message["args"] for message in messages] == [[JOB, 0], [JOB, 12]]
    assert [message["headers"]["task"] for message in messages] == ["score_chunk"] * 2


def test_a_chunk_published_twice_has_two_messages(bench: Workbench) -> None:
    bench.parts.queue.publish([(JOB, 0)])
    bench.parts.queue.publish([(JOB, 0)])
    first, second = bench.take_messages()
    assert first["args"] == second["args"]
    assert first["headers"]["id"] != second["headers"]["id"]


def test_what_waits_is_read_from_the_messages_themselves(bench: Workbench) -> None:
    assert (bench.parts.queue.waiting(), bench.parts.queue.length()) == (set(), 0)
    bench.parts.queue.publish([(JOB, 0), (OTHER, 7), (OTHER, 7)])
    bench.let_messages_wait()
    assert bench.parts.queue.waiting() == {(JOB, 0), (OTHER, 7)}
    assert bench.parts.queue.length() == 3


@pytest.mark.parametrize(
    "message", ["{}", "no json", '{"headers": {"id": "f81d4fae-7dec-11d0"}}', '{"headers": {"id": null}}']
)
def test_a_message_that_is_not_ours_is_passed_over(bench: Workbench, message: str) -> None:
    bench.parts.queue.publish([(JOB, 0)])
    bench.let_messages_wait()
    bench.client.lpush(f"{QUEUE_PREFIX}{CHUNK_QUEUE}", message)
    assert bench.parts.queue.waiting() == {(JOB, 0)}


def test_a_broker_that_is_away_delays_a_publisher_for_less_than_two_seconds_and_raises_nothing(
    cut_off: ChunkQueue, caplog: pytest.LogCaptureFixture
) -> None:
    start = time.monotonic()
    with caplog.at_level(logging.WARNING, "shared.jobs.queue"):
        cut_off.publish([(JOB, 0), (JOB, 1)])
    assert time.monotonic() - start < 2
    assert f"2 chunk(s) of job {JOB} could not be published yet" in caplog.text


def test_nothing_to_publish_needs_no_broker(cut_off: ChunkQueue, caplog: pytest.LogCaptureFixture) -> None:
    cut_off.publish([])
    assert caplog.text == ""


def test_without_redis_nobody_knows_what_waits(bench: Workbench) -> None:
    bench.server.connected = False
    with pytest.raises(RedisUnavailable):
        bench.parts.queue.waiting()
    with pytest.raises(RedisUnavailable):
        bench.parts.queue.length()


def test_a_message_is_small_however_large_the_job(bench: Workbench) -> None:
    bench.parts.queue.publish([(JOB, 10**6)])
    assert len(json.dumps(bench.take_messages())) < 1500

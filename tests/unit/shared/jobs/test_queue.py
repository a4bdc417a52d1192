"""A message holds ids only, and is a hint: it may be lost, or come twice, without harm. It waits in the queue of its kind."""

import json
import logging
import re
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakeredis
import pytest

from shared.errors import RedisUnavailable
from shared.jobs.job import READING, SMALL_UPLOAD, UNPACKED, WRITING
from shared.jobs.queue import CHUNKS, FILES, QUEUE_PREFIX, QUEUES, QUICK, TaskQueue, create_app
from tests.factories import make_job
from tests.patience import within
from tests.unit.workbench import Workbench, settings_in

JOB, OTHER = make_job("a" * 32), make_job("b" * 32)


def unused_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def bench(tmp_path: Path, redis_server: fakeredis.FakeServer, redis_client: fakeredis.FakeRedis) -> Workbench:
    """A workbench without a model."""
    return Workbench.set_up(tmp_path, redis_server, redis_client)


@pytest.fixture
def cut_off(tmp_path: Path, redis_client: fakeredis.FakeRedis) -> TaskQueue:
    """A queue whose broker does not answer."""
    settings = settings_in(tmp_path, redis_url=f"redis://127.0.0.1:{unused_port()}/0")
    return TaskQueue(create_app(settings), redis_client)


def test_a_message_holds_the_job_and_its_unit(bench: Workbench) -> None:
    bench.parts.queue.publish(JOB, ["0", "12", READING, WRITING])
    messages = bench.take_messages()
    assert {(message["headers"]["task"], *message["args"]) for message in messages} == {
        ("score_chunk", JOB.id, "0"),
        ("score_chunk", JOB.id, "12"),
        ("read_file", JOB.id, READING),
        ("write_output", JOB.id, WRITING),
    }


def test_people_see_which_chunk_of_how_many_a_task_is(bench: Workbench) -> None:
    job = replace(JOB, rows=20, chunk_rows=1)
    bench.parts.queue.publish(job, ["2", READING, WRITING])
    bench.parts.queue.publish_webhook(JOB.id)
    shown = {message["headers"]["task"]: message["headers"]["argsrepr"] for message in bench.take_messages()}
    one = f"({JOB.id[:8]})"
    assert shown == {
        "score_chunk": f"({JOB.id[:8]}, 3/20)",
        "read_file": one,
        "write_output": one,
        "send_webhook": one,
    }


def test_messages_of_a_lane_wait_in_the_order_of_the_units(bench: Workbench) -> None:
    bench.parts.queue.publish(JOB, ["2", "0", "1"])
    assert bench.take_units() == [(JOB.id, "2"), (JOB.id, "0"), (JOB.id, "1")]


@pytest.mark.parametrize(
    ("unit", "facts", "queue"),
    [
        ("0", {"rows": 1, "chunk_rows": 1}, QUICK),
        ("0", {"rows": 2, "chunk_rows": 1}, CHUNKS),
        ("7", {"rows": 100, "chunk_rows": 10}, CHUNKS),
        (READING, {"upload_bytes": 0}, QUICK),
        (READING, {"upload_bytes": SMALL_UPLOAD}, QUICK),
        (READING, {"upload_bytes": SMALL_UPLOAD + 1}, FILES),
        (READING, {"upload_bytes": SMALL_UPLOAD // UNPACKED, "encoding": "zstd"}, QUICK),
        (READING, {"upload_bytes": SMALL_UPLOAD // UNPACKED + 1, "encoding": "zstd"}, FILES),
        (READING, {"upload_bytes": 1, "is_large": True}, FILES),
        (READING, {"upload_bytes": 0, "input_uri": "s3://a/b.csv"}, FILES),
        (WRITING, {"rows": 1, "chunk_rows": 1}, FILES),
    ],
)
def test_each_kind_of_work_has_its_lane(bench: Workbench, unit: str, facts: dict[str, Any], queue: str) -> None:
    bench.parts.queue.publish(replace(JOB, **facts), [unit])
    [message] = bench.take_messages()
    assert message["queue"] == queue


def test_callbacks_and_clearing_up_are_quick(bench: Workbench) -> None:
    bench.parts.queue.publish_webhook(JOB.id)
    bench.parts.queue.publish_removal()
    messages = bench.take_messages()
    assert [(message["headers"]["task"], message["args"], message["queue"]) for message in messages] == [
        ("send_webhook", [JOB.id], QUICK),
        ("remove_expired", [], QUICK),
    ]


def test_a_task_is_named_after_its_unit(bench: Workbench) -> None:
    bench.parts.queue.publish(JOB, ["3"])
    bench.parts.queue.publish(JOB, [READING])
    bench.parts.queue.publish_webhook(JOB.id)
    names = [message["headers"]["id"] for message in bench.take_messages()]
    assert len(names) == 3
    for unit in ("3", READING, "callback"):
        assert any(re.fullmatch(rf"{JOB.id}\.{unit}\.[0-9a-f]{{8}}", name) for name in names)


def test_a_unit_published_twice_has_two_messages(bench: Workbench) -> None:
    bench.parts.queue.publish(JOB, ["0"])
    bench.parts.queue.publish(JOB, ["0"])
    first, second = bench.take_messages()
    assert first["args"] == second["args"]
    assert first["headers"]["id"] != second["headers"]["id"]


def test_what_waits_is_read_from_the_messages_of_all_lanes(bench: Workbench) -> None:
    assert (bench.parts.queue.waiting(), bench.parts.queue.lengths()) == (set(), dict.fromkeys(QUEUES, 0))
    bench.parts.queue.publish(JOB, ["0", WRITING])
    bench.parts.queue.publish(replace(OTHER, rows=1), ["0", "0"])
    bench.parts.queue.publish(OTHER, [READING])
    bench.let_messages_wait()
    assert bench.parts.queue.waiting() == {(JOB.id, "0"), (JOB.id, WRITING), (OTHER.id, "0"), (OTHER.id, READING)}
    assert bench.parts.queue.lengths() == {QUICK: 3, CHUNKS: 1, FILES: 1}


def test_other_tasks_that_wait_are_taken_for_no_unit(bench: Workbench) -> None:
    bench.parts.queue.publish_removal()
    bench.let_messages_wait()
    assert not {unit for unit in bench.parts.queue.waiting() if unit[0] == JOB.id}


def test_a_message_that_is_not_ours_is_passed_over(bench: Workbench) -> None:
    bench.parts.queue.publish(JOB, ["0"])
    bench.let_messages_wait()
    for queue in QUEUES:
        for message in ("{}", "no json", "[]", "1", '{"headers": 1}', '{"headers": {"id": null}}'):
            bench.client.lpush(f"{QUEUE_PREFIX}{queue}", message)
        bench.client.lpush(f"{QUEUE_PREFIX}{queue}", '{"headers": {"id": "f81d4fae-7dec-11d0"}}')
    assert bench.parts.queue.waiting() == {(JOB.id, "0")}


def test_a_broker_that_is_away_delays_a_publisher_for_less_than_two_seconds_and_raises_nothing(
    cut_off: TaskQueue, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "shared.jobs.queue"):
        within(2, lambda: cut_off.publish(JOB, ["0", "1"]))
    assert f"2 task(s) could not be published yet ({JOB.id}.0, {JOB.id}.1)" in caplog.text


@pytest.mark.parametrize("publish", [lambda queue: queue.publish_webhook(JOB.id), TaskQueue.publish_removal])
def test_no_other_message_raises_while_the_broker_is_away(
    cut_off: TaskQueue, caplog: pytest.LogCaptureFixture, publish: Callable[[TaskQueue], None]
) -> None:
    with caplog.at_level(logging.WARNING, "shared.jobs.queue"):
        publish(cut_off)
    assert "1 task(s) could not be published yet" in caplog.text


def test_nothing_to_publish_needs_no_broker(cut_off: TaskQueue, caplog: pytest.LogCaptureFixture) -> None:
    cut_off.publish(JOB, [])
    assert caplog.text == ""


def test_without_redis_nobody_knows_what_waits(bench: Workbench) -> None:
    bench.server.connected = False
    with pytest.raises(RedisUnavailable):
        bench.parts.queue.waiting()
    with pytest.raises(RedisUnavailable):
        bench.parts.queue.lengths()


def test_a_message_is_small_however_large_the_job(bench: Workbench) -> None:
    bench.parts.queue.publish(make_job("a" * 32, rows=10**9, name="x" * 10_000), [str(10**8)])
    assert len(json.dumps(bench.take_messages())) < 1500

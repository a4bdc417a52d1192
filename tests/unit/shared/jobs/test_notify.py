"""The caller is told once of the end of a job, and again later if that did not succeed."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from shared.errors import RedisUnavailable
from shared.jobs import notify
from shared.jobs.job import Job
from shared.jobs.notify import message_of, tell_caller
from shared.reasons import Reason
from shared.webhooks.delivery import BACKOFF, deliver, sign
from tests.factories import Kit, make_job
from tests.unit.shared.webhooks.test_webhooks import Receiver, http_server, to
from tests.unit.workbench import Workbench

WHY = Reason("storage-full")
SECRET = "a secret that nobody may see"  # noqa: S105


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A server on this machine, which is what every name stands for."""
    local = partial(deliver, resolve=to("127.0.0.1"), is_allowed_address=lambda address: True)
    monkeypatch.setattr(notify, "deliver", local)
    with http_server() as made:
        yield made


@pytest.fixture
def hosts(receiver: Receiver) -> list[str]:
    """What the operator allows."""
    return [f"hooks.example.com:{receiver.port}"]


@pytest.fixture
def job(bench: Workbench, numbers: Kit, receiver: Receiver) -> Job:
    """A job that has ended."""
    return bench.score_all(bench.submit(numbers.rows[:3], callback_url=receiver.url))


def let_time_pass(bench: Workbench, job: Job) -> None:
    """Make it as if the caller was to be told now."""
    assert bench.parts.store.due_webhooks() == []
    bench.parts.store.end_webhook(job.id, -1.0)


def test_the_caller_is_told_once_in_a_signed_message(
    bench: Workbench, receiver: Receiver, hosts: list[str], job: Job
) -> None:
    for _ in range(2):
        tell_caller(job.id, hosts, SECRET, bench.parts.store)
    [(method, _, headers, body)] = receiver.requests
    assert method == "POST"
    told = json.loads(body)
    assert (told["id"], told["state"], told["rows_done"]) == (job.id, "succeeded", 3)
    assert headers["X-Pret-Signature"] == sign(SECRET, int(headers["X-Pret-Timestamp"]), body)
    assert bench.client.zcard("pret:jobs:webhooks") == 0


def test_a_message_without_a_secret_is_not_signed(
    bench: Workbench, receiver: Receiver, hosts: list[str], job: Job
) -> None:
    tell_caller(job.id, hosts, None, bench.parts.store)
    [(_, _, headers, _)] = receiver.requests
    assert "X-Pret-Signature" not in headers


def test_a_caller_that_could_not_be_told_is_told_again_later_and_later_and_then_no_more(
    bench: Workbench, receiver: Receiver, hosts: list[str], job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 503
    with caplog.at_level(logging.WARNING, "shared.jobs.notify"):
        for seconds in BACKOFF:
            tell_caller(job.id, hosts, SECRET, bench.parts.store)
            due_at = float(str(bench.client.zscore("pret:jobs:webhooks", job.id)))
            assert due_at == pytest.approx(time.time() + seconds, abs=4)
            assert f"again in {seconds:.0f} s" in caplog.text
            let_time_pass(bench, job)
        tell_caller(job.id, hosts, SECRET, bench.parts.store)
    assert "given up" in caplog.text
    assert "hooks.example.com" not in caplog.text
    assert len(receiver.requests) == len(BACKOFF) + 1
    assert bench.client.zcard("pret:jobs:webhooks") == 0
    deliveries = {headers["X-Pret-Delivery"] for _, _, headers, _ in receiver.requests}
    assert len(deliveries) == 1


def test_a_caller_that_answers_later_was_told(bench: Workbench, receiver: Receiver, hosts: list[str], job: Job) -> None:
    receiver.status = 503
    tell_caller(job.id, hosts, SECRET, bench.parts.store)
    let_time_pass(bench, job)
    receiver.status = 204
    tell_caller(job.id, hosts, SECRET, bench.parts.store)
    assert bench.client.zcard("pret:jobs:webhooks") == 0


@pytest.mark.parametrize("status", [301, 400, 404, 410])
def test_a_caller_that_rejects_it_is_not_asked_again(
    bench: Workbench, receiver: Receiver, hosts: list[str], job: Job, status: int
) -> None:
    receiver.status = status
    tell_caller(job.id, hosts, SECRET, bench.parts.store)
    assert len(receiver.requests) == 1
    assert bench.client.zcard("pret:jobs:webhooks") == 0


@pytest.mark.parametrize("allowed", [[], ["other.example.com"]])
def test_a_host_that_is_no_longer_allowed_is_not_called(
    bench: Workbench, receiver: Receiver, job: Job, allowed: list[str]
) -> None:
    tell_caller(job.id, allowed, SECRET, bench.parts.store)
    assert receiver.requests == []
    assert bench.client.zcard("pret:jobs:webhooks") == 0


def test_nobody_is_told_of_a_job_that_is_not_due(
    bench: Workbench, receiver: Receiver, hosts: list[str], numbers: Kit, job: Job
) -> None:
    running = bench.submit(numbers.rows[:3], callback_url=receiver.url)
    silent = bench.score_all(bench.submit(numbers.rows[:3]))
    assert bench.parts.store.begin_webhook(job.id, 1000) == 0
    for job_id in (running.id, silent.id, job.id, "0" * 32):
        tell_caller(job_id, hosts, SECRET, bench.parts.store)
    assert receiver.requests == []


def test_nobody_is_told_of_a_job_that_is_gone(bench: Workbench, receiver: Receiver, hosts: list[str], job: Job) -> None:
    bench.parts.store.forget(job.id)
    bench.client.zadd("pret:jobs:webhooks", {job.id: 0})
    tell_caller(job.id, hosts, SECRET, bench.parts.store)
    assert receiver.requests == []
    assert bench.client.zcard("pret:jobs:webhooks") == 0


def test_without_redis_nobody_is_told_what_may_have_been_told(
    bench: Workbench, receiver: Receiver, hosts: list[str], job: Job
) -> None:
    bench.server.connected = False
    with pytest.raises(RedisUnavailable):
        tell_caller(job.id, hosts, SECRET, bench.parts.store)
    assert receiver.requests == []


def test_the_message_says_what_became_of_the_job_and_repeats_no_address(job: Job) -> None:
    ended = replace(
        make_job(),
        rows=5,
        finished_at=1_700_000_100.5,
        unseen_categories={"JOB": 3, "TOWN": 0},
        granted=3,
        error=WHY,
        input_uri="s3://secret/a",
        keep=("secret",),
    )
    told: dict[str, Any] = json.loads(message_of(ended))
    assert datetime.fromisoformat(told.pop("finished_at")).timestamp() == 1_700_000_100.5
    assert told == {
        "id": ended.id,
        "state": "queued",
        "model_version": "local-1",
        "rows": 5,
        "rows_done": 0,
        "granted": 3,
        "refused": 0,
        "invalid": 0,
        "unseen_categories": {"JOB": 3, "TOWN": 0},
        "error": {"type": "storage-full", "message": WHY.message, "params": {}},
    }

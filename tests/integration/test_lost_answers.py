"""Answers that are lost, by a proxy before a real server: each call by itself, and the service as a whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from scripts.bench.redis_proxy import Command, Disturbance, Plan, RedisProxy, redis_proxy
from shared.jobs.job_scripts import SCRIPTS
from tests.answer_contract import AnswerContract
from tests.factories import Kit
from tests.integration.portfolio import as_csv
from tests.processes import RedisServer, Service, redis_server

PATIENCE = 0.1
"""Seconds until the client asks again."""

OF_A_CONNECTION = {"HELLO", "CLIENT", "PING", "SELECT", "AUTH"}


def is_sent_by_the_service(command: Command) -> bool:
    return command.name not in OF_A_CONNECTION


class WireToAServer:
    """A client of a proxy."""

    disturbances = (Disturbance.CUT_AFTER, Disturbance.LATE_COMMAND)

    def __init__(self, proxy: RedisProxy, direct: "redis.Redis", client: "redis.Redis") -> None:
        self.direct = direct
        self.client = client
        self._proxy = proxy

    def sent(self) -> int:
        counts = self._proxy.counts
        return sum(counts.values()) - sum(counts[name] for name in OF_A_CONNECTION)

    @contextmanager
    def disturbed(self, disturbance: str, nth: int) -> Iterator[None]:
        plan = self._proxy.disturb(is_sent_by_the_service, Disturbance(disturbance), nth=nth, seconds=2 * PATIENCE)
        yield
        assert plan.wait(10)


@pytest.fixture(scope="module")
def wire(server: RedisServer) -> Iterator[WireToAServer]:
    with (
        redis_proxy(server.port, {}) as proxy,
        redis.Redis.from_url(server.url, decode_responses=True) as direct,
        redis.Redis.from_url(
            proxy.url, decode_responses=True, socket_timeout=PATIENCE, retry=Retry(NoBackoff(), 2)
        ) as client,
    ):
        yield WireToAServer(proxy, direct, client)


class TestAnswers(AnswerContract):
    """All that is promised when an answer is lost."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def server_of_service(folder: Path) -> Iterator[RedisServer]:
    with redis_server(folder) as running, redis.Redis.from_url(running.url) as client:
        # A command that the server does not know yet is not carried out.
        for text in SCRIPTS.values():
            client.script_load(text)
        yield running


@pytest.fixture(scope="module")
def proxy(server_of_service: RedisServer) -> Iterator[RedisProxy]:
    with redis_proxy(server_of_service.port, SCRIPTS) as running:
        yield running


@pytest.fixture(scope="module")
def running(folder: Path, server_of_service: RedisServer, proxy: RedisProxy, numbers: Kit) -> Iterator[Service]:
    """A service that reaches Redis by the proxy, with a worker."""
    settings = {"REDIS_URL": proxy.url, "CHUNK_ROWS": "100", "CHUNK_LEASE": "5", "RECONCILE_INTERVAL": "0.5"}
    made = Service(folder, server_of_service, settings)
    try:
        made.offer(numbers)
        made.start_api()
        made.start_worker()
        yield made
    finally:
        made.stop()


def lose(proxy: RedisProxy, script: str, times: int) -> list[Plan]:
    """Lose the next answers to a script."""
    return [proxy.disturb(script, Disturbance.LOSE, nth=nth + 1) for nth in range(times)]


def check(made: Service, job_id: str, numbers: Kit) -> None:
    """The job ends well, with a score for each row."""
    job = made.wait_until_ended(job_id)
    assert (job["state"], job["error"]) == ("succeeded", None)
    assert [answer["score"] for answer in made.results(job_id)] == numbers.expected()


SUBMISSIONS: list[Callable[[Kit], dict[str, Any]]] = [
    lambda numbers: {"json": numbers.rows},
    lambda numbers: {"content": as_csv(numbers.rows), "headers": {"Content-Type": "text/csv"}},
]


@pytest.mark.parametrize("body", SUBMISSIONS, ids=["JSON", "CSV"])
def test_a_repeat_after_a_503_gets_the_job_and_it_is_whole(
    running: Service, proxy: RedisProxy, numbers: Kit, body: Callable[[Kit], dict[str, Any]]
) -> None:
    request = body(numbers)
    request["headers"] = request.get("headers", {}) | {"Idempotency-Key": uuid4().hex}
    plans = lose(proxy, "create", times=2)
    assert running.client.post("/jobs", **request).status_code == 503
    assert all(plan.done.is_set() for plan in plans)
    job = running.client.get("/jobs").json()["jobs"][0]
    answer = running.client.post("/jobs", **request)
    assert (answer.status_code, answer.json()["id"]) == (202, job["id"])
    check(running, job["id"], numbers)


@pytest.mark.parametrize(("script", "times"), [("claim", 2), ("renew", 1), ("commit_reading", 2), ("commit", 1)])
def test_a_worker_that_asks_again_loses_nothing(
    running: Service, proxy: RedisProxy, numbers: Kit, script: str, times: int
) -> None:
    plans = lose(proxy, script, times)
    check(running, running.upload(as_csv(numbers.rows)), numbers)
    assert all(plan.done.is_set() for plan in plans)

"""The last hour, as any process of the API tells it from memory."""

import numpy as np
import pytest

from api.activity import KEPT, Activity
from api.traffic import Traffic
from shared.errors import RedisUnavailable
from shared.metrics import Metrics
from shared.metrics_files import Together
from tests.factories import Kit
from tests.unit.api.client import ApiClient


class Queue:
    """Queues with some tasks, or none that could be asked."""

    def __init__(self) -> None:
        self.is_away = False

    def lengths(self) -> dict[str, int]:
        if self.is_away:
            raise RedisUnavailable
        return {"quick": 1, "chunks": 2}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def activity_of(metrics: Metrics, queue: Queue) -> Activity:
    return Activity(Together(metrics.registry), Traffic(metrics), queue)  # type: ignore[arg-type]


def test_a_point_tells_what_happened_since_the_one_before(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 120.0])
    monkeypatch.setattr("api.activity.time", lambda: next(clock))
    queue = Queue()
    activity = activity_of(metrics, queue)
    single = metrics.requests.labels("POST", "/individual_score", "200")
    single.observe(9)
    activity.look()
    assert not activity.points
    for _ in range(100):
        single.observe(0.004)
    metrics.requests.labels("GET", "/jobs", "200").observe(30)
    metrics.scored("v1", "catboost", np.full(100, 0.01), 25, 0.1)
    activity.look()
    [point] = activity.points
    assert (point.at, point.requests_per_second, point.waiting, point.refused_share) == (110.0, 10.1, 3, 0.25)
    assert point.p99_seconds is not None and 0.0025 < point.p99_seconds < 0.005
    queue.is_away = True
    activity.look()
    after = activity.points[-1]
    assert (after.requests_per_second, after.p99_seconds, after.waiting, after.refused_share) == (0, None, None, None)


def test_what_took_longer_than_the_longest_is_told_as_that(metrics: Metrics) -> None:
    activity = activity_of(metrics, Queue())
    activity.look()
    metrics.requests.labels("POST", "/individual_score", "200").observe(1000)
    activity.look()
    assert activity.points[-1].p99_seconds == 30


def test_no_more_than_an_hour_is_kept(metrics: Metrics) -> None:
    activity = activity_of(metrics, Queue())
    for _ in range(KEPT + 10):
        activity.look()
    assert len(activity.points) == KEPT


def test_the_route_tells_the_points(api: ApiClient, numbers: Kit) -> None:
    api.services.activity.look()
    api.post("/individual_score", json=numbers.rows[0])
    api.get("/metrics")  # the loop counts what it has noted
    api.services.activity.look()
    body = api.get("/activity").json()
    assert body["seconds"] == 30
    # The process looks by itself, too, so the score may be in any of the points.
    [point] = [point for point in body["points"] if point["p99_seconds"] is not None]
    assert point["requests_per_second"] > 0 and point["refused_share"] in (0, 1)

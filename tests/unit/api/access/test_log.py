"""The access log names requests by their route, and repeats nothing of what was sent."""

import logging
from typing import Any

import pytest

from api.access.log import AccessLog
from api.routes.scoring import INDIVIDUAL_SCORE
from tests.factories import Kit
from tests.unit.api.access.keyed import ADA, API_KEYS, keyed_api
from tests.unit.api.client import ApiClient
from tests.unit.workbench import Workbench

SCOPE: dict[str, Any] = {"type": "http"}


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "access")


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [dict(vars(record)["fields"]) for record in caplog.records if record.name == "access"]


def test_a_request_is_logged_by_its_route(api: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
    job = "f" * 32
    api.get(f"/jobs/{job}?secret=query", headers={"X-Request-ID": "mine"})
    [fields] = logged(caplog)
    assert fields.pop("ms") > 0
    assert fields == {"method": "GET", "route": "/jobs/{job_id}", "status": 404, "caller": "anybody"}
    text = " ".join(record.getMessage() for record in caplog.records if record.name == "access")
    assert job not in text and "secret" not in text


def test_what_asks_all_the_time_is_logged_only_when_it_fails(
    api: ApiClient, bare: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    api.get("/api_health")
    api.get("/metrics")
    assert logged(caplog) == []
    bare.get("/router_health")
    assert [fields["status"] for fields in logged(caplog)] == [503]


def test_the_caller_is_named_and_a_stranger_is_not(bench: Workbench, caplog: pytest.LogCaptureFixture) -> None:
    with keyed_api(bench, api_keys=API_KEYS) as api:
        caplog.clear()
        api.get("/caller", headers=ADA)
        api.get("/caller", headers={"Authorization": "Bearer wrong"})
    assert [(fields["caller"], fields["status"]) for fields in logged(caplog)] == [("ada", 200), ("anonymous", 401)]


def test_of_single_scores_a_share_is_logged(api: ApiClient, numbers: Kit, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        api.post(INDIVIDUAL_SCORE, json=numbers.rows[0])
    assert len(logged(caplog)) <= 1


@pytest.mark.parametrize(("share", "lines"), [(0.0, 0), (0.01, 10), (0.25, 250), (1.0, 1000)])
def test_the_share_is_kept(share: float, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog(INDIVIDUAL_SCORE, share)
    for _ in range(1000):
        log.answered(SCOPE, "POST", INDIVIDUAL_SCORE, 200, 0.001)
    assert len(logged(caplog)) == lines


def test_a_failure_that_is_ours_is_always_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog(INDIVIDUAL_SCORE, 0)
    log.answered(SCOPE, "POST", INDIVIDUAL_SCORE, 503, 0.001)
    assert [fields["status"] for fields in logged(caplog)] == [503]

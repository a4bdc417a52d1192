"""What was changed by whom, and who was not let in: in the log and at `GET /audit`."""

import json
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest

from api.access.audit import WAITING, Audit
from api.access.callers import ANYBODY, Callers
from shared import audit as shared_audit
from shared.audit import AuditLog, Kind
from shared.errors import NoPreviousVersion
from shared.keys import parse
from tests.factories import Kit
from tests.unit.api.access.keyed import ADA, API_KEYS, BOB, ROOT, entry, keyed_api, with_key
from tests.unit.api.client import ApiClient, assert_problem
from tests.unit.workbench import Workbench

JOB = "/jobs/{id}"
Facts = tuple[str, str, str | None, str]


@pytest.fixture
def audited(bench: Workbench) -> Iterator[ApiClient]:
    with keyed_api(bench, api_keys=API_KEYS) as client:
        yield client


def entries(api: ApiClient, **query: Any) -> list[dict[str, Any]]:
    answer = api.get("/audit", headers=ROOT, params={"limit": 1000, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


def facts(found: list[dict[str, Any]]) -> list[Facts]:
    return [(each["who"], each["what"], each["about"], each["outcome"]) for each in found if "key" not in each["what"]]


def test_every_request_that_is_not_let_in_is_noted(audited: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "audit")
    ids = [
        audited.request(method, path, headers=headers).headers["x-request-id"]
        for method, path, headers in (
            ("GET", "/jobs", {}),
            ("GET", f"/jobs/{'0' * 32}/results?a=s3cr3t", {"X-API-Key": "s3cr3t"}),
            ("POST", "/reload_model", ADA),
            ("POST", "/jobs", ADA | {"Sec-Fetch-Site": "cross-site"}),
            ("S3CR3T", "/s3cr3t", BOB),
        )
    ]
    denied = entries(audited, kind="denials")
    assert facts(denied) == [
        ("bob", "other elsewhere", None, "not-allowed"),
        ("ada", "POST /jobs", None, "foreign-origin"),
        ("ada", "POST /reload_model", None, "not-allowed"),
        ("anonymous", f"GET {JOB}", None, "not-authenticated"),
        ("anonymous", "GET /jobs", None, "not-authenticated"),
    ]
    assert [each["request_id"] for each in denied] == ids[::-1]
    logged = [record.message for record in caplog.records if record.name == "audit"]
    lines = [line for line in map(json.loads, logged) if "key" not in line["what"]]
    assert [line["request_id"] for line in lines] == ids
    assert "s3cr3t" not in f"{denied}{logged}".lower()


def test_changes_of_the_model_are_noted_with_what_came_of_them(bench: Workbench, audited: ApiClient) -> None:
    assert_problem(audited.post("/rollback_model", headers=ROOT), 409)
    assert facts(entries(audited)) == [("root", "rollback", None, NoPreviousVersion.default)]
    assert_problem(audited.post("/reload_model", json={"revision": "s3cr3t"}, headers=ROOT), 404)
    assert facts(entries(audited))[0] == ("root", "reload", None, "revision-in-folder")


def test_what_administrators_do_to_the_jobs_of_others_is_noted(audited: ApiClient, numbers: Kit) -> None:
    def submitted(headers: dict[str, str]) -> str:
        job_id: str = audited.post("/jobs", json=numbers.rows[:5], headers=headers).json()["id"]
        return job_id

    own, others = submitted(ROOT), submitted(ADA)
    for job_id, headers in ((own, ROOT), (others, ROOT), (submitted(ADA), ADA)):
        audited.post(f"/jobs/{job_id}/retry", headers=headers)
        audited.request("DELETE", f"/jobs/{job_id}", headers=headers)
        audited.request("DELETE", f"/jobs/{job_id}?purge=true", headers=headers)
    assert facts(entries(audited)) == [
        ("root", "remove another's job", others, "done"),
        ("root", "cancel another's job", others, "done"),
        ("root", "retry another's job", others, "job-not-failed"),
    ]


def test_only_administrators_read_it(audited: ApiClient) -> None:
    for scope in ("score", "jobs", "read"):
        assert_problem(audited.get("/audit", headers=with_key(scope)), 403)
    assert_problem(audited.get("/audit"), 401)


def test_it_comes_in_pages(audited: ApiClient) -> None:
    for _ in range(5):
        audited.get("/jobs")
    newest = entries(audited, kind="denials")
    page = audited.get("/audit", headers=ROOT, params={"kind": "denials", "offset": 1, "limit": 2}).json()
    assert (page["entries"], page["total"], page["next_offset"]) == (newest[1:3], 5, 3)


def test_without_redis_nothing_waits_and_nothing_is_lost(audited: ApiClient, bench: Workbench) -> None:
    bench.server.connected = False
    assert_problem(audited.get("/audit", headers=ROOT), 503)
    for _ in range(3):
        assert_problem(audited.get("/jobs"), 401)
    bench.server.connected = True
    assert len(entries(audited, kind="denials")) == 3


class TestKeys:
    def callers(self, *lines: str) -> Callers:
        return Callers(parse(",".join(lines)), ANYBODY)

    def noted(self, client: fakeredis.FakeRedis) -> list[tuple[str, str]]:
        found, _ = AuditLog(client).page([Kind.CHANGES], 0, 100)
        return [(each["what"], each["about"]) for each in found]

    def test_what_changed_is_noted_once_whatever_the_number_of_processes(
        self, redis_client: fakeredis.FakeRedis
    ) -> None:
        processes = [Audit(AuditLog(redis_client)) for _ in range(3)]

        def look(*lines: str) -> None:
            made = self.callers(*lines)
            for process in processes:
                process.look(made)
                process.look(made)

        look()
        assert self.noted(redis_client) == []
        look(entry("ada", "jobs"), entry("bob", "jobs"))
        assert self.noted(redis_client) == [("key added", "bob"), ("key added", "ada")]
        look(entry("bob", "admin"), entry("eve", "jobs", more=":rows=5"))
        assert self.noted(redis_client)[:3] == [("key added", "eve"), ("key changed", "bob"), ("key removed", "ada")]
        look(entry("eve", "jobs", more=":rows=5"), entry("bob", "admin"))
        assert len(self.noted(redis_client)) == 5
        look(entry("bob", "admin"), entry("bob", "admin", "second"), entry("eve", "jobs", more=":rows=6"))
        assert self.noted(redis_client)[:2] == [("key changed", "eve"), ("key changed", "bob")]

    def test_while_redis_is_away_it_is_noted_later(
        self, redis_client: fakeredis.FakeRedis, redis_server: fakeredis.FakeServer
    ) -> None:
        process, made = Audit(AuditLog(redis_client)), self.callers(entry("ada", "jobs"))
        redis_server.connected = False
        process.look(made)
        redis_server.connected = True
        process.look(made)
        assert self.noted(redis_client) == [("key added", "ada")]


def test_it_is_bounded_and_denials_drive_out_no_changes(
    redis_client: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_audit, "KEPT", 5)
    audit = Audit(AuditLog(redis_client))
    with audit.change(ANYBODY, "reload") as change:
        change.about = "v1"
    for _ in range(WAITING + 5):
        audit.denied("anonymous", "GET", "/jobs", "not-authenticated")
    assert [len(waiting) for waiting in audit._waiting.values()] == [1, WAITING]
    audit.flush()
    found, total = audit.log.page(list(Kind), 0, 100)
    assert (len(found), total) == (6, 6)
    assert sum(each["what"] == "reload" for each in found) == 1

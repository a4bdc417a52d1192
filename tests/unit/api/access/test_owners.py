"""A job is its owner's: for all others but administrators it does not exist, whatever they do."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.factories import Kit
from tests.unit.api.access.keyed import ADA, BOB, ROOT, keyed_api
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench

USES = [
    *(
        ("GET", ""),
        ("GET", "/results"),
        ("GET", "/results?format=csv"),
        ("GET", "/results?partial=true"),
        ("GET", "/events"),
    ),
    *(("POST", "/retry"), ("DELETE", ""), ("DELETE", "?purge=true")),
]
CSV = {"Content-Type": "text/csv"}


def submitted(api: ApiClient, kit: Kit, caller: dict[str, str], **headers: str) -> str:
    answer = api.post("/jobs", json=kit.rows[:5], headers=caller | headers)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["id"]
    return job_id


def listed(api: ApiClient, caller: dict[str, str], **query: Any) -> tuple[list[str], int]:
    page = api.get(f"/jobs?{urlencode(query)}", headers=caller).json()
    return [job["id"] for job in page["jobs"]], page["total"]


@pytest.mark.parametrize(("method", "path"), [*USES, ("GET", "/rows/0"), ("GET", "/results?id=1")])
def test_another_callers_job_is_as_one_that_does_not_exist(
    guarded: ApiClient, api_bench: Workbench, numbers: Kit, method: str, path: str
) -> None:
    job_id = submitted(guarded, numbers, ADA)
    before = guarded.get(f"/jobs/{job_id}", headers=ADA).json()
    other, none = (guarded.request(method, f"/jobs/{each}{path}", headers=BOB) for each in (job_id, "0" * 32))
    assert kind_of(assert_problem(other, 404)) == "unknown-job"
    assert other.json() | {"request_id": ""} == none.json() | {"request_id": ""}
    assert guarded.get(f"/jobs/{job_id}", headers=ADA).json() == before
    assert api_bench.parts.store.get(job_id).owner == "ada"


@pytest.mark.parametrize(("method", "path"), USES)
@pytest.mark.parametrize("caller", [ADA, ROOT])
def test_to_its_owner_and_to_administrators_it_does(
    guarded: ApiClient, api_bench: Workbench, numbers: Kit, caller: dict[str, str], method: str, path: str
) -> None:
    job_id = submitted(guarded, numbers, ADA)
    if method == "GET":
        api_bench.score_all(api_bench.parts.store.get(job_id))
    answer = guarded.request(method, f"/jobs/{job_id}{path}", headers=caller)
    assert answer.status_code in ((409,) if path == "/retry" else (200, 204)), answer.text


def test_everyone_lists_the_own_jobs_and_administrators_all(guarded: ApiClient, numbers: Kit) -> None:
    first, second = submitted(guarded, numbers, ADA), submitted(guarded, numbers, ADA)
    others = submitted(guarded, numbers, BOB)
    assert listed(guarded, ADA) == ([second, first], 2)
    assert listed(guarded, ADA, limit=1, offset=1) == ([first], 2)
    assert listed(guarded, BOB, state="queued") == ([others], 1)
    assert listed(guarded, BOB, state="failed") == ([], 0)
    assert listed(guarded, ROOT) == ([others, second, first], 3)
    assert guarded.get(f"/jobs/{others}", headers=ROOT).json()["owner"] == "bob"


def test_an_idempotency_key_is_its_owners(guarded: ApiClient, numbers: Kit) -> None:
    key = {"Idempotency-Key": "monday"}
    own = submitted(guarded, numbers, ADA, **key)
    assert submitted(guarded, numbers, ADA, **key) == own
    assert submitted(guarded, numbers, BOB, **key) != own
    conflict = guarded.post("/jobs", json=numbers.rows[:1], headers=ADA | key)
    assert kind_of(assert_problem(conflict, 422)) == "idempotency-conflict"


def test_a_file_has_an_owner_too(guarded: ApiClient) -> None:
    job = guarded.post("/jobs", content=b"a\n1\n", headers=ADA | CSV).json()
    assert job["owner"] == "ada"


def test_where_only_administrators_have_keys_the_jobs_of_the_others_are_all_theirs(
    bench: Workbench, numbers: Kit
) -> None:
    ann = {"X-API-Key": "first-key"}
    with keyed_api(bench, admin_keys="ann:first-key") as api:
        common, own = submitted(api, numbers, {}), submitted(api, numbers, ann)
        assert listed(api, {}) == ([common], 1)
        assert listed(api, ann) == ([own, common], 2)
        assert_problem(api.get(f"/jobs/{own}"), 404)

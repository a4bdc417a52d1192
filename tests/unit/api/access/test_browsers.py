"""What a page of another site can do in a user's browser: nothing."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.settings import Settings
from tests.factories import Kit
from tests.unit.api.access.keyed import ADA, keyed_api
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench

HOST = "127.0.0.1:8000"
WRITES = [
    *(("POST", "/reload_model"), ("POST", "/rollback_model"), ("POST", "/individual_score"), ("POST", "/jobs")),
    *(("DELETE", f"/jobs/{'0' * 32}"), ("POST", f"/jobs/{'0' * 32}/retry"), ("PUT", "/nothing")),
]
READS = [("GET", "/jobs"), ("GET", "/model_info"), ("GET", "/docs"), ("GET", "/nothing")]
FRIEND = "https://desk.example.com"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:1", "[::1]", "[::1]:8000"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/api_health"), ("POST", "/individual_score")])
def test_by_a_name_of_this_machine_the_service_answers(cut_off: ApiClient, method: str, path: str, host: str) -> None:
    assert cut_off.request(method, path, headers={"Host": host}).status_code != 421


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.7", ""),
        *("[::2]", "[::1", "127.0.0.1@evil.example", "*", "evil.example, localhost"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [*WRITES, *READS])
def test_by_any_other_it_does_not(cut_off: ApiClient, method: str, path: str, host: str) -> None:
    answer = cut_off.request(method, path, headers={"Host": host})
    assert kind_of(assert_problem(answer, 421)) == "unknown-host"
    assert not host or host == "*" or host not in answer.text


def test_names_of_a_domain_can_be_allowed(bench: Workbench) -> None:
    with keyed_api(bench, allowed_hosts="*.example.com, api") as api:
        for host, expected in {"a.example.com": 200, "b.a.example.com:80": 200, "api": 200}.items():
            assert api.get("/api_health", headers={"Host": host}).status_code == expected
        for host in ("example.com", "badexample.com", "localhost", "api.evil"):
            assert api.get("/api_health", headers={"Host": host}).status_code == 421
    with keyed_api(bench, allowed_hosts="*") as api:
        assert api.get("/api_health", headers={"Host": "whatever"}).status_code == 200


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{HOST}"},
    {"Sec-Fetch-Site": "something-new"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:8501"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://[evil"},
    {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"},
]
OWN = [{}, {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, {"Sec-Fetch-Site": "none"}]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_page_of_another_site_cannot_write(
    cut_off: ApiClient, method: str, path: str, headers: dict[str, str]
) -> None:
    assert kind_of(assert_problem(cut_off.request(method, path, headers=headers), 403)) == "foreign-origin"


@pytest.mark.parametrize("headers", [*OWN, {"Origin": f"http://{HOST}"}])
def test_programs_and_our_own_pages_can(cut_off: ApiClient, mixed: Kit, headers: dict[str, str]) -> None:
    assert cut_off.post("/individual_score", json=mixed.rows[0], headers=headers).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN)
def test_what_a_page_of_another_site_asks_for_it_cannot_read(cut_off: ApiClient, headers: dict[str, str]) -> None:
    answer = cut_off.get("/model_info", headers=headers)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert cut_off.request("OPTIONS", "/individual_score", headers=preflight).status_code == 405


def test_pages_of_chosen_sites_can_do_both(bench: Workbench, numbers: Kit) -> None:
    site = {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"}
    with keyed_api(bench, cors_origins=FRIEND, admin_keys="ann:first-key") as api:
        preflight = {
            **site, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
        }  # fmt: skip
        assert api.request("OPTIONS", "/individual_score", headers=preflight).status_code == 200
        for answer, expected in (
            (api.post("/individual_score", json=numbers.rows[0], headers=site), 200),
            (api.post("/rollback_model", headers=site), 401),
        ):
            assert answer.status_code == expected
            assert answer.headers["access-control-allow-origin"] == FRIEND
            assert "access-control-allow-credentials" not in answer.headers
            assert len(answer.headers.get_list("x-request-id")) == 1
        assert_problem(api.post("/rollback_model", headers=site | {"Origin": "https://evil.example"}), 403)


@pytest.mark.parametrize("origins", ["*", "https://*.example.com", "desk.example.com", "https://a.example/x", "null"])
def test_a_site_is_named_in_full(origins: str) -> None:
    with pytest.raises(ValidationError, match="CORS_ORIGINS must read"):
        Settings(_env_file=None, cors_origins=origins)


@pytest.mark.parametrize(("method", "path"), [*WRITES, *READS, ("GET", "/openapi.json"), ("GET", "/")])
def test_no_response_can_be_framed_or_taken_for_something_else(cut_off: ApiClient, method: str, path: str) -> None:
    headers = cut_off.request(method, path, follow_redirects=False).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert ("script-src" in headers["content-security-policy"]) == (path == "/docs")


def test_what_is_not_let_in_has_the_headers_too(guarded: ApiClient) -> None:
    refused: list[Any] = [guarded.get("/jobs"), guarded.post("/reload_model", headers=ADA)]
    assert [answer.status_code for answer in refused] == [401, 403]
    assert all(answer.headers["x-frame-options"] == "DENY" for answer in refused)

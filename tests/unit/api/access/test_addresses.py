"""Without keys the service is for this machine alone."""

import httpx
import pytest

from api.access.addresses import is_local, is_open
from tests.factories import Kit
from tests.unit.api.access.keyed import API_KEYS, keyed_api
from tests.unit.api.client import ApiClient
from tests.unit.workbench import Workbench

HERE = ["127.0.0.1", "127.8.9.10", "[::1]"]
ELSEWHERE = ["192.168.1.7", "[2001:db8::1]", "[::ffff:10.0.0.1]", "0.0.0.0"]  # noqa: S104 - compared


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (("127.0.0.1", 8000), True),
        (("::1", 8000), True),
        (("::ffff:127.0.0.1", 8000), True),
        (("/run/pret.sock", None), True),
        (("::", 8000), False),
        (("10.0.0.1", 8000), False),
        (("::ffff:10.0.0.1", 8000), False),
        (("localhost", 8000), False),
        (("somewhere", None), False),
        (None, False),
    ],
)
def test_only_what_nobody_else_reaches_is_local(server: tuple[str, int | None] | None, expected: bool) -> None:
    assert is_local(server) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, False) for host in ("127.0.0.1", "127.8.9.10", "::1", "localhost")),
        *((host, True) for host in ("", "0.0.0.0", "::", "192.168.1.7", "2001:db8::1", "::ffff:10.0.0.1")),  # noqa: S104
    ],
)
def test_a_host_is_open_if_others_reach_one_of_its_addresses(host: str, expected: bool) -> None:
    assert is_open(host) is expected


NAMED = {"Host": "localhost"}
"""By a name that is allowed, whatever the address."""


def status(api: ApiClient, host: str, path: str = "/model_info", headers: dict[str, str] = NAMED) -> int:
    return api.get(f"http://{host}:8000{path}", headers=NAMED | headers).status_code


@pytest.mark.parametrize("path", ["/model_info", "/api_health", "/docs", "/nothing"])
def test_without_keys_only_requests_to_a_loopback_address_are_served(api: ApiClient, path: str) -> None:
    assert {status(api, host, path) for host in HERE} <= {200, 404}
    for host in ELSEWHERE:
        answer = api.get(f"http://{host}:8000{path}", headers=NAMED)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:pret-a-depenser:no-keys")
        assert "Set API_KEYS" in answer.json()["detail"]


def test_the_operator_may_know_better(bench: Workbench) -> None:
    with keyed_api(bench, allow_anonymous=True) as api:
        assert {status(api, host) for host in (*HERE, *ELSEWHERE)} == {200}


def test_with_keys_every_address_is_served(bench: Workbench) -> None:
    with keyed_api(bench, api_keys=API_KEYS) as api:
        for host in (*HERE, *ELSEWHERE):
            assert status(api, host) == 401
            assert status(api, host, headers={"X-API-Key": "ada"}) == 200
            assert status(api, host, "/api_health") == 200


def test_with_keys_of_administrators_alone_others_need_one_elsewhere(bench: Workbench, numbers: Kit) -> None:
    with keyed_api(bench, admin_keys="ann:first-key") as api:
        for hosts, expected in ((HERE, httpx.codes.OK), (ELSEWHERE, httpx.codes.UNAUTHORIZED)):
            for host in hosts:
                answer = api.post(f"http://{host}:8000/individual_score", json=numbers.rows[0], headers=NAMED)
                assert answer.status_code == expected
                assert status(api, host, headers={"X-API-Key": "first-key"}) == 200
                assert status(api, host, "/api_health") == 200

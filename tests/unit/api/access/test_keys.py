"""Who a key is for, and what it lets its caller do."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.access.callers import ANONYMOUS, ANYBODY, NOBODY, Headers
from api.access.keyring import Keyring
from api.access.rules import ADMIN, SAFE, needed
from pret.cli.main import main
from shared import keys
from shared.keys import Key, Scope, WrongKeys, digest_of
from shared.settings import Settings
from tests.factories import Kit
from tests.unit.api.access.keyed import ADA, entry, keyed_api
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench

PLAIN = SecretStr("ann:first-key, bob:second-key")


def ring(**settings: Any) -> Keyring:
    return Keyring(Settings(_env_file=None, **settings))


def bearer(value: bytes) -> Headers:
    return {b"authorization": value}


@pytest.mark.parametrize(
    ("settings", "headers", "name", "is_admin"),
    [
        ({}, {}, ANYBODY.name, True),
        ({}, bearer(b"Bearer whatever"), ANYBODY.name, True),
        ({"admin_keys": PLAIN}, {}, ANONYMOUS.name, False),
        ({"admin_keys": PLAIN}, bearer(b"Bearer first-key"), "ann", True),
        ({"admin_keys": PLAIN}, bearer(b"bearer   second-key "), "bob", True),
        ({"admin_keys": PLAIN}, bearer(b"Bearer third-key"), ANONYMOUS.name, False),
        ({"admin_keys": PLAIN}, bearer(b"Basic first-key"), ANONYMOUS.name, False),
        ({"admin_keys": PLAIN}, bearer(b"Bearer "), ANONYMOUS.name, False),
        ({"admin_keys": PLAIN}, bearer(b"Bearer \xff\xfe"), ANONYMOUS.name, False),
        ({"api_keys": entry("ada", "jobs")}, bearer(b"Bearer ada"), "ada", False),
        ({"api_keys": entry("ada", "jobs")}, {b"x-api-key": b" ada "}, "ada", False),
        ({"api_keys": entry("ada", "jobs")}, {b"x-api-key": b"ada", b"authorization": b"Basic eA=="}, "ada", False),
        ({"api_keys": entry("ada", "jobs")}, {b"x-api-key": b"eve"}, NOBODY.name, False),
        ({"api_keys": entry("ada", "admin")}, {b"x-api-key": b"ada"}, "ada", True),
        ({"api_keys": entry("ada", "jobs"), "admin_keys": PLAIN}, {b"x-api-key": b"first-key"}, "ann", True),
    ],
)
def test_a_caller_is_known_by_its_key(settings: dict[str, Any], headers: Headers, name: str, is_admin: bool) -> None:
    caller = ring(**settings).callers.identify(headers)
    assert (caller.name, caller.is_admin) == (name, is_admin)


def test_a_list_has_commas_lines_and_comments() -> None:
    text = f" {entry('ada', 'jobs')} ,\n# {entry('eve', 'admin')}\n\n{entry('bob', 'score+read')},"
    assert keys.parse(text) == [
        Key("ada", frozenset({Scope.JOBS}), digest_of(b"ada")),
        Key("bob", frozenset({Scope.SCORE, Scope.READ}), digest_of(b"bob")),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        *("ada", "ada:jobs", "ada:jobs:secret", f"ada::{'0' * 64}", f"ada:all:{'0' * 64}", f"a b:jobs:{'0' * 64}"),
        *(
            f"{'a' * 65}:jobs:{'0' * 64}",
            f"ada:jobs:{'0' * 63}",
            f"{entry('ada', 'jobs')},{entry('eve', 'jobs', 'ada')}",
        ),
    ],
)
def test_a_wrong_entry_is_told_without_a_piece_of_it(wrong: str) -> None:
    with pytest.raises(WrongKeys) as raised:
        keys.parse(f"{entry('bob', 'score')},{wrong}")
    assert not any(part in str(raised.value) for part in (wrong, "ada", "secret", "0" * 63))


def test_one_caller_may_have_two_keys() -> None:
    made = ring(api_keys=f"{entry('ada', 'jobs', 'old')},{entry('ada', 'score', 'new')}").callers
    old, new = (made.identify({b"x-api-key": key}) for key in (b"old", b"new"))
    assert old.owner == new.owner == "ada"
    assert (Scope.SCORE in old.scopes, Scope.SCORE in new.scopes) == (False, True)


def test_what_pret_prints_is_what_the_service_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "new", "ada", "--scope", "score", "--scope", "jobs"]) == 0
    _, key, _, line = map(str.strip, capsys.readouterr().out.splitlines())
    assert keys.parse(line) == [Key("ada", frozenset({Scope.SCORE, Scope.JOBS}), digest_of(key.encode()))]
    assert len(key) > 40
    assert main(["key", "new", "a:b", "--scope", "score"]) == 2
    assert "NAME may have" in capsys.readouterr().err


def test_a_file_is_read_again_when_it_changes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "keys"
    file.write_text("# nobody yet\n")
    made = ring(api_keys_file=file)
    assert made.callers.keyless is NOBODY

    def named(key: bytes) -> str:
        made.look()
        return made.callers.identify({b"x-api-key": key}).name

    replace(file, f"{entry('ada', 'jobs')}\n")
    assert named(b"ada") == "ada"
    replace(file, f"{entry('bob', 'jobs')}\n")
    assert (named(b"ada"), named(b"bob")) == (NOBODY.name, "bob")
    for text in ("not a line", None):
        if text is None:
            file.unlink()
        else:
            replace(file, text)
        assert (named(b"bob"), named(b"eve")) == ("bob", NOBODY.name)
        assert "stay valid" in caplog.text
        assert "not a line" not in caplog.text
        caplog.clear()
    replace(file, f"{entry('eve', 'jobs')}\n")
    assert named(b"eve") == "eve"


def replace(file: Path, text: str) -> None:
    """As editors and Kubernetes do it: another file takes its place."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def test_a_file_that_cannot_be_read_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(WrongKeys, match="API_KEYS_FILE cannot be read"):
        ring(api_keys_file=tmp_path / "missing")


CALLS: list[tuple[str, str, set[str]]] = [
    ("GET", "/api_health", {"", "score", "jobs", "read", "admin"}),
    ("GET", "/router_health", {"", "score", "jobs", "read", "admin"}),
    ("GET", "/docs", {"", "score", "jobs", "read", "admin"}),
    ("GET", "/model_info", {"score", "jobs", "read", "admin"}),
    ("GET", "/jobs", {"score", "jobs", "read", "admin"}),
    ("GET", "/nothing", {"score", "jobs", "read", "admin"}),
    ("POST", "/individual_score", {"score", "admin"}),
    ("POST", "/what_if", {"score", "admin"}),
    ("POST", "/multiple_score", {"score", "jobs", "admin"}),
    ("POST", "/jobs", {"jobs", "admin"}),
    ("DELETE", f"/jobs/{'0' * 32}", {"jobs", "admin"}),
    ("POST", f"/jobs/{'0' * 32}/retry", {"jobs", "admin"}),
    ("POST", "/reload_model", {"admin"}),
    ("POST", "/rollback_model", {"admin"}),
    ("PUT", "/nothing", {"admin"}),
]


@pytest.mark.parametrize("scope", ["", *Scope])
@pytest.mark.parametrize(("method", "path", "allowed"), CALLS)
def test_a_scope_lets_in_to_what_it_is_for(
    guarded: ApiClient, method: str, path: str, allowed: set[str], scope: str
) -> None:
    # Nothing behind the gate is to be changed by the test.
    body: dict[str, Any] = {"content": b"{", "headers": {"Content-Type": "text/plain"}} if method == "POST" else {}
    body["headers"] = body.get("headers", {}) | ({"X-API-Key": scope} if scope else {})
    answer = guarded.request(method, path, **body)
    if scope in allowed:
        assert answer.status_code not in (401, 403)
    elif scope:
        assert kind_of(assert_problem(answer, 403)) == "not-allowed"
    else:
        assert kind_of(assert_problem(answer, 401)) == "not-authenticated"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_only_what_is_listed_here_may_be_written_to_without_being_an_administrator(guarded: ApiClient) -> None:
    paths = guarded.get("/openapi.json").json()["paths"]
    writes = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert {(method, path) for method, path in writes if method not in SAFE and needed(method, path) != ADMIN} == {
        ("POST", "/individual_score"),
        ("POST", "/what_if"),
        ("POST", "/multiple_score"),
        ("POST", "/jobs"),
        ("POST", "/jobs/{job_id}/retry"),
        ("DELETE", "/jobs/{job_id}"),
    }


def test_without_a_key_the_documentation_does_not_show_the_model(guarded: ApiClient) -> None:
    for headers, is_shown in ({}, False), (ADA, True), ({}, False):
        document = guarded.get("/openapi.json", headers=headers).json()
        assert (document["x-model-version"] is not None) == is_shown
        assert ("properties" in document["components"]["schemas"]["Features"]) == is_shown


def test_a_key_scores(guarded: ApiClient, numbers: Kit) -> None:
    score: Callable[..., Any] = guarded.post
    assert score("/individual_score", json=numbers.rows[0], headers=ADA).status_code == 200
    assert score("/individual_score", json=numbers.rows[0]).status_code == 401


def test_a_caller_that_has_no_key_may_score_where_only_administrators_have_one(bench: Workbench, numbers: Kit) -> None:
    with keyed_api(bench, admin_keys="ann:first-key") as api:
        assert api.post("/individual_score", json=numbers.rows[0]).status_code == 200
        assert api.get("/jobs").status_code == 200
        assert_problem(api.post("/rollback_model"), 401)
        assert_problem(api.post("/rollback_model", headers={"X-API-Key": "first-key"}), 409)


def test_no_answer_and_no_log_repeats_a_key(guarded: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = guarded.get("/jobs", headers={"Authorization": "Bearer s3cr3t"})
    assert "s3cr3t" not in f"{answer.text}{answer.headers}{caplog.text}"
    assert not re.search(r"[0-9a-f]{64}", answer.text)

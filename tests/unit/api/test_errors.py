"""Every error is a problem document; the table knows all of them."""

import json
from collections.abc import Iterator

import pytest

from api import errors
from api.errors import METHODS
from shared.errors import InvalidRows, PretError, Report
from shared.reasons import MAX_REPORTED, InvalidValue
from shared.sentences import REASONS
from tests.unit.api.client import ApiClient, assert_problem, kind_of


def kinds(base: type[PretError] = PretError) -> Iterator[type[PretError]]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith(("api.", "shared.")):
            yield kind
            yield from kinds(kind)


RAISED = sorted((kind for kind in set(kinds()) if not kind.__subclasses__()), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", RAISED)
def test_every_error_that_can_be_raised_has_a_status(kind: type[PretError]) -> None:
    assert 400 <= errors.STATUS[kind] < 600


@pytest.mark.parametrize("kind", list(errors.STATUS))
def test_every_error_has_a_sentence_of_its_own(kind: type[PretError]) -> None:
    assert (kind.__doc__ or "").strip().endswith(".")
    assert kind.__doc__ not in [base.__doc__ for base in kind.__bases__]


@pytest.mark.parametrize("kind", [kind for kind in errors.STATUS if kind.default])
def test_what_is_raised_without_a_type_has_one_of_the_table(kind: type[PretError]) -> None:
    assert kind.default in REASONS


TOO_YOUNG = InvalidValue(3, "age", "greater_than_equal", {"limit": 18})


def test_an_invalid_value_is_told_as_in_a_report_and_as_a_place_in_the_body() -> None:
    values = (TOO_YOUNG, InvalidValue(None, "age", "missing"), InvalidValue(0, None, "dict_type"))
    response = errors.response_to(InvalidRows(Report(5, 7, values)))
    document = json.loads(bytes(response.body))
    assert (document["total"], document["invalid_values"], document["invalid_rows"]) == (7, 7, 5)
    assert document["params"] == {"count": 7, "limit": MAX_REPORTED}
    message = "Input should be greater than or equal to 18"
    assert document["detail"][0] == {"loc": ["body", 3, "age"], "msg": message, "type": "greater_than_equal"}
    assert [detail["loc"] for detail in document["detail"][1:]] == [["body", "age"], ["body", 0]]
    assert document["errors"][0] == {
        "row": 3,
        "column": "age",
        "type": "greater_than_equal",
        "message": message,
        "params": {"limit": 18},
    }
    assert document["errors"][1:] == [value.as_dict() for value in values[1:]]


@pytest.mark.parametrize("path", ["/nothing", "/jobs/a/b/c", "/%ED%A0%80"])
def test_an_unknown_path_is_a_problem(cut_off: ApiClient, path: str) -> None:
    assert kind_of(assert_problem(cut_off.get(path), 404)) == "not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/jobs", "GET, POST, HEAD"),
        ("POST", "/model_info", "GET, HEAD"),
        ("DELETE", "/api_health", "GET, HEAD"),
        ("PATCH", f"/jobs/{'1' * 32}", "DELETE, GET, HEAD"),
        ("GET", "/individual_score", "POST"),
        ("HEAD", "/multiple_score", "POST"),
        ("PUT", "/openapi.json", "GET, HEAD"),
    ],
)
def test_an_unknown_method_is_a_problem(cut_off: ApiClient, method: str, path: str, allowed: str) -> None:
    response = cut_off.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert kind_of(assert_problem(response, 405)) == "method-not-allowed"


def test_every_path_that_can_be_read_has_a_head(cut_off: ApiClient) -> None:
    paths = cut_off.get("/openapi.json").json()["paths"]
    assert {method.upper() for methods in paths.values() for method in methods} == set(METHODS)
    read = [path.replace("{job_id}", "1" * 32) for path, methods in paths.items() if "get" in methods]
    assert len(read) > 10
    for path in read:
        response, head = cut_off.get(path), cut_off.request("HEAD", path)
        assert (head.status_code, head.content) == (response.status_code, b"")
        assert head.headers["content-type"] == response.headers["content-type"]


def test_bad_parameters_are_named_and_not_repeated(cut_off: ApiClient) -> None:
    response = cut_off.get(f"/jobs/{'1' * 32}/results", params={"offset": "private", "limit": "99999999"})
    document = assert_problem(response, 422)
    assert (kind_of(document), document["total"]) == ("invalid-parameters", 2)
    assert [detail["loc"] for detail in document["detail"]] == [["query", "offset"], ["query", "limit"]]
    assert [detail.keys() for detail in document["detail"]] == [{"loc", "msg", "type"}] * 2
    assert "private" not in response.text


def test_a_fault_of_ours_is_a_problem_that_tells_nothing(cut_off: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault() -> None:
        raise ZeroDivisionError("private")

    monkeypatch.setattr(cut_off.services.storage, "check", fault)
    response = cut_off.get("/router_health")
    assert kind_of(assert_problem(response, 500)) == "unexpected"
    assert "private" not in response.text
    assert "ZeroDivision" not in response.text

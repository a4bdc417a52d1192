"""Parameters: what is not known is rejected with the nearest name, and a column to keep may be called anything."""

import json
from typing import Any

import pytest

from shared.reasons import MAX_REPORTED
from tests.factories import Kit, Row
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench, as_file

CSV = {"Content-Type": "text/csv"}
JSON = {"Content-Type": "application/json"}
JOB = "1" * 32


def details_of(document: dict[str, Any]) -> list[tuple[list[str], str, str]]:
    assert kind_of(document) == "invalid-parameters"
    assert document["total"] == len(document["detail"])
    return [(detail["loc"], detail["type"], detail["msg"]) for detail in document["detail"]]


@pytest.mark.parametrize(
    ("method", "path", "query", "nearest"),
    [
        ("POST", "/jobs", "sep=;", "delimiter"),
        ("POST", "/jobs", "separator=%3B", "delimiter"),
        ("POST", "/jobs", "on-invalid=flag", "on_invalid"),
        ("POST", "/jobs", "onInvalid=flag", "on_invalid"),
        ("POST", "/jobs", "Keep=id", "keep"),
        ("POST", "/jobs", "kept=id", "keep"),
        ("POST", "/jobs", "callback-url=", "callback_url"),
        ("POST", "/jobs", "decimals=,", "decimal"),
        ("GET", "/jobs", "status=failed", "state"),
        ("GET", "/jobs", "limits=3", "limit"),
        ("GET", f"/jobs/{JOB}/results", "Format=csv", "format"),
        ("GET", f"/jobs/{JOB}/results", "skip=10", "offset"),
    ],
)
def test_a_misspelt_parameter_is_rejected_with_the_nearest(
    cut_off: ApiClient, method: str, path: str, query: str, nearest: str
) -> None:
    document = assert_problem(cut_off.request(method, f"{path}?{query}", headers=CSV), 422)
    [(place, kind, words)] = details_of(document)
    assert (place, kind) == (["query", query.partition("=")[0]], "misspelt_parameter")
    assert words == f"Parameter is not known here. Did you mean '{nearest}'?"


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/jobs", "unknown_parameter"),
        ("GET", "/jobs", "unknown_parameter"),
        ("GET", f"/jobs/{JOB}/results", "unknown_parameter"),
        ("POST", "/multiple_score", "unknown_parameter"),
        ("POST", "/reload_model", "no_parameters"),
        ("POST", "/individual_score", "unknown_parameter"),
    ],
)
def test_a_parameter_that_is_like_none_is_rejected_with_all_that_are_known(
    cut_off: ApiClient, method: str, path: str, kind: str
) -> None:
    response = cut_off.request(method, f"{path}?xyz=private&q", headers=JSON, content=b"[]")
    assert [(place, each) for place, each, _ in details_of(assert_problem(response, 422))] == [
        (["query", "xyz"], kind),
        (["query", "q"], kind),
    ]
    assert "private" not in response.text
    assert ("offset" in response.text) == (method == "GET")


@pytest.mark.parametrize(
    ("method", "path", "query", "repeated"),
    [
        ("POST", "/individual_score", "explain=1&explain=2", "explain"),
        ("POST", "/individual_score", "explain=2&explain=2", "explain"),
        ("POST", "/jobs", "on_invalid=flag&keep=a&on_invalid=reject&keep=b", "on_invalid"),
        ("POST", "/multiple_score", "explain=1&explain=2", "explain"),
        ("GET", f"/jobs/{JOB}/results", "limit=1&limit=", "limit"),
        ("GET", f"/jobs/{JOB}/rows/1", "reasons=all&explain=1&reasons=adverse", "reasons"),
        ("DELETE", f"/jobs/{JOB}", "purge=false&purge=true", "purge"),
        ("GET", "/audit", "kind=reload&kind=denied", "kind"),
    ],
)
def test_a_parameter_that_is_given_twice_is_rejected(
    cut_off: ApiClient, method: str, path: str, query: str, repeated: str
) -> None:
    response = cut_off.request(method, f"{path}?{query}", headers=JSON, content=b"[]")
    [(place, kind, words)] = details_of(assert_problem(response, 422))
    assert (place, kind, words) == (["query", repeated], "repeated_parameter", "Parameter should be given once")


def test_a_field_of_a_form_that_is_there_twice_is_rejected_unless_it_is_a_list(api: ApiClient, numbers: Kit) -> None:
    files = {"file": ("rows.csv", as_file(numbers.rows[:3]))}
    twice = {"on_invalid": ["flag", "reject"], "missing": ["?", "-999"]}
    [detail] = details_of(assert_problem(api.post("/jobs", data=twice, files=files), 422))
    assert detail == (["body", "on_invalid"], "repeated_parameter", "Parameter should be given once")


def test_a_name_that_the_caller_made_up_is_cut(cut_off: ApiClient) -> None:
    [(place, _, _)] = details_of(assert_problem(cut_off.post("/jobs", params={"n" * 5000: "1"}), 422))
    assert place == ["query", "n" * 100 + "…"]


def test_a_field_of_a_form_that_is_not_known_is_rejected(api: ApiClient, numbers: Kit) -> None:
    files = {"upload": ("rows.csv", as_file(numbers.rows[:3]))}
    response = api.post("/jobs", data={"on_invalid": "flag", "sep": ";", "submit": "Send"}, files=files)
    assert [(place, kind) for place, kind, _ in details_of(assert_problem(response, 422))] == [
        (["body", "sep"], "misspelt_parameter"),
        (["body", "submit"], "unknown_parameter"),
    ]


NAMES = ["a,b", "nom, prénom", ",", 'a "b"', "a\nb", "plain"]


@pytest.fixture
def rows(numbers: Kit) -> list[Row]:
    return [row | {name: f"{name} {i}" for name in NAMES} for i, row in enumerate(numbers.rows[:3])]


@pytest.mark.parametrize(
    ("keep", "names"),
    [
        ([("keep", name) for name in NAMES], NAMES),
        ([("keep", "plain"), ("keep", "a,b")], ["plain", "a,b"]),
        ([("keep", "a,b"), ("keep", "")], ["a,b"]),
        ([("keep", ""), ("keep", ",")], [","]),
        ([("keep", 'plain,a "b"')], ["plain", 'a "b"']),
        ([("keep", "plain,")], ["plain"]),
        ([("keep", "")], []),
        ([], []),
    ],
)
@pytest.mark.parametrize("way", ["query", "form"])
def test_a_column_to_keep_may_have_any_name(
    api: ApiClient, api_bench: Workbench, rows: list[Row], keep: list[tuple[str, str]], names: list[str], way: str
) -> None:
    if way == "query":
        response = api.post("/jobs", params=keep, content=as_file(rows), headers=CSV)
    else:
        data = {"keep": [value for _, value in keep]}
        response = api.post("/jobs", data=data, files={"file": ("rows.csv", as_file(rows))})
    assert response.json()["keep"] == names
    job = api_bench.score_all(api_bench.read(response.json()["id"]))
    [first, *_] = api.get(f"/jobs/{job.id}/results").json()["results"]
    assert {name: first.get(name) for name in NAMES} == {
        name: rows[0][name] if name in names else None for name in NAMES
    }


def test_a_name_in_the_query_is_the_same_with_a_form(api: ApiClient, rows: list[Row]) -> None:
    query = [("keep", "a,b"), ("keep", "")]
    response = api.post("/jobs", params=query, data={"on_invalid": "flag"}, files={"file": ("rows.csv", as_file(rows))})
    assert response.json()["keep"] == ["a,b"]


def test_a_column_to_keep_that_no_row_has_is_told_at_once_of_json(api: ApiClient, rows: list[Row]) -> None:
    body = json.dumps(rows).encode()
    document = assert_problem(api.post("/jobs?keep=plain&keep=plane", content=body, headers=JSON), 422)
    assert (kind_of(document), document["params"]) == ("kept-columns-missing", {"columns": ["plane"]})


@pytest.mark.parametrize("path", ["/jobs", "/individual_score"])
def test_of_many_unknown_parameters_the_first_hundred_are_told(cut_off: ApiClient, path: str) -> None:
    query = "&".join(f"x{number}" for number in range(5000))
    document = assert_problem(cut_off.post(f"{path}?{query}", headers=CSV), 422)
    assert (document["total"], len(document["detail"])) == (5000, MAX_REPORTED)
    assert document["detail"][-1]["loc"] == ["query", f"x{MAX_REPORTED - 1}"]


@pytest.mark.parametrize("way", ["query", "form"])
@pytest.mark.parametrize(("given", "taken"), [(["?,-999"], ("?", "-999")), (["a,b", ""], ("a,b",)), ([" ? "], ("?",))])
def test_missing_values_may_be_spelt(
    api: ApiClient, api_bench: Workbench, rows: list[Row], way: str, given: list[str], taken: tuple[str, ...]
) -> None:
    content = as_file([rows[0] | {"children": taken[0]}])
    if way == "query":
        response = api.post("/jobs", params=[("missing", value) for value in given], content=content, headers=CSV)
    else:
        response = api.post("/jobs", data={"missing": given}, files={"file": ("rows.csv", content)})
    job = api_bench.read(response.json()["id"])
    assert (job.missing, job.rows) == (taken, 1)


@pytest.mark.parametrize("missing", ["x" * 101, ",".join("abcdefghijklmnopqrstuvwxyz")])
def test_missing_values_have_a_limit(cut_off: ApiClient, missing: str) -> None:
    document = assert_problem(cut_off.post(f"/jobs?missing={missing}", headers=CSV), 422)
    [(place, kind, _)] = details_of(document)
    assert (place[:2], kind) == (["query", "missing"], "missing_spellings")

"""The OpenAPI document is valid and follows the model."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from api.errors import PROBLEM_TYPE, STATUS
from api.problems import MEANING, PROBLEM_REF, Problem
from shared.errors import PretError
from tests.factories import Kit
from tests.unit.api.client import ApiClient
from tests.unit.workbench import Workbench

README = Path(__file__).resolve().parents[3] / "README.md"


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolved(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for key in reference.removeprefix("#/").split("/"):
        found = found[key]
    return found


@pytest.fixture(params=["cut_off", "bare"])
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    client: ApiClient = request.getfixturevalue(request.param)
    made: dict[str, Any] = client.get("/openapi.json").json()
    return made


def body_of(document: dict[str, Any], path: str) -> dict[str, Any]:
    media: dict[str, Any] = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return media


def test_it_is_valid_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    OpenAPI.model_validate(document)
    found = list(references(document))
    assert found
    assert all(resolved(document, reference) for reference in found)


def test_every_route_has_a_body_an_answer_and_problems(document: dict[str, Any]) -> None:
    for path in ("/individual_score", "/multiple_score", "/jobs"):
        assert body_of(document, path)["schema"]
        assert document["paths"][path]["post"]["requestBody"]["required"] is True
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation.get("description")


def test_every_status_of_an_error_is_a_problem_of_one_shape(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            errors = {status: each for status, each in operation["responses"].items() if status[0] not in "123"}
            assert "default" in errors
            if path == "/router_health":
                del errors["503"]
            for status, response in errors.items():
                assert response["content"] == {PROBLEM_TYPE: {"schema": PROBLEM_REF}}, (path, status)
                assert response["description"]
                assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "503"))
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()


def test_the_endpoints_of_the_readme_and_their_statuses_are_those_of_the_api(document: dict[str, Any]) -> None:
    rows = re.findall(r"^\| `([A-Z]+) (/[^`]*)` \| ([\d, ]+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    told = {(method, path): set(statuses.split(", ")) for method, path, statuses in rows}
    assert len(told) == len(rows)
    assert told.pop(("GET", "/")) == {"307"}
    assert told == {
        (method.upper(), path.replace("{job_id}", "{id}")): operation["responses"].keys() - {"default"}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


@pytest.mark.parametrize("error", STATUS)
def test_every_status_that_an_error_has_is_explained(error: type[PretError]) -> None:
    assert MEANING[STATUS[error]].endswith(".")


def test_problems_have_the_shape_that_is_told(api: ApiClient) -> None:
    for response in (
        api.get("/jobs/unknown"),
        api.get("/jobs?limit=0"),
        api.post("/multiple_score", json=[{"income": "a lot"}]),
    ):
        Problem.model_validate(response.json(), strict=True, extra="forbid")


def test_it_shows_the_models_features_and_example(cut_off: ApiClient, mixed: Kit) -> None:
    document = cut_off.get("/openapi.json").json()
    features = document["components"]["schemas"]["Features"]
    assert list(features["properties"]) == [column["name"] for column in mixed.inputs]
    assert set(features["required"]) == {"income", "age"}
    assert features["additionalProperties"] is False
    income, children = features["properties"]["income"], features["properties"]["children"]
    assert (income["description"], income["minimum"]) == ("Monthly income.", 0)
    assert [0, 1, 2, 3] in [choice.get("enum") for choice in children["anyOf"]]
    assert body_of(document, "/individual_score")["example"] == mixed.rows[0]
    assert body_of(document, "/jobs")["example"] == [mixed.rows[0]]


def test_its_example_can_be_scored(cut_off: ApiClient) -> None:
    document = cut_off.get("/openapi.json").json()
    example = body_of(document, "/individual_score")["example"]
    assert cut_off.post("/individual_score", json=example).status_code == 200
    assert cut_off.post("/what_if", json=body_of(document, "/what_if")["example"]).status_code == 200


def test_without_a_model_it_says_that_features_will_follow(bare: ApiClient) -> None:
    document = bare.get("/openapi.json").json()
    assert "No model" in document["components"]["schemas"]["Features"]["description"]
    assert "example" not in body_of(document, "/individual_score")


def test_it_follows_another_model(fresh: ApiClient, bench: Workbench, mixed: Kit) -> None:
    before = fresh.get("/openapi.json").json()
    assert fresh.get("/openapi.json").json() == before
    version = bench.offer(mixed)
    bench.activate(version)
    fresh.services.member.look()
    after = fresh.get("/openapi.json").json()
    assert "purpose" not in before["components"]["schemas"]["Features"]["properties"]
    assert "purpose" in after["components"]["schemas"]["Features"]["properties"]
    assert after["x-model-version"] == version
    assert after["paths"].keys() == before["paths"].keys()


def test_the_documentation_brings_its_own_scripts(cut_off: ApiClient) -> None:
    page = cut_off.get("/docs").text
    assert "swagger" in page
    assert "https://" not in page

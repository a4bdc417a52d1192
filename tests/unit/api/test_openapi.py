"""The OpenAPI document is valid and follows the model."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from api.errors import PROBLEM_TYPE
from tests.factories import Kit
from tests.unit.api.client import ApiClient
from tests.unit.workbench import Workbench


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
        assert PROBLEM_TYPE in operation["responses"]["default"]["content"]
        assert operation.get("description")


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

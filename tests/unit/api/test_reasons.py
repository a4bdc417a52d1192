"""Reasons in the call: `explain` and `reasons` of a single score."""

import asyncio
import copy
import threading
from collections.abc import Iterator
from dataclasses import replace
from math import exp
from typing import Any

import httpx
import pytest

from api.reason_schemas import ExplainedScore
from shared.models.explainer import Contributions
from tests.factories import METADATA, Kit, Row, put_in_cache, without_leaf_weights, write_checksums
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.api.conftest import UNUSED_REDIS, api_in

DEADLINE = 30.0

NOTES: dict[str, Any] = {
    "income": {
        "label": {"fr": "Revenu mensuel", "en": "Monthly income"},
        "reason": {"fr": "Votre revenu est bas.", "en": "Your income is low."},
    },
    "age": {"label": {"fr": "Âge", "en": "Age"}, "actionable": False},
    "married": {"protected": True},
    "lowest": {"group": "scores"},
    "highest": {"group": "scores"},
    "purpose": {"label": "<b>Purpose</b>"},
}
GROUPS = {"scores": {"label": {"fr": "Notes externes", "en": "External scores"}}}


@pytest.fixture(scope="module")
def noted(mixed: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """The API with a model whose features have notes, while Redis is away."""
    metadata = copy.deepcopy(METADATA)
    for name, notes in NOTES.items():
        metadata["features"].setdefault(name, {}).update(notes)
    kit = Kit(mixed.classifier, mixed.inputs, metadata | {"groups": GROUPS}, mixed.rows)
    folder = tmp_path_factory.mktemp("noted")
    put_in_cache(kit.write(folder / "source"), folder / "cache")
    with api_in(folder, redis_url=UNUSED_REDIS) as client:
        yield client


def explained(client: ApiClient, row: Any, query: str, language: str = "") -> Any:
    response = client.post(f"/individual_score?{query}", json=row, headers={"accept-language": language})
    assert response.status_code == 200, response.text
    answer = response.json()
    ExplainedScore.model_validate(answer, strict=True)
    return answer


def total(explanation: Any) -> float:
    parts: float = sum(told["contribution"] for told in explanation["contributions"])
    return float(explanation["base_value"]) + parts + float(explanation["other"])


@pytest.mark.parametrize("query", ["explain=1", "explain=3", "explain=20", "explain=all", "explain=2&reasons=adverse"])
def test_contributions_add_up_to_the_score(noted: ApiClient, mixed: Kit, query: str) -> None:
    for row in mixed.rows[:20]:
        answer = explained(noted, row, query)
        assert {name: answer[name] for name in answer if name != "explanation"} == noted.post(
            "/individual_score", json=row
        ).json()
        assert total(answer["explanation"]) == pytest.approx(answer["explanation"]["raw_score"], abs=1e-12)
        assert 1 / (1 + exp(-answer["explanation"]["raw_score"])) == pytest.approx(answer["score"], abs=1e-9)


def test_the_largest_are_told_in_words_with_groups(noted: ApiClient, mixed: Kit) -> None:
    told = explained(noted, mixed.rows[0], "explain=all", "fr")["explanation"]["contributions"]
    assert {each["feature"] for each in told} == {"income", "age", "married", "purpose", "children", "scores"}
    sizes = [abs(each["contribution"]) for each in told]
    assert sizes == sorted(sizes, reverse=True)
    by_name = {each["feature"]: each for each in told}
    assert (by_name["scores"]["label"], by_name["scores"]["features"]) == ("Notes externes", ["lowest", "highest"])
    assert by_name["purpose"]["label"] == "<b>Purpose</b>"
    assert "features" not in by_name["age"]
    assert all((each["direction"] == "raises_risk") == (each["contribution"] > 0) for each in told)


def test_an_adverse_notice_leaves_out_what_is_protected_or_cannot_be_changed(noted: ApiClient, mixed: Kit) -> None:
    left_out = set()
    for row in mixed.rows[:50]:
        full = explained(noted, row, "explain=all")["explanation"]
        notice = explained(noted, row, "explain=all&reasons=adverse")["explanation"]
        raising = [each["feature"] for each in full["contributions"] if each["direction"] == "raises_risk"]
        assert [each["feature"] for each in notice["contributions"]] == [
            name for name in raising if name not in ("age", "married")
        ]
        assert notice["left_out"] == len({"age", "married"} & set(raising))
        assert (notice["raw_score"], full["left_out"], full["other"]) == (full["raw_score"], 0, 0)
        left_out.add(notice["left_out"])
    assert left_out >= {0, 1}


@pytest.mark.parametrize(("accepted", "language"), [("fr-FR,en;q=0.5", "fr"), ("de", "en"), ("", "en")])
def test_words_are_in_the_language_of_the_caller(noted: ApiClient, mixed: Kit, accepted: str, language: str) -> None:
    response = noted.post("/individual_score?explain=all", json=mixed.rows[0], headers={"accept-language": accepted})
    assert (response.headers["content-language"], response.headers["vary"]) == (language, "Accept-Language")
    words = {each["feature"]: each["label"] for each in response.json()["explanation"]["contributions"]}
    assert words["age"] == ("Âge" if language == "fr" else "Age")


def test_without_explain_nothing_is_said_of_reasons(noted: ApiClient, mixed: Kit) -> None:
    response = noted.post("/individual_score", json=mixed.rows[0])
    assert "explanation" not in response.json()
    assert "content-language" not in response.headers


@pytest.mark.parametrize("count", ["0", "21", "-1", "1.5", "five", "", "All", "१", "99999999999999999999"])
def test_another_number_of_reasons_is_rejected(noted: ApiClient, mixed: Kit, count: str) -> None:
    response = noted.post("/individual_score", params={"explain": count}, json=mixed.rows[0])
    [detail] = assert_problem(response, 422)["detail"]
    assert detail["loc"] == ["query", "explain"]
    assert detail["type"] == "explain_count"


@pytest.mark.parametrize(
    ("query", "place", "type"),
    [
        ("explain=1&reasons=good", ["query", "reasons"], "literal_error"),
        ("reasons=adverse", ["query"], "reasons_unasked"),
        ("explian=1", ["query", "explian"], "misspelt_parameter"),
    ],
)
def test_other_parameters_are_rejected(noted: ApiClient, mixed: Kit, query: str, place: list[str], type: str) -> None:
    [detail] = assert_problem(noted.post(f"/individual_score?{query}", json=mixed.rows[0]), 422)["detail"]
    assert (detail["loc"], detail["type"]) == (place, type)


def test_an_invalid_row_is_told_as_without_reasons(noted: ApiClient, mixed: Kit) -> None:
    document = assert_problem(noted.post("/individual_score?explain=1", json=mixed.rows[0] | {"age": 7}), 422)
    assert kind_of(document) == "invalid-rows"


def test_labels_of_the_signature_are_in_the_language_of_the_caller(noted: ApiClient) -> None:
    response = noted.get("/model_signature", headers={"accept-language": "fr"})
    assert (response.headers["content-language"], response.headers["vary"]) == ("fr", "Accept-Language")
    columns = {column["name"]: column for column in response.json()["columns"]}
    assert (columns["income"]["label"], columns["income"]["description"]) == ("Revenu mensuel", "Monthly income.")
    assert (columns["lowest"]["group"], columns["lowest"]["group_label"]) == ("scores", "Notes externes")
    assert (columns["age"]["actionable"], columns["married"]["protected"], columns["children"]["label"]) == (
        *(False, True),
        None,
    )


def test_the_importance_is_told_of_features_and_groups(noted: ApiClient) -> None:
    response = noted.get("/model_importance", headers={"accept-language": "fr"})
    body = response.json()
    assert (body["source"], body["rows"], body["model_version"]) == (
        *("training", 100),
        noted.services.member.model.version,
    )
    assert {each["feature"]: each["label"] for each in body["features"]}["age"] == "Âge"
    assert [each["importance"] for each in body["features"]] == [0.5] * 7
    assert body["groups"] == [{"group": "scores", "label": "Notes externes", "importance": 0.75}]
    assert response.headers["content-language"] == "fr"


def test_without_a_model_there_is_no_importance(bare: ApiClient) -> None:
    assert_problem(bare.get("/model_importance"), 404)


def test_nobody_waits_for_an_explanation_of_somebody_else(
    noted: ApiClient, mixed: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer = noted.services.member.model.explainer
    begun, may_end = threading.Event(), threading.Event()
    explain_rows = explainer.explain_rows

    def slow(rows: list[Row]) -> Contributions:
        begun.set()
        assert may_end.wait(DEADLINE)
        return explain_rows(rows)

    async def both() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(noted.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            explained = asyncio.create_task(client.post("/individual_score?explain=1", json=mixed.rows[0]))
            await asyncio.to_thread(begun.wait, DEADLINE)
            plain = await client.post("/individual_score", json=mixed.rows[0])
            assert not explained.done()
            may_end.set()
            return await explained, plain

    monkeypatch.setattr(explainer, "explain_rows", slow)
    explained, plain = noted.run(both())
    assert plain.json()["score"] == explained.json()["score"]


@pytest.fixture(scope="module")
def unexplained(numbers: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """The API with a model whose file does not say how many rows of the training each leaf had."""
    folder = tmp_path_factory.mktemp("unexplained")
    kit = replace(numbers, classifier=without_leaf_weights(numbers.classifier, folder / "model.json"))
    source = kit.write(folder / "source")
    (source / "importance.json").unlink()
    write_checksums(source)
    put_in_cache(source, folder / "cache")
    with api_in(folder, redis_url=UNUSED_REDIS) as client:
        yield client


def test_a_model_that_cannot_be_explained_still_scores(unexplained: ApiClient, numbers: Kit) -> None:
    row = numbers.rows[0]
    assert unexplained.post("/individual_score", json=row).status_code == 200
    assert unexplained.post("/what_if", json={"row": row, "features": ["income"]}).status_code == 200
    for response in (
        unexplained.post("/individual_score?explain=1", json=row),
        unexplained.post("/what_if", json={"row": row}),
        unexplained.get("/model_importance"),
    ):
        assert kind_of(assert_problem(response, 422)) == "explanation-without-weights"

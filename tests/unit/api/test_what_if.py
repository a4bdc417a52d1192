"""`POST /what_if`: other values of some features of one applicant; Redis is away."""

import json
from typing import Any

import pytest

from api.reason_schemas import WhatIfBody
from tests.factories import Kit
from tests.unit.api.client import ApiClient, assert_problem, kind_of

JSON = {"content-type": "application/json"}


def test_the_answer_holds_the_score_and_the_curves(cut_off: ApiClient, mixed: Kit) -> None:
    row = mixed.rows[0]
    response = cut_off.post("/what_if", json={"row": row, "features": ["age", "purpose"]})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert WhatIfBody.model_validate(answer).model_dump() == answer
    own = cut_off.post("/individual_score", json=row).json()
    assert {name: answer[name] for name in own} == own
    assert [curve["feature"] for curve in answer["features"]] == ["age", "purpose"]
    assert (response.headers["content-language"], response.headers["vary"]) == ("en", "Accept-Language")
    for point in answer["features"][0]["points"]:
        changed = cut_off.post("/individual_score", json=row | {"age": point["value"]}).json()
        assert changed["score"] == point["score"]


@pytest.mark.parametrize("features", [{}, {"features": None}])
def test_without_features_the_five_that_contribute_most_are_tried(
    cut_off: ApiClient, mixed: Kit, features: Any
) -> None:
    row = mixed.rows[0]
    explained = cut_off.post("/individual_score?explain=5", json=row).json()["explanation"]
    answer = cut_off.post("/what_if", json={"row": row} | features).json()
    assert [curve["feature"] for curve in answer["features"]] == [
        told["feature"] for told in explained["contributions"]
    ]


@pytest.mark.parametrize(
    ("features", "kind"),
    [
        ([], "what-if-count"),
        (["age"] * 2, "what-if-count"),
        (["a", "b", "c", "d", "e", "f"], "what-if-count"),
        (["salary"], "what-if-unknown"),
        (["x" * 5000], "what-if-unknown"),
    ],
)
def test_features_that_cannot_be_tried_are_rejected(cut_off: ApiClient, mixed: Kit, features: Any, kind: str) -> None:
    response = cut_off.post("/what_if", json={"row": mixed.rows[0], "features": features})
    assert kind_of(assert_problem(response, 422)) == kind
    assert len(response.content) < 1000


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"5",
        b"null",
        b"{}",
        b'{"row": {}, "features": 5}',
        b'{"row": {}, "features": [1]}',
        b'{"row": {}, "x": 1}',
    ],
)
def test_a_body_of_another_shape_is_rejected(cut_off: ApiClient, body: bytes) -> None:
    document = assert_problem(cut_off.post("/what_if", content=body, headers=JSON), 422)
    assert kind_of(document) == "invalid-parameters"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"row": {"age": NaN,}}', b'{"row": ' + b"[" * 9000, b"\xff", b'{"row": {"\xff": 1}, "row": {}}'],
)
def test_a_body_that_is_not_json_is_rejected(cut_off: ApiClient, body: bytes) -> None:
    assert kind_of(assert_problem(cut_off.post("/what_if", content=body, headers=JSON), 400)) == "json-invalid"


@pytest.mark.parametrize("row", [{}, {"age": "x"}, [], 5, None, "text"])
def test_an_invalid_row_is_rejected(cut_off: ApiClient, row: Any) -> None:
    body = json.dumps({"row": row}).encode()
    assert kind_of(assert_problem(cut_off.post("/what_if", content=body, headers=JSON), 422)) == "invalid-rows"


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_row_with_nan_is_invalid_as_where_it_is_scored(cut_off: ApiClient, mixed: Kit, word: str) -> None:
    row = json.dumps(mixed.rows[0] | {"age": float(word.lower())})
    found = [
        assert_problem(cut_off.post(path, content=body.encode(), headers=JSON), 422)["errors"]
        for path, body in (("/what_if", f'{{"row": {row}}}'), ("/individual_score", row))
    ]
    assert found[0] == found[1]
    assert [error["column"] for error in found[0]] == ["age"]


def test_other_content_parameters_and_sizes_are_rejected(cut_off: ApiClient, mixed: Kit) -> None:
    body = json.dumps({"row": mixed.rows[0]}).encode()
    assert_problem(cut_off.post("/what_if", content=body, headers={"content-type": "text/plain"}), 415)
    assert_problem(cut_off.post("/what_if?explain=1", content=body, headers=JSON), 422)
    assert_problem(cut_off.post("/what_if", content=body + b" " * 20_000, headers=JSON), 413)


def test_without_a_model_there_is_no_answer(bare: ApiClient) -> None:
    assert_problem(bare.post("/what_if", json={"row": {}}), 503)

"""One applicant in the call itself; Redis is away in all of these tests, and nobody notices."""

import json
from typing import Any

import pytest

from api.schemas import Score
from shared.sentences import INVALID_VALUES
from tests.factories import Kit, fields_of
from tests.unit.api.client import ApiClient, assert_problem, in_pieces, kind_of
from tests.unit.api.conftest import MAX_BODY_BYTES

JSON = {"content-type": "application/json"}


def score(client: ApiClient, body: bytes, headers: dict[str, str] | None = None) -> Any:
    return client.post("/individual_score", content=body, headers=JSON if headers is None else headers)


def test_scores_are_catboosts_own_to_the_last_bit(cut_off: ApiClient, mixed: Kit) -> None:
    rows = mixed.rows[:50]
    answers = [cut_off.post("/individual_score", json=row).json() for row in rows]
    assert [answer["score"] for answer in answers] == mixed.expected(rows)


def test_an_answer_holds_score_threshold_decision_and_version(cut_off: ApiClient, mixed: Kit) -> None:
    response = cut_off.post("/individual_score", json=mixed.rows[0])
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert list(answer) == ["score", "prediction", "threshold", "decision", "model_version"]
    assert Score.model_validate(answer, strict=True).model_dump() == answer
    assert answer["threshold"] == 0.4
    assert answer["model_version"] == cut_off.services.member.model.version


def test_the_decision_follows_the_threshold(cut_off: ApiClient, mixed: Kit) -> None:
    answers = [cut_off.post("/individual_score", json=row).json() for row in mixed.rows[:50]]
    decisions = {(answer["score"] >= 0.4, answer["prediction"], answer["decision"]) for answer in answers}
    assert decisions == {(False, 0, "Accordé"), (True, 1, "Refusé")}


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON ; charset=utf-8"])
def test_json_may_be_declared_in_any_case_and_with_parameters(
    cut_off: ApiClient, mixed: Kit, content_type: str
) -> None:
    body = json.dumps(mixed.rows[0]).encode()
    assert score(cut_off, body, {"content-type": content_type}).status_code == 200


def test_a_body_may_come_in_pieces(cut_off: ApiClient, mixed: Kit) -> None:
    pieces = [bytes([byte]) for byte in json.dumps(mixed.rows[0]).encode()]
    response = cut_off.post("/individual_score", content=in_pieces(pieces), headers=JSON)
    assert response.json()["score"] == mixed.expected()[0]


@pytest.mark.parametrize("content_type", ["text/plain", "application/json5", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_rejected(cut_off: ApiClient, content_type: str) -> None:
    document = assert_problem(score(cut_off, b"{}", {"content-type": content_type}), 415)
    assert "application/json" in document["detail"]


def test_a_body_without_content_type_is_rejected(cut_off: ApiClient) -> None:
    assert_problem(score(cut_off, b"{}", {}), 415)


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
def test_a_compressed_body_is_rejected(cut_off: ApiClient, encoding: str) -> None:
    assert_problem(score(cut_off, b"{}", JSON | {"content-encoding": encoding}), 415)


@pytest.mark.parametrize("path", ["/individual_score", "/multiple_score", "/jobs"])
def test_a_body_over_the_limit_is_rejected_before_it_is_read(cut_off: ApiClient, path: str) -> None:
    response = cut_off.post(path, content=b" " * (MAX_BODY_BYTES + 1), headers=JSON)
    assert assert_problem(response, 413)["params"] == {"limit": MAX_BODY_BYTES}


@pytest.mark.parametrize("path", ["/individual_score", "/multiple_score", "/jobs"])
def test_a_body_over_the_limit_is_rejected_when_it_does_not_tell_its_length(api: ApiClient, path: str) -> None:
    body = in_pieces([b" " * 1000] * (MAX_BODY_BYTES // 1000 + 1))
    assert_problem(api.post(path, content=body, headers=JSON), 413)


def test_a_body_at_the_limit_is_read(cut_off: ApiClient, mixed: Kit) -> None:
    assert score(cut_off, json.dumps(mixed.rows[0]).encode().ljust(MAX_BODY_BYTES)).status_code == 200


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", "+5", "\xb2"])
def test_a_length_that_is_no_number_is_rejected(cut_off: ApiClient, length: str) -> None:
    headers = {"content-type": "application/json", "content-length": length.encode("latin-1")}
    response = cut_off.post("/individual_score", content=in_pieces([b"{}"]), headers=headers)
    assert_problem(response, 400)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 10_000, rb'{"purpose": "\ud800"}'])
def test_what_is_not_json_is_rejected(cut_off: ApiClient, body: bytes) -> None:
    document = assert_problem(score(cut_off, body), 400)
    assert (kind_of(document), document["params"]["line"]) == ("json-invalid", 1)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", '"10"', "null", "[]", "true", "-1"])
def test_a_bad_value_is_named_by_its_feature(cut_off: ApiClient, mixed: Kit, value: str) -> None:
    body = json.dumps(mixed.rows[0] | {"income": "VALUE"}).replace('"VALUE"', value)
    document = assert_problem(score(cut_off, body.encode()), 422)
    [detail] = document["detail"]
    assert detail["loc"] == ["body", "income"]
    assert detail.keys() == {"loc", "msg", "type"}
    [error] = document["errors"]
    assert (error["row"], error["column"], error["type"], error["message"]) == (
        *(None, "income"),
        *(detail["type"], detail["msg"]),
    )
    assert error["params"].keys() == fields_of(INVALID_VALUES[error["type"]])
    assert (document["total"], document["invalid_rows"], document["invalid_values"]) == (1, 1, 1)


def test_errors_are_capped_and_do_not_repeat_the_input(cut_off: ApiClient) -> None:
    body = json.dumps({"k" * 300 + str(i): "private" for i in range(40)} | {f"k{i}": "private" for i in range(200)})
    response = score(cut_off, body.encode())
    document = assert_problem(response, 422)
    assert (len(document["detail"]), len(document["errors"])) == (100, 100)
    assert (document["total"], document["invalid_rows"], document["invalid_values"]) == (242, 1, 242)
    assert "private" not in response.text
    assert len(response.content) < 2 * MAX_BODY_BYTES


def test_a_row_out_of_order_is_rejected(cut_off: ApiClient, mixed: Kit) -> None:
    response = cut_off.post("/individual_score", json=mixed.rows[0] | {"lowest": 0.9, "highest": 0.1})
    assert [detail["type"] for detail in assert_problem(response, 422)["detail"]] == ["not_ordered"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_rejected(cut_off: ApiClient, method: str) -> None:
    response = cut_off.request(method, "/individual_score")
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/individual_score", "/multiple_score", "/jobs"])
def test_without_a_model_nothing_is_scored(bare: ApiClient, path: str) -> None:
    response = bare.post(path, json=[])
    assert "No model is loaded" in assert_problem(response, 503)["detail"]
    assert int(response.headers["retry-after"]) > 0

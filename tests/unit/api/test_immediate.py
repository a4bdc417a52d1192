"""Batches that a caller waits for: answered by the API itself, without Redis or a worker, as a job would be."""

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from api import immediate
from api.immediate import ImmediateBatches
from shared.contract.validated import Validated
from shared.errors import InvalidRows
from shared.formats.json_rows import SLICE_ROWS, validated_from_document
from shared.formats.source import ReadOptions
from shared.models.artifact import Model
from tests.factories import Kit, Row
from tests.unit.api.client import ApiClient, assert_problem, kind_of
from tests.unit.workbench import Workbench

WAITING = {"prefer": "wait=5"}
MANY = 3 * SLICE_ROWS + 1


def split(rows: list[Row]) -> dict[str, Any]:
    names = sorted({name for row in rows for name in row})
    return {"dataframe_split": {"columns": names, "data": [[row.get(name) for name in names] for row in rows]}}


def columns(rows: list[Row]) -> dict[str, Any]:
    names = sorted({name for row in rows for name in row})
    return {"columns": {name: [row.get(name) for row in rows] for name in names}}


def records(rows: list[Row]) -> dict[str, Any]:
    return {"dataframe_records": rows}


SHAPES = pytest.mark.parametrize("shape", [list, records, split, columns])


def slices_of(rows: list[Row], model: Model) -> Iterable[Validated]:
    return validated_from_document(json.dumps(rows).encode(), model.contract, ReadOptions(), ignore_extra=False)


def answer(batches: ImmediateBatches, rows: list[Row], model: Model) -> bytes | None:
    return asyncio.run(batches.answers(lambda: slices_of(rows, model), model))


@SHAPES
def test_a_batch_that_is_waited_for_is_scored_without_redis(cut_off: ApiClient, mixed: Kit, shape: Any) -> None:
    rows = mixed.rows[:40]
    response = cut_off.post("/multiple_score", json=shape(rows), headers=WAITING)
    assert response.status_code == 200
    assert (response.headers["preference-applied"], response.headers["vary"]) == ("wait=5", "Prefer")
    assert [answer["score"] for answer in response.json()] == mixed.expected(rows)
    assert list((cut_off.folder / "storage").rglob("*.arrow")) == []


def test_answers_are_those_of_a_job_byte_for_byte(
    api: ApiClient, api_bench: Workbench, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score_at_once(job: Any, units: list[str]) -> None:
        for chunk in units:
            api_bench.score(job.id, int(chunk))

    at_once = api.post("/multiple_score", json=numbers.rows[:10], headers=WAITING)
    assert api_bench.parts.store.open_jobs() == []
    monkeypatch.setattr(api.services.queue, "publish", score_at_once)
    of_job = api.post("/multiple_score", json=numbers.rows[:10], headers=WAITING | {"idempotency-key": "k"})
    assert (at_once.status_code, of_job.status_code) == (200, 200)
    assert at_once.content == of_job.content
    assert {**at_once.headers, "x-request-id": ""} == {**of_job.headers, "x-request-id": ""}


@pytest.mark.parametrize("headers", [{}, {"prefer": "wait=0"}, WAITING | {"idempotency-key": "k"}])
def test_a_batch_that_is_not_waited_for_or_has_a_key_is_a_job(
    cut_off: ApiClient, mixed: Kit, headers: dict[str, str]
) -> None:
    response = cut_off.post("/multiple_score", json=mixed.rows[:3], headers=headers)
    assert kind_of(assert_problem(response, 503)) == "redis-unavailable"


def test_a_batch_beyond_the_limit_is_a_job(api: ApiClient, numbers: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.services.immediate, "_most_rows", 10)
    assert api.post("/multiple_score", json=numbers.rows[:10], headers=WAITING).status_code == 200
    response = api.post("/multiple_score", json=numbers.rows[:11], headers={"prefer": "wait=1"})
    assert (response.status_code, response.json()["rows"]) == (202, 11)


@SHAPES
def test_invalid_rows_are_reported_without_redis(cut_off: ApiClient, mixed: Kit, shape: Any) -> None:
    rows = [*mixed.rows[:5], mixed.rows[0] | {"age": 17}]
    document = assert_problem(cut_off.post("/multiple_score", json=shape(rows), headers=WAITING), 422)
    assert [(error["row"], error["column"], error["type"]) for error in document["errors"]] == [
        (5, "age", "greater_than_equal")
    ]


@pytest.mark.parametrize(
    ("body", "kind"), [("[]", "no-rows"), ("5", "json-not-an-array"), ("{}", "json-shape-unknown")]
)
def test_what_holds_no_rows_is_rejected_without_redis(cut_off: ApiClient, body: str, kind: str) -> None:
    headers = WAITING | {"content-type": "application/json"}
    assert kind_of(assert_problem(cut_off.post("/multiple_score", content=body, headers=headers), 400)) == kind


def test_unknown_keys_are_forbidden_in_records_under_a_key_too(cut_off: ApiClient, mixed: Kit) -> None:
    rows = [mixed.rows[0] | {"more": 1}]
    document = assert_problem(cut_off.post("/multiple_score", json=records(rows), headers=WAITING), 422)
    assert [error["type"] for error in document["errors"]] == ["extra_forbidden"]


def test_rows_of_several_slices_keep_their_order(kit: Kit, model: Model) -> None:
    rows = (kit.rows * (MANY // len(kit.rows) + 1))[:MANY]
    answers = json.loads(answer(ImmediateBatches(MANY), rows, model) or b"")
    assert [each["score"] for each in answers] == kit.expected(rows)


def test_the_limit_holds_also_where_rows_are_invalid(kit: Kit, model: Model) -> None:
    rows = [kit.rows[0] | {"age": 17}, *(kit.rows * (MANY // len(kit.rows) + 1))][:MANY]
    assert answer(ImmediateBatches(MANY - 1), rows, model) is None
    with pytest.raises(InvalidRows):
        answer(ImmediateBatches(MANY), rows, model)


def test_without_a_limit_nothing_is_even_read(model: Model) -> None:
    def read() -> Iterable[Validated]:
        raise AssertionError

    assert asyncio.run(ImmediateBatches(0).answers(read, model)) is None


def test_a_slow_model_scores_fewer_rows(kit: Kit, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model.scorer.__dict__, "rows_per_second", 20.0)
    assert answer(ImmediateBatches(1000), kit.rows[:20], model) is not None
    assert answer(ImmediateBatches(1000), kit.rows[:21], model) is None


def test_one_batch_is_scored_at_a_time_and_the_next_waits_its_turn_or_is_a_job(
    kit: Kit, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = ImmediateBatches(100)
    underway, may_end = threading.Event(), threading.Event()

    def slowly() -> Iterator[Validated]:
        underway.set()
        assert may_end.wait(10)
        yield from slices_of(kit.rows[:3], model)

    async def run() -> tuple[bytes | None, bytes | None, bytes | None]:
        first = asyncio.create_task(batches.answers(slowly, model))
        await asyncio.to_thread(underway.wait, 10)
        monkeypatch.setattr(immediate, "PATIENCE", 0.01)
        second = await batches.answers(lambda: slices_of(kit.rows[:3], model), model)
        monkeypatch.setattr(immediate, "PATIENCE", 10.0)
        third = asyncio.create_task(batches.answers(lambda: slices_of(kit.rows[:3], model), model))
        await asyncio.sleep(0)
        may_end.set()
        return await first, second, await third

    first, second, third = asyncio.run(run())
    assert second is None
    assert first is not None
    assert first == third


def test_a_batch_that_fails_gives_up_its_turn(kit: Kit, model: Model) -> None:
    batches = ImmediateBatches(100)
    for _ in range(2):
        with pytest.raises(InvalidRows):
            answer(batches, [kit.rows[0] | {"age": 17}], model)
    assert answer(batches, kit.rows[:1], model) is not None


@pytest.mark.parametrize("shape", [split, columns])
def test_columns_that_are_no_features_are_ignored_as_in_a_file(cut_off: ApiClient, mixed: Kit, shape: Any) -> None:
    rows = [row | {"more": 1} for row in mixed.rows[:3]]
    response = cut_off.post("/multiple_score", json=shape(rows), headers=WAITING)
    assert [answer["score"] for answer in response.json()] == mixed.expected(mixed.rows[:3])

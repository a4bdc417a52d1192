"""Batches that a caller waits for: answered by the API itself, without Redis or a worker, as a job would be."""

import asyncio
import json
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api import immediate
from api.immediate import Answers, ImmediateBatches
from api.routes import submit
from shared.contract.validated import Validated
from shared.errors import InvalidRows
from shared.explanation import Wanted
from shared.formats.json_rows import validated_from_document
from shared.formats.json_slices import SLICE_ROWS
from shared.formats.source import ReadOptions
from shared.jobs.job import Job
from shared.metrics import Metrics
from shared.models.artifact import Model
from shared.scoring import explain
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
    answers = asyncio.run(batches.answers(lambda: slices_of(rows, model), model))
    assert answers is None or answers.rows == len(rows)
    return answers.text if answers else None


@SHAPES
def test_a_batch_that_is_waited_for_is_scored_without_redis(cut_off: ApiClient, mixed: Kit, shape: Any) -> None:
    rows = mixed.rows[:40]
    response = cut_off.post("/multiple_score", json=shape(rows), headers=WAITING)
    assert response.status_code == 200
    assert (response.headers["preference-applied"], response.headers["vary"]) == ("wait=5", "Prefer")
    assert [answer["score"] for answer in response.json()] == mixed.expected(rows)
    assert list((cut_off.folder / "storage").rglob("*.arrow")) == []


@pytest.fixture
def scoring(api: ApiClient, api_bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    """The API with a worker that scores each job as soon as it is published."""

    def score_at_once(job: Any, units: list[str]) -> None:
        for chunk in units:
            api_bench.score(job.id, int(chunk))

    monkeypatch.setattr(api.services.queue, "publish", score_at_once)
    return api


def both_ways(api: ApiClient, path: str = "/multiple_score", **request: Any) -> httpx.Response:
    """Send a batch to be scored at once, and with a key, which makes it a job: status, headers and body are the same."""
    headers = WAITING | {"x-request-id": "same", "content-type": "application/json"} | request.pop("headers", {})
    at_once = api.post(path, headers=headers, **request)
    assert api.services.store.open_jobs() == []
    of_job = api.post(path, headers=headers | {"idempotency-key": uuid4().hex}, **request)
    assert (at_once.status_code, at_once.headers, at_once.content) == (
        of_job.status_code,
        of_job.headers,
        of_job.content,
    )
    return at_once


@SHAPES
def test_answers_are_those_of_a_job_byte_for_byte(scoring: ApiClient, numbers: Kit, shape: Any) -> None:
    response = both_ways(scoring, json=shape(numbers.rows[:10]))
    assert [answer["score"] for answer in response.json()] == numbers.expected(numbers.rows[:10])


@SHAPES
def test_reasons_are_given_at_once_as_by_a_job_byte_for_byte(
    scoring: ApiClient, api_bench: Workbench, numbers: Kit, shape: Any
) -> None:
    response = both_ways(scoring, "/multiple_score?explain=2", json=shape(numbers.rows[:10]))
    told = [
        [(each.feature, each.contribution) for each in answer.explanation.contributions]
        for answer in explain(api_bench.model(), numbers.rows[:10], Wanted(2))
    ]
    found = [[(each["feature"], each["contribution"]) for each in answer["reasons"]] for answer in response.json()]
    assert found == [[(name, pytest.approx(value, abs=1e-12)) for name, value in each] for each in told]


def test_fewer_rows_are_explained_at_once_than_scored(kit: Kit, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model.explainer.__dict__, "rows_per_second", 10.0)
    assert answer(ImmediateBatches(1000, Metrics()), kit.rows[:20], model) is not None
    for rows, is_at_once in ((9, True), (11, False)):
        batches, given = ImmediateBatches(1000, Metrics()), partial(slices_of, kit.rows[:rows], model)
        assert (asyncio.run(batches.answers(given, model, 2)) is not None) is is_at_once


@SHAPES
def test_invalid_rows_are_reported_as_for_a_job_byte_for_byte(scoring: ApiClient, numbers: Kit, shape: Any) -> None:
    name = next(iter(numbers.rows[0]))
    rows = [row | {name: "x"} if i % 2 else row for i, row in enumerate(numbers.rows[:10])]
    document = assert_problem(both_ways(scoring, json=shape(rows)), 422)
    assert [error["row"] for error in document["errors"]] == [1, 3, 5, 7, 9]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\xef\xbb\xbf%s", 200),
        (b"%s x", 400),
        (b"[%s]", 422),
        (b'{"rows": %s}', 400),
        (b"\xff%s", 400),
        (b"x%s", 400),
        (b'"x"%s', 400),
        (b"", 400),
    ],
)
def test_bodies_are_judged_as_those_of_a_job(scoring: ApiClient, numbers: Kit, body: bytes, status: int) -> None:
    rows = json.dumps(numbers.rows[:3]).encode()
    response = both_ways(scoring, content=body % rows if b"%" in body else body)
    assert response.status_code == status


@pytest.mark.parametrize("charset", ["utf-16", "windows-1252"])
def test_charsets_are_read_as_for_a_job(scoring: ApiClient, numbers: Kit, charset: str) -> None:
    body = json.dumps(numbers.rows[:3]).encode(charset)
    headers = {"content-type": f"application/json; charset={charset}"}
    assert both_ways(scoring, content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("option", ["keep=x", "on_invalid=flag", "callback=http://a", "name=x", "wait=5"])
def test_options_of_jobs_are_rejected_also_for_a_caller_who_waits(
    scoring: ApiClient, numbers: Kit, option: str
) -> None:
    assert_problem(both_ways(scoring, f"/multiple_score?{option}", json=numbers.rows[:3]), 422)


def test_a_repeat_with_the_same_key_gets_the_same_answers(scoring: ApiClient, numbers: Kit) -> None:
    headers = WAITING | {"idempotency-key": "twice"}
    first, second = (scoring.post("/multiple_score", json=numbers.rows[:3], headers=headers) for _ in range(2))
    assert first.content == second.content
    other = scoring.post("/multiple_score", json=numbers.rows[:4], headers=headers)
    assert kind_of(assert_problem(other, 422)) == "idempotency-conflict"


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


def test_the_time_that_a_batch_waits_for_its_turn_is_part_of_what_its_caller_waits(
    api: ApiClient, numbers: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[float] = []

    async def give_up(*_: Any) -> None:
        await asyncio.sleep(0.2)

    async def wait_for(job: Job, seconds: float, _: Any) -> Job:
        left.append(seconds)
        return job

    monkeypatch.setattr(api.services.immediate, "answers", give_up)
    monkeypatch.setattr(submit, "_wait_for", wait_for)
    assert api.post("/multiple_score", json=numbers.rows[:1], headers=WAITING).status_code == 202
    assert 0 < left[0] <= 4.8


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
    answers = json.loads(answer(ImmediateBatches(MANY, Metrics()), rows, model) or b"")
    assert [each["score"] for each in answers] == kit.expected(rows)


def test_the_limit_holds_also_where_rows_are_invalid(kit: Kit, model: Model) -> None:
    rows = [kit.rows[0] | {"age": 17}, *(kit.rows * (MANY // len(kit.rows) + 1))][:MANY]
    assert answer(ImmediateBatches(MANY - 1, Metrics()), rows, model) is None
    with pytest.raises(InvalidRows):
        answer(ImmediateBatches(MANY, Metrics()), rows, model)


def test_without_a_limit_nothing_is_even_read(model: Model) -> None:
    def read() -> Iterable[Validated]:
        raise AssertionError

    assert asyncio.run(ImmediateBatches(0, Metrics()).answers(read, model)) is None


def test_counting_invalid_values_ends_where_it_does_for_a_job(
    kit: Kit, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(immediate, "COUNTED_VALUES", 1)
    rows = [row | {"age": 17} for row in (kit.rows * (MANY // len(kit.rows) + 1))[:MANY]]
    with pytest.raises(InvalidRows) as error:
        answer(ImmediateBatches(MANY, Metrics()), rows, model)
    assert 1 <= error.value.report.invalid_values < MANY


def test_a_slow_model_scores_fewer_rows(kit: Kit, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(model.scorer.__dict__, "rows_per_second", 20.0)
    assert answer(ImmediateBatches(1000, Metrics()), kit.rows[:20], model) is not None
    assert answer(ImmediateBatches(1000, Metrics()), kit.rows[:21], model) is None


def test_one_batch_is_scored_at_a_time_and_the_next_waits_its_turn_or_is_a_job(
    kit: Kit, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = ImmediateBatches(100, Metrics())
    underway, may_end = threading.Event(), threading.Event()

    def slowly() -> Iterator[Validated]:
        underway.set()
        assert may_end.wait(10)
        yield from slices_of(kit.rows[:3], model)

    async def run() -> list[Answers | None]:
        first = asyncio.create_task(batches.answers(slowly, model))
        await asyncio.to_thread(underway.wait, 10)
        patience = immediate.PATIENCE
        monkeypatch.setattr(immediate, "PATIENCE", 0.01)
        impatient = [await batches.answers(lambda: slices_of(kit.rows[:3], model), model)]
        monkeypatch.setattr(immediate, "PATIENCE", patience)
        impatient.append(await batches.answers(lambda: slices_of(kit.rows[:3], model), model, wait=0.01))
        monkeypatch.setattr(immediate, "PATIENCE", 10.0)
        third = asyncio.create_task(batches.answers(lambda: slices_of(kit.rows[:3], model), model))
        await asyncio.sleep(0)
        may_end.set()
        return [await first, *impatient, await third]

    first, *impatient, third = asyncio.run(run())
    assert impatient == [None, None]
    assert first is not None
    assert first == third


def test_a_batch_that_fails_gives_up_its_turn(kit: Kit, model: Model) -> None:
    batches = ImmediateBatches(100, Metrics())
    for _ in range(2):
        with pytest.raises(InvalidRows):
            answer(batches, [kit.rows[0] | {"age": 17}], model)
    assert answer(batches, kit.rows[:1], model) is not None


@pytest.mark.parametrize("shape", [split, columns])
def test_columns_that_are_no_features_are_ignored_as_in_a_file(cut_off: ApiClient, mixed: Kit, shape: Any) -> None:
    rows = [row | {"more": 1} for row in mixed.rows[:3]]
    response = cut_off.post("/multiple_score", json=shape(rows), headers=WAITING)
    assert [answer["score"] for answer in response.json()] == mixed.expected(mixed.rows[:3])

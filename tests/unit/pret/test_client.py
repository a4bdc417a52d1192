"""Every call of the client over a real HTTP server that speaks the contract, blocking and in asyncio."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from pret import (
    Busy,
    Client,
    Encoding,
    Format,
    InvalidRows,
    InvalidValue,
    JobFailed,
    Limits,
    NotAuthenticated,
    NotReachable,
    PretError,
    Reason,
    Rejected,
    Report,
    Score,
    ServerFault,
    TimedOut,
    UnknownJob,
    requests,
)
from tests.unit.pret.contract_server import (
    CARD,
    GOLDEN,
    KEY,
    SCORE,
    ContractServer,
    World,
    invalid,
    invalid_rows,
    job_body,
    problem,
    reason,
    succeeded,
)

Connect = Callable[..., Any]

READING = {"state": "running", "stage": "reading", "rows_read": 2}
SCORING = {
    "state": "running",
    "stage": "scoring",
    "rows": 3,
    "rows_done": 1,
    "rows_per_second": 2.0,
    "eta_seconds": 1.0,
}


def busy(after: str = "0") -> Response:
    return problem(503, "redis-unavailable", "Redis does not answer.", {"Retry-After": after})


def test_one_row_is_scored(client: Any, world: World) -> None:
    score = client.score({"A": 1, "B": float("nan")})
    assert (score.score, score.decision, score.model_version) == (0.25, "Accordé", "v1")
    assert json.loads(world.bodies[0]) == {"A": 1, "B": None}


def test_a_score_comes_with_its_reasons_if_they_are_asked_for(client: Any, world: World) -> None:
    assert client.score({"A": 1}).explanation is None
    found = client.score({"A": 1}, explain=5, reasons="adverse", language="fr").explanation
    assert world.queries == [[], [("explain", "5"), ("reasons", "adverse")]]
    assert world.headers[1]["accept-language"] == "fr"
    age, home = found.contributions
    assert (age.feature, age.raises_risk, age.reason, age.features) == ("A", True, "The age", None)
    assert (home.contribution, home.raises_risk, home.features) == (-0.2, False, ("B", "C"))
    total = found.base_value + sum(each.contribution for each in found.contributions) + found.other
    assert total == pytest.approx(found.raw_score)
    assert found.left_out == 1


@pytest.mark.parametrize("features", [None, ["A"]])
def test_what_if_asks_for_features_or_leaves_the_choice_to_the_service(
    client: Any, world: World, features: list[str] | None
) -> None:
    found = client.what_if({"A": 1, "B": float("nan")}, features)
    expected = {"row": {"A": 1, "B": None}} | ({} if features is None else {"features": features})
    assert json.loads(world.bodies[0]) == expected
    (curve,) = found.features
    assert (curve.label, curve.kind, curve.value, curve.flips_at) == ("Age", "whole_number", 40, 25)
    assert [(point.value, point.score) for point in curve.points] == [(18, 0.75), (None, 0.5)]


def test_what_weighs_in_the_model_is_listed(client: Any, world: World) -> None:
    found = client.importance(language="en")
    assert (found.rows, found.source, found.features[0].label, found.groups[0].importance) == (
        500, "training", "Age", 0.75,
    )  # fmt: skip
    assert world.headers[0]["accept-language"] == "en"


def test_a_row_of_a_job_is_what_was_sent_and_what_came_of_it(client: Any, world: World) -> None:
    world.add(succeeded("a"))
    row = client.job_row("a", 7, explain="all")
    assert world.asked == [("GET", "/jobs/a/rows/7")]
    assert world.queries == [[("explain", "all")]]
    assert (row.row, row.inputs, row.kept, row.decision) == (7, {"A": 40, "B": None}, {"customer": "c1"}, "Accordé")
    assert len(row.explanation.contributions) == 2
    with pytest.raises(UnknownJob):
        client.job_row("b", 0)


def test_results_have_the_reasons_of_their_job(client: Any, world: World) -> None:
    world.add(succeeded("a", explain=1))
    page = {"job_id": "a", "total": 1, "offset": 0, "next_offset": None}
    score = {"explanation": "kept", **SCORE, "reasons": [{"feature": "A", "contribution": 1.0}]}
    world.answers = [JSONResponse(page | {"results": [score]})]
    (found,) = client.results("a")
    assert [(reason.feature, reason.contribution) for reason in found.reasons] == [("A", 1.0)]
    assert (found.explanation, found.kept) == (None, {"explanation": "kept"})
    assert client.job("a").explain == 1


def test_rows_are_found_by_the_value_of_a_kept_column(client: Any, world: World) -> None:
    world.add(succeeded("a"))
    page = {"job_id": "a", "total": 9, "offset": 0, "next_offset": None, "rows": [7], "results": [{"id": "x", **SCORE}]}
    world.answers = [JSONResponse(page)]
    found = client.results_page("a", id="x", column="customer")
    assert ("id", "x") in world.queries[0]
    assert ("column", "customer") in world.queries[0]
    assert (found.rows, found.results[0].kept) == ((7,), {"id": "x"})
    assert client.results_page("a").rows is None


def test_an_infinite_number_is_not_sent(client: Any, world: World) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        client.score({"A": float("inf")})
    assert world.asked == []


def test_rows_are_scored_in_the_call_if_that_is_quick(client: Any, world: World) -> None:
    assert [score.score for score in client.score_many([{"A": 1}, {"A": 2}], wait=7)] == [0.25, 0.25]
    assert world.headers[0]["prefer"] == "wait=7"


def test_rows_that_take_longer_are_followed_as_a_job(client: Any, world: World) -> None:
    world.add(succeeded("slow"))
    world.answers = [Response(json.dumps(job_body("slow")), 202)]
    assert [score.kept for score in client.score_many([{"A": 1}] * 3)] == [{"customer": n} for n in range(3)]


def test_what_is_busy_is_asked_again_and_not_for_ever(client: Any, world: World) -> None:
    world.answers = [busy(), busy()]
    assert client.score({"A": 1}).score == 0.25
    world.answers = [busy()] * 5
    with pytest.raises(Busy, match="Redis does not answer"):
        client.score({"A": 1})
    assert len(world.asked) == 3 + 4


def test_a_service_that_wants_to_be_left_alone_for_long_is(client: Any, world: World) -> None:
    world.answers = [busy("3600")]
    with pytest.raises(Busy) as caught:
        client.score({"A": 1})
    assert caught.value.problem is not None
    assert caught.value.problem.retry_after == 3600
    assert len(world.asked) == 1


@pytest.mark.parametrize("call", ["retry", "reload"])
def test_what_might_happen_twice_is_not_sent_again(connect: Connect, server: ContractServer, call: str) -> None:
    server.world.add(job_body("a", "failed"))
    server.cuts = [("down", 20)]
    with pytest.raises(NotReachable):
        getattr(connect(server.cutting_url, KEY), call)("a")
    assert len(server.world.asked) == 1


def test_nobody_there_is_told_with_what_to_do(connect: Connect) -> None:
    with pytest.raises(NotReachable, match=r"Cannot connect to http://127.0.0.1:1\. .*\./scripts/up") as caught:
        connect("http://127.0.0.1:1", retries=1).health()
    assert not caught.value.sent


def test_a_service_that_says_nothing_is_not_waited_for(connect: Connect, server: ContractServer) -> None:
    server.world.holds = True
    server.world.add(job_body("a"))
    client = connect()
    with pytest.raises(TimedOut, match="has not finished yet") as caught:
        client.wait("a", timeout=0.2)
    assert caught.value.job == client.job("a")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_is_none_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="address of the service"):
        Client(url)


def test_a_key_that_is_none_is_rejected_and_not_shown() -> None:
    with pytest.raises(ValueError, match="PRET_KEY") as caught:
        Client(key="sécret")
    assert "é" not in str(caught.value)


def test_jobs_are_listed_by_page_and_all(client: Any, world: World) -> None:
    for number in range(5):
        world.add(job_body(str(number), "running" if number else "failed"))
    page = client.jobs("running", limit=2)
    assert ([job.id for job in page.jobs], page.total, page.next_offset) == (["4", "3"], 4, 2)
    assert [job.id for job in client.all_jobs()] == ["4", "3", "2", "1", "0"]


def test_a_job_is_shown_with_its_report(client: Any, world: World) -> None:
    value = invalid(3, "A", "greater_than_equal", "Input should be greater than or equal to 18", limit=18)
    report = {"invalid_rows": 6, "invalid_values": 7, "errors": [value]}
    error = reason("invalid-rows", "7 values are invalid.", count=7)
    world.add(job_body("a b", "failed", error=error, report=report))
    job = client.job("a b")
    expected = InvalidValue(
        "greater_than_equal", "Input should be greater than or equal to 18", row=3, column="A", params={"limit": 18}
    )
    assert job.report == Report(invalid_rows=6, invalid_values=7, errors=(expected,))
    assert job.error == Reason("invalid-rows", "7 values are invalid.", {"count": 7})
    assert str(job.error) == "7 values are invalid."


def test_cancel_and_retry(client: Any, world: World) -> None:
    world.add(job_body("a", "running"))
    assert client.cancel("a").state == "cancelled"
    assert client.retry("a").state == "queued"
    world.add(succeeded("b"))
    with pytest.raises(Rejected, match="has ended already"):
        client.cancel("b")


def test_a_job_is_removed_in_any_state(client: Any, world: World) -> None:
    for job in (job_body("a b", "running"), succeeded("b")):
        world.add(job)
        assert client.remove(job["id"]) is None
        with pytest.raises(UnknownJob):
            client.job(job["id"])
        with pytest.raises(UnknownJob):
            client.remove(job["id"])


def test_events_follow_a_job_to_its_end(client: Any, world: World) -> None:
    world.add(job_body("a"))
    world.news = [READING, SCORING, succeeded("a")]
    stages = [(job.state, job.stage, job.rows_done) for job in client.events("a")]
    assert stages == [("queued", None, 0), ("running", "reading", 0), ("running", "scoring", 1), ("succeeded", None, 3)]


@pytest.mark.parametrize("after", [200, 900, 1400])
def test_events_go_on_after_a_lost_connection(connect: Connect, server: ContractServer, after: int) -> None:
    server.world.add(job_body("a"))
    server.world.news = [READING, SCORING, succeeded("a")]
    server.cuts = [("down", after)]
    states = [job.state for job in connect(server.cutting_url).events("a")]
    assert (states[-1], states.count("succeeded")) == ("succeeded", 1)
    assert len(server.world.asked) == 2


def test_events_wait_for_a_service_that_is_busy(client: Any, world: World) -> None:
    world.add(succeeded("a"))
    world.answers = [busy()]
    assert [job.state for job in client.events("a")] == ["succeeded"]


def test_an_event_that_is_not_understood_says_where_it_differs(client: Any, world: World) -> None:
    world.add(job_body("a", error="A sentence alone."))
    with pytest.raises(ServerFault, match=r"got `str` - at `\$\.error`\)\. Do their versions match"):
        list(client.events("a"))


def test_events_of_no_job_are_rejected(client: Any) -> None:
    with pytest.raises(UnknownJob, match="There is no job x"):
        list(client.events("x"))


def test_wait_tells_the_progress_and_gives_the_job(client: Any, world: World) -> None:
    world.add(job_body("a"))
    world.news = [SCORING, succeeded("a")]
    seen: list[Any] = []
    assert client.wait("a", on_progress=seen.append).granted == 2
    assert [job.rows_done for job in seen] == [0, 1, 3]


@pytest.mark.parametrize(("state", "words"), [("failed", "failed: No rows"), ("cancelled", "was cancelled")])
def test_wait_for_a_job_that_ends_badly(client: Any, world: World, state: str, words: str) -> None:
    report = {"invalid_rows": 1, "invalid_values": 1, "errors": [invalid(None, None, "missing", "No rows")]}
    world.add(job_body("a", state, error=reason("malformed-input", "No rows"), report=report))
    with pytest.raises(JobFailed, match=words) as caught:
        client.wait("a")
    assert caught.value.job.report is not None
    assert caught.value.job.error is not None
    assert caught.value.job.error.type == "malformed-input"


def test_results_come_by_page_with_what_was_kept(client: Any, world: World) -> None:
    world.add(succeeded("a"))
    page = client.results_page("a", offset=1, limit=10)
    assert (page.total, page.offset, page.next_offset, len(page.results)) == (3, 1, None, 2)
    assert (page.results[0].kept, page.results[0].score) == ({"customer": 1}, 0.25)
    assert [score.kept["customer"] for score in client.results("a")] == [0, 1, 2]


def test_a_flagged_row_says_why_it_has_no_score(client: Any, world: World) -> None:
    world.add(succeeded("a"))
    blank = dict.fromkeys(("score", "prediction", "decision"))
    value = {"column": "A", "type": "greater_than_equal", "message": "Too small", "params": {"limit": 18}}
    rows = [
        SCORE | {"error": None, "errors": None},
        SCORE | blank | {"error": "A: Too small", "errors": [value], "id": 7},
    ]
    world.answers = [JSONResponse({"job_id": "a", "total": 2, "offset": 0, "next_offset": None, "results": rows})]
    scored, flagged = client.results_page("a").results
    assert (scored.error, scored.errors) == (None, None)
    expected = (InvalidValue("greater_than_equal", "Too small", None, "A", {"limit": 18}),)
    assert flagged == Score(None, None, None, 0.5, "v1", "A: Too small", expected, {"id": 7})


def test_the_model_is_told(client: Any, world: World) -> None:
    status = client.model_status()
    assert (status.version, status.candidate.version, status.processes[0].pid) == ("v1", "v2", 7)
    assert status.error == Reason("bad-artifact", "The golden rows differ.", {"count": 3})
    assert [process.error and process.error.type for process in status.processes] == [None, "reload-timed-out"]
    assert client.model_signature().columns[0].ge == 18
    assert client.model_signature().ordered == (("A", "B"),)
    assert client.model_signature().input_example == {"A": 40, "B": None}
    (column,) = client.model_signature(language="en").columns
    assert world.headers[-1]["accept-language"] == "en"
    assert (column.label, column.group, column.group_label) == ("Age", "PERSON", "The person")
    assert (column.actionable, column.protected) == (False, True)
    assert (column.nullable, column.nullable_because) == (False, "no-gaps-in-training")
    info = client.model_info()
    assert (info.positive_class, info.classes) == ("bad", ("good", "bad"))
    assert (info.recommended_threshold, info.threshold_origin) == (0.10104063636597403, "metadata.best_threshold")
    assert info.integrity == "none"
    assert info.evaluator is not None
    assert (info.evaluator.name, str(info.evaluator.reason)) == (
        "catboost 1.2.10",
        "The setting EVALUATOR is catboost.",
    )
    assert [(note.type, str(note)) for note in info.notes] == [("golden-missing", "The model has no golden rows.")]
    rejected, activated = client.model_versions()
    assert (rejected.outcome, str(rejected.reason)) == ("rejected", "The golden rows differ.")
    assert (activated.outcome, activated.reason) == ("activated", None)


def test_the_card_of_the_model_is_given_where_there_is_one(client: Any, world: World) -> None:
    assert client.model_card() == CARD
    world.answers = [problem(404, "no-model-card", "The model brings no card (README.md) along.")]
    assert client.model_card() is None


def test_no_card_is_not_mixed_up_with_no_model_or_with_some_other_page(client: Any, world: World) -> None:
    world.answers = [problem(404, "model-not-found", "No model is loaded yet.")]
    with pytest.raises(Rejected, match="No model"):
        client.model_card()
    world.answers = [PlainTextResponse("Welcome to nginx!")]
    with pytest.raises(ServerFault, match=r"is not one of the scoring service \(not Markdown\)"):
        client.model_card()


def test_the_version_of_the_service_is_told(client: Any) -> None:
    assert client.version() == "1.2.3"


def test_the_service_says_whose_key_it_is_and_who_did_what(client: Any, world: World) -> None:
    caller = client.caller()
    assert (caller.name, caller.scopes) == ("ada", ("jobs", "read"))
    page = client.audit("changes", limit=2)
    assert world.queries[-1] == [("kind", "changes"), ("limit", "2"), ("offset", "0")]
    assert [(each.who, each.what, each.outcome) for each in page.entries] == [
        ("ann", "reload", "done"),
        ("anonymous", "GET /jobs", "not-authenticated"),
    ]
    assert (page.total, page.next_offset) == (2, None)


def test_the_service_says_what_it_can_do(client: Any) -> None:
    found = client.capabilities()
    assert (found.version, found.result_columns, found.on_invalid) == ("1.2.3", ("score", "errors"), ("reject", "flag"))
    assert found.formats == (Format("csv", ("text/csv",), ("csv", "tsv")),)
    assert found.encodings == (Encoding("gzip", ("gz",)),)
    assert found.limits == Limits(100, 10_000, 200, 30.0, 64 << 20, 64 << 30, 1 << 20)


def test_an_older_service_tells_neither_queues_nor_an_example(client: Any, world: World) -> None:
    world.answers = [
        JSONResponse({"status": "ready", "parts": {}}),
        JSONResponse({"columns": [{"name": "A", "type": "long"}], "nb_features": 1}),
        JSONResponse({"version": "v1"}),
    ]
    assert client.health().queues is None
    signature = client.model_signature()
    assert signature.input_example is None
    assert (signature.columns[0].nullable, signature.columns[0].nullable_because) == (None, None)
    info = client.model_info()
    assert (info.positive_class, info.threshold_origin, info.integrity, info.notes) == (None, None, None, ())
    assert info.evaluator is None


def test_a_reload_needs_the_key(connect: Connect, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAuthenticated, match="PRET_KEY"):
        connect().reload()
    monkeypatch.setenv("PRET_KEY", KEY)
    assert connect().reload("v2").processes[0].seconds == 0.4
    assert json.loads(world.bodies[-1]) == {"revision": "v2"}
    assert connect(key=KEY).rollback().status == "reloaded"


def test_not_ready_is_an_answer(client: Any, world: World) -> None:
    model, workers, storage = client.health().parts.values()
    assert (model.status, model.type, model.params, model.detail) == (
        "ok", "model-served", {"version": "v1"}, "Version v1 is served.",
    )  # fmt: skip
    assert (workers.status, workers.type, workers.params) == ("down", "workers-running", {"count": 0})
    assert (storage.status, storage.detail) == ("ok", None)
    assert client.health().queues == {"quick": 0, "chunks": 3, "files": 1}
    body = {"status": "not ready", "parts": {"model": {"status": "down", "detail": "none"}}}
    world.answers = [Response(json.dumps(body), 503)]
    assert client.health().status == "not ready"


PARAMETERS = [{"loc": ["query", "B"], "msg": "Input should be a valid number", "type": "float_type"}]
INVALID = [
    invalid(4, "A", "missing", "Field required"),
    invalid(None, "B", "greater_than_equal", "Input should be greater than or equal to 18", limit=18),
]


def test_invalid_rows_are_named(client: Any, world: World) -> None:
    world.answers = [invalid_rows(INVALID, 9)]
    with pytest.raises(
        InvalidRows, match=r"9 values are invalid; the first is row 4, column A: Field required\."
    ) as caught:
        client.score({})
    assert caught.value.invalid_values == 9
    assert caught.value.errors[1] == InvalidValue(
        "greater_than_equal", "Input should be greater than or equal to 18", None, "B", {"limit": 18}
    )
    assert caught.value.problem is not None
    assert (caught.value.problem.type, caught.value.problem.invalid_rows) == ("invalid-rows", 8)


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (INVALID[1:], r"^1 value is invalid: column B: Input should be greater than or equal to 18\.$"),
        (
            [invalid(None, None, "dict_type", "Input should be an object")],
            r"^1 value is invalid: Input should be an obj",
        ),
        ([], r"^The rows are invalid\.$"),
    ],
)
def test_a_single_invalid_value_is_named(client: Any, world: World, errors: list[Any], words: str) -> None:
    world.answers = [invalid_rows(errors, len(errors))]
    with pytest.raises(InvalidRows, match=words):
        client.score({})


def test_an_error_tells_programs_what_it_is(client: Any, world: World) -> None:
    world.answers = [problem(413, "input-too-large", "There are too many rows.", params={"limit": 7, "unit": "rows"})]
    with pytest.raises(Rejected, match=r"^There are too many rows\.$") as caught:
        client.score({})
    found = caught.value.problem
    assert found is not None
    assert (found.type, found.params, found.request_id) == ("input-too-large", {"limit": 7, "unit": "rows"}, "1a2b")


def test_a_fault_names_the_request_for_whoever_reads_the_log(client: Any, world: World) -> None:
    world.answers = [problem(500, "unexpected", "A fault of the service; its log says more.")]
    with pytest.raises(ServerFault, match=r"^A fault of the service; its log says more \(request 1a2b\)\.$"):
        client.score({})


def test_a_problem_of_something_else_is_not_one_of_the_service(client: Any, world: World) -> None:
    body = {"type": "about:blank", "title": "Bad Gateway", "status": 502, "detail": "No upstream."}
    world.answers = [JSONResponse(body, 502, media_type="application/problem+json")]
    with pytest.raises(ServerFault, match="status 502") as caught:
        client.score({})
    assert caught.value.problem is not None
    assert caught.value.problem.type is None


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (problem(413, "input-too-large", "Too much."), Rejected, "Too much"),
        (problem(422, "invalid-parameters", PARAMETERS), Rejected, "B: Input should be a valid number"),
        (problem(403, "forbidden", "No."), NotAuthenticated, "No"),
        (problem(429, "too-many", "Full."), Busy, "Full"),
        (problem(500, "unexpected", "A fault."), ServerFault, "A fault"),
        (PlainTextResponse("<html>", 502), ServerFault, "status 502"),
        (PlainTextResponse("<html>", 503), Busy, "503"),
        (PlainTextResponse("<html>", 200), ServerFault, "not JSON"),
        (Response("[]", 200), ServerFault, "is not one of the scoring service"),
        (Response('{"score": "x"}', 200), ServerFault, r"is not one of the scoring service \(.*got `str`.*score"),
        (Response("{}", 200), ServerFault, "missing required field `score`"),
        (Response("", 307, {"Location": "/x"}), ServerFault, "status 307"),
    ],
)
def test_every_other_answer_has_its_error(
    client: Any, world: World, answer: Response, error: type[PretError], words: str
) -> None:
    world.answers = [answer]
    with pytest.raises(error, match=words) as caught:
        client.score({})
    assert type(caught.value) is error


def test_a_rejected_reload_tells_what_each_process_did(connect: Connect, world: World) -> None:
    processes = [{"kind": "api", "host": "laptop", "pid": 7, "error": GOLDEN}]
    world.answers = [problem(409, "reload-failed", "Not all can take it.", processes=processes)]
    with pytest.raises(Rejected) as caught:
        connect(key=KEY).reload()
    assert caught.value.problem is not None
    assert caught.value.problem.processes[0].error == Reason("bad-artifact", "The golden rows differ.", {"count": 3})


def test_the_json_itself_can_be_had(client: Any, world: World) -> None:
    assert client.raw(requests.job(world.add(job_body("a"))))["of_the_future"] == {}

"""Whatever way a request takes, it passes the edge: it gets an id."""

import asyncio
import json
import logging

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from api.routes.scoring import INDIVIDUAL_SCORE
from shared.logging import set_up
from tests.factories import Kit
from tests.unit.api.client import ApiClient

WAYS = [("POST", INDIVIDUAL_SCORE), ("GET", "/api_health"), ("GET", "/nothing"), ("PUT", INDIVIDUAL_SCORE)]
"""The fast route, a route, no route, and another method of the fast one."""


@pytest.mark.parametrize(("method", "path"), WAYS)
@pytest.mark.parametrize("given", ["a-plain_Id.1", "x" * 100])
def test_a_plain_request_id_comes_back(cut_off: ApiClient, method: str, path: str, given: str) -> None:
    answer = cut_off.request(method, path, headers={"X-Request-ID": given})
    assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize(("method", "path"), WAYS)
@pytest.mark.parametrize("given", [None, "", "two words", "é", "x" * 101, "a\tb", "<script>"])
def test_any_other_is_replaced_by_one_of_our_own(cut_off: ApiClient, method: str, path: str, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given.encode()}
    ids = [cut_off.request(method, path, headers=headers).headers["x-request-id"] for _ in range(2)]
    assert given not in ids
    assert all(each.isalnum() for each in ids)
    assert ids[0] != ids[1]


@pytest.mark.parametrize(("method", "path"), [("POST", INDIVIDUAL_SCORE), ("GET", "/nothing"), ("GET", "/jobs/x")])
def test_a_problem_names_its_request(cut_off: ApiClient, method: str, path: str) -> None:
    answer = cut_off.request(method, path, headers={"X-Request-ID": "mine"})
    assert answer.json()["request_id"] == "mine"


def test_a_line_in_the_log_names_the_request_that_it_is_about(
    cut_off: ApiClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cut_off.services.storage, "check", fault)
    handlers, level = logging.root.handlers[:], logging.root.level
    set_up("INFO")
    try:
        cut_off.get("/router_health", headers={"X-Request-ID": "the-one"})
        logging.getLogger("elsewhere").info("no request")
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    lines = capsys.readouterr().err.splitlines()
    assert any("api.errors: [the-one] A request failed with ZeroDivisionError" in line for line in lines)
    assert any(line.endswith("elsewhere: no request") for line in lines)


def test_the_fast_route_is_served_by_the_edge_alone(
    cut_off: ApiClient, mixed: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unexpected(*_: object) -> None:
        raise AssertionError("the framework was called")

    monkeypatch.setattr(cut_off.app, "app", unexpected)
    assert cut_off.post(INDIVIDUAL_SCORE, json=mixed.rows[0]).status_code == httpx.codes.OK


@pytest.mark.parametrize("begins", [False, True])
def test_a_request_that_outlasts_the_process_is_cut_off_in_one_line(
    cut_off: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, begins: bool
) -> None:
    sent: list[Message] = []
    start: Message = {"type": "http.response.start", "status": 200, "headers": []}

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if begins:
            await send(start)
        reached.set()
        await asyncio.Event().wait()

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    async def serve() -> None:
        monkeypatch.setattr(cut_off.app, "_fast_routes", {("POST", "/x"): endless})
        place = {"path": "/x", "headers": [(b"host", b"localhost")], "server": ("127.0.0.1", 80)}
        task = asyncio.create_task(cut_off.app({"type": "http", "method": "POST", **place}, receive, send))
        await reached.wait()
        task.cancel()
        await task

    reached = asyncio.Event()
    asyncio.run(serve())
    [record] = [record for record in caplog.records if record.name == "api.edge"]
    assert (record.message, record.exc_info) == ("A request was cut off by the end of the process", None)
    if begins:
        assert sent == [start]
    else:
        assert sent[0]["status"] == 503
        assert (b"retry-after", b"2") in sent[0]["headers"]
        assert json.loads(sent[1]["body"])["type"] == "urn:pret-a-depenser:shutting-down"

"""What stands before the pages of the console."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from ui.guard import Guard, Receive, Send

Message = MutableMapping[str, Any]


async def page(_: Message, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"a page"})


def asked(host: str, kind: str = "http") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    asyncio.run(Guard(page)({"type": kind, "headers": [(b"host", host.encode())]}, receive, send))
    return sent


@pytest.mark.parametrize("host", ["localhost", "localhost:8501", "127.0.0.1:8501", "[::1]:8501", "[::1]", "LOCALHOST"])
def test_by_its_own_name_a_page_is_shown_and_only_its_own_pages_frame_it(host: str) -> None:
    start, body = asked(host)
    assert (start["status"], body["body"]) == (200, b"a page")
    assert dict(start["headers"])[b"content-security-policy"] == b"frame-ancestors 'self'"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8501", "", "10.0.0.1"])
def test_by_another_it_is_not(host: str) -> None:
    assert asked(host)[0]["status"] == 421
    assert asked(host, "websocket") == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize(("listed", "host"), [("*", "anything"), ("Console.example.com, x", "console.example.com:443")])
def test_its_names_can_be_listed(monkeypatch: pytest.MonkeyPatch, listed: str, host: str) -> None:
    monkeypatch.setenv("UI_ALLOWED_HOSTS", listed)
    assert asked(host)[0]["status"] == 200

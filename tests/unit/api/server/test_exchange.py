import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl

from api.server.exchange import JOINED_BYTES, Exchange

DATE = (b"date", b"Tue, 01 Dec 2026 08:00:00 GMT")
START = {"type": "http.response.start", "status": 200}
LENGTH_3 = {**START, "headers": [(b"content-length", b"3")]}


class Written(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Client:
    """A client that has sent a request, and the exchange that answers it."""

    def __init__(self, method: str = "POST", *, keep_alive: bool = True) -> None:
        self.transport = Written()
        self.answered = 0
        self.exchange = Exchange(
            scope={"type": "http", "method": method},  # type: ignore[typeddict-item]
            transport=self.transport,
            flow=FlowControl(self.transport),
            logger=logging.getLogger(__name__),
            access_logger=logging.getLogger(__name__),
            access_log=False,
            default_headers=[DATE],
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=keep_alive,
            on_response=self.answer,
        )

    def answer(self) -> None:
        self.answered += 1

    def take(self, *messages: dict[str, Any]) -> bytes:
        async def send() -> None:
            for message in messages:
                await self.exchange.send(message)

        asyncio.run(send())
        return b"".join(self.transport.pieces)


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


class TestSend:
    def test_a_short_response_is_written_at_once(self) -> None:
        client = Client()
        client.take(LENGTH_3, body(b"abc"))
        assert client.transport.pieces == [
            b"HTTP/1.1 200 OK\r\ndate: Tue, 01 Dec 2026 08:00:00 GMT\r\ncontent-length: 3\r\n\r\nabc"
        ]
        assert client.answered == 1
        assert not client.transport.is_closed

    def test_a_long_body_is_not_copied(self) -> None:
        client, content = Client(), b"x" * (JOINED_BYTES + 1)
        client.take({**START, "headers": [(b"content-length", b"%d" % len(content))]}, body(content))
        head, written = client.transport.pieces
        assert head.endswith(b"\r\n\r\n")
        assert written == content

    def test_without_a_length_the_body_comes_in_chunks(self) -> None:
        head, _, content = (
            Client()
            .take(
                START,
                body(b"abc", more=True),
                body(b""),
            )
            .partition(b"\r\n\r\n")
        )
        assert head.endswith(b"\r\ntransfer-encoding: chunked")
        assert content == b"3\r\nabc\r\n0\r\n\r\n"

    def test_the_head_of_a_stream_does_not_wait_for_its_first_piece(self) -> None:
        assert Client().take(START).endswith(b"\r\n\r\n")

    @pytest.mark.parametrize("headers", [[], [(b"content-length", b"3")]], ids=["no length", "length"])
    def test_to_head_there_is_no_body(self, headers: list[Any]) -> None:
        client = Client("HEAD")
        assert client.take({**START, "headers": headers}, body(b"")).endswith(b"\r\n\r\n")
        assert b"chunked" not in client.transport.pieces[0]
        assert client.answered == 1

    @pytest.mark.parametrize("status", [204, 304])
    def test_a_status_without_a_body_has_none(self, status: int) -> None:
        assert Client().take({**START, "status": status}, body(b"")).endswith(b"GMT\r\n\r\n")

    @pytest.mark.parametrize("keep_alive", [True, False])
    def test_the_connection_ends_where_the_client_or_the_application_wants_it(self, *, keep_alive: bool) -> None:
        client = Client(keep_alive=keep_alive)
        headers = [*LENGTH_3["headers"], *([(b"connection", b"Close")] if keep_alive else [])]  # type: ignore[misc]
        assert client.take({**START, "headers": headers}, body(b"abc")).lower().count(b"\r\nconnection: close\r\n") == 1
        assert client.transport.is_closed

    @pytest.mark.parametrize("sign", [b"\r\n", b"\r", b"\n", b"\0", b"\x1f", b"\x7f"])
    @pytest.mark.parametrize("place", [0, 1], ids=["name", "value"])
    def test_no_header_has_a_sign_that_none_may_have(self, sign: bytes, place: int) -> None:
        header = [b"x-name", b"value"]
        header[place] += sign + b"x: y"
        client = Client()
        with pytest.raises(RuntimeError, match="header"):
            client.take({**START, "headers": [tuple(header)]}, body(b""))
        assert client.transport.pieces == []

    def test_a_header_may_have_any_other_sign(self) -> None:
        assert b"\r\nx-name: a\tb \xc3\xa9\r\n" in Client().take(
            {**START, "headers": [(b"x-name", b"a\tb \xc3\xa9")]}, body(b"")
        )

    @pytest.mark.parametrize(
        "messages",
        [
            [body(b"")],
            [START, START],
            [LENGTH_3, body(b"ab")],
            [LENGTH_3, body(b"ab", more=True), body(b"cd")],
            [LENGTH_3, body(b"abcd", more=True)],
            [LENGTH_3, body(b"abc"), body(b"")],
            [LENGTH_3, {"type": "websocket.send"}],
        ],
        ids=["no head", "two heads", "short", "long", "long piece", "two bodies", "another kind"],
    )
    def test_an_application_that_breaks_the_protocol_is_told(self, messages: list[dict[str, Any]]) -> None:
        with pytest.raises(RuntimeError):
            Client().take(*messages)

    def test_to_a_client_that_is_gone_nothing_is_written(self) -> None:
        client = Client()
        client.exchange.disconnected = True
        assert client.take(LENGTH_3, body(b"abc")) == b""


class TestReceive:
    def test_a_body_that_is_complete_is_there_at_once_and_once(self) -> None:
        async def received() -> list[Any]:
            exchange = Client().exchange
            exchange.take(b"abc")
            exchange.more_body = False
            first = await exchange.receive()
            waiting = asyncio.create_task(exchange.receive())
            await asyncio.sleep(0)
            assert not waiting.done()
            exchange.disconnected = True
            exchange.message_event.set()
            return [first, await waiting]

        assert asyncio.run(received()) == [
            {"type": "http.request", "body": b"abc", "more_body": False},
            {"type": "http.disconnect"},
        ]

    def test_a_body_in_pieces_comes_in_pieces(self) -> None:
        async def received() -> list[Any]:
            exchange = Client().exchange
            found = []
            for piece, more in ((b"ab", True), (b"c", False)):
                exchange.take(piece)
                exchange.more_body = more
                found.append(await exchange.receive())
            return found

        assert asyncio.run(received()) == [
            {"type": "http.request", "body": b"ab", "more_body": True},
            {"type": "http.request", "body": b"c", "more_body": False},
        ]

    def test_pieces_that_come_before_they_are_asked_for_are_one(self) -> None:
        async def received() -> Any:
            exchange = Client().exchange
            for piece in (b"a", b"b", b"c"):
                exchange.take(piece)
            return await exchange.receive()

        assert asyncio.run(received()) == {"type": "http.request", "body": b"abc", "more_body": True}

    def test_while_much_waits_nothing_is_read(self) -> None:
        async def run() -> list[bool]:
            exchange = Client().exchange
            paused = []
            for size in (HIGH_WATER_LIMIT, 1):
                exchange.take(b"x" * size)
                paused.append(exchange.flow.read_paused)
            await exchange.receive()
            return [*paused, exchange.flow.read_paused]

        assert asyncio.run(run()) == [False, True, False]

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

    def is_closing(self) -> bool:
        return self.is_closed

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
        assert written is content

    def test_a_client_is_told_that_the_connection_ends_whatever_the_application_says(self) -> None:
        headers = [*LENGTH_3["headers"], (b"connection", b"keep-alive")]  # type: ignore[misc]
        assert b"\r\nconnection: close\r\n" in Client(keep_alive=False).take(
            {**START, "headers": headers}, body(b"abc")
        )

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
    def test_a_response_to_head_has_no_body(self, headers: list[Any]) -> None:
        client = Client("HEAD")
        assert client.take({**START, "headers": headers}, body(b"abc")).endswith(b"\r\n\r\n")
        assert b"chunked" not in client.transport.pieces[0]
        assert client.answered == 1

    @pytest.mark.parametrize("status", [204, 304])
    def test_a_status_without_a_body_is_not_sent_in_chunks(self, status: int) -> None:
        assert Client().take({**START, "status": status}, body(b"")).endswith(b"GMT\r\n\r\n")

    @pytest.mark.parametrize("keep_alive", [True, False])
    def test_the_connection_ends_where_the_client_or_the_application_wants_it(self, *, keep_alive: bool) -> None:
        client = Client(keep_alive=keep_alive)
        headers = [*LENGTH_3["headers"], *([(b"connection", b"Close")] if keep_alive else [])]  # type: ignore[misc]
        assert client.take({**START, "headers": headers}, body(b"abc")).lower().count(b"\r\nconnection: close\r\n") == 1
        assert client.transport.is_closed

    @pytest.mark.parametrize("sign", [b"\r\n", b"\r", b"\n", b"\0", b"\x1f", b"\x7f"])
    @pytest.mark.parametrize("place", [0, 1], ids=["name", "value"])
    def test_a_header_with_a_control_character_is_refused(self, sign: bytes, place: int) -> None:
        header = [b"x-name", b"value"]
        header[place] += sign + b"x: y"
        client = Client()
        with pytest.raises(RuntimeError, match="header"):
            client.take({**START, "headers": [tuple(header)]}, body(b""))
        assert client.transport.pieces == []

    def test_a_header_may_have_any_other_character(self) -> None:
        assert b"\r\nx-name: a\tb \xc3\xa9\r\n" in Client().take(
            {**START, "headers": [(b"x-name", b"a\tb \xc3\xa9")]}, body(b"")
        )

    @pytest.mark.parametrize(
        ("messages", "fault"),
        [
            ([body(b"")], "not expected"),
            ([START, START], "not expected"),
            ([LENGTH_3, body(b"ab")], "not as long"),
            ([LENGTH_3, body(b"ab", more=True), body(b"cd")], "not as long"),
            ([LENGTH_3, body(b"abcd", more=True)], "not as long"),
            ([LENGTH_3, body(b"abc"), body(b"")], "not expected"),
            ([LENGTH_3, {"type": "websocket.send"}], "not expected"),
            ([{**START, "headers": [(b"transfer-encoding", b"chunked")]}], "for the server"),
        ],
        ids=["no head", "two heads", "short", "long", "long piece", "two bodies", "another kind", "its own chunks"],
    )
    def test_an_application_that_breaks_the_protocol_is_told(self, messages: list[dict[str, Any]], fault: str) -> None:
        client = Client()
        with pytest.raises(RuntimeError, match=fault):
            client.take(*messages)
        assert len(b"".join(client.transport.pieces).partition(b"\r\n\r\n")[2]) <= 3

    @pytest.mark.parametrize(
        "messages", [[], [LENGTH_3], [LENGTH_3, body(b"ab")], [{**LENGTH_3, "status": 0}]], ids=len
    )
    @pytest.mark.parametrize("raises", [True, False])
    def test_an_application_that_gives_up_before_anything_is_written_is_a_500(
        self, messages: list[dict[str, Any]], *, raises: bool
    ) -> None:
        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)
            if raises:
                raise ValueError

        client = Client()
        asyncio.run(client.exchange.run_asgi(app))
        written = b"".join(client.transport.pieces)
        assert written.startswith(b"HTTP/1.1 500 ")
        assert written.count(b"HTTP/1.1") == 1
        assert client.transport.is_closed

    def test_an_application_that_gives_up_later_is_cut_off(self) -> None:
        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send(LENGTH_3)
            await send(body(b"ab", more=True))

        client = Client()
        asyncio.run(client.exchange.run_asgi(app))
        assert b"".join(client.transport.pieces).endswith(b"\r\n\r\nab")
        assert client.transport.is_closed

    def test_an_answer_waits_while_the_client_takes_nothing(self) -> None:
        async def run() -> list[int]:
            client = Client()
            client.exchange.flow.pause_writing()
            sending = asyncio.create_task(client.exchange.send(START))
            await asyncio.sleep(0)
            before = len(client.transport.pieces)
            client.exchange.flow.resume_writing()
            await sending
            return [before, len(client.transport.pieces)]

        assert asyncio.run(run()) == [0, 1]

    def test_to_a_client_that_is_gone_nothing_is_written(self) -> None:
        client = Client()
        client.exchange.disconnected = True
        assert client.take(LENGTH_3, body(b"abc")) == b""


class TestReceive:
    def test_a_complete_body_is_given_at_once_and_only_once(self) -> None:
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

    def test_a_complete_body_that_was_too_much_is_read_on_after(self) -> None:
        async def run() -> list[bool]:
            exchange = Client().exchange
            exchange.take(b"x" * (HIGH_WATER_LIMIT + 1))
            exchange.more_body = False
            before = exchange.flow.read_paused
            await exchange.receive()
            return [before, exchange.flow.read_paused]

        assert asyncio.run(run()) == [True, False]

    @pytest.mark.parametrize("is_there", [True, False])
    def test_a_client_that_expects_100_gets_it_once_unless_its_body_is_there(self, *, is_there: bool) -> None:
        async def run() -> list[bytes]:
            client = Client()
            client.exchange.waiting_for_100_continue = True
            if not is_there:
                waiting = asyncio.create_task(client.exchange.receive())
                await asyncio.sleep(0)
            client.exchange.take(b"abc")
            client.exchange.more_body = False
            assert (await (client.exchange.receive() if is_there else waiting))["body"] == b"abc"
            client.exchange.disconnected = True
            await client.exchange.receive()
            return client.transport.pieces

        assert asyncio.run(run()) == ([] if is_there else [b"HTTP/1.1 100 Continue\r\n\r\n"])

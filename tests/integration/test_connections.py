"""What a client may do to a connection, spoken byte by byte to a real server."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from time import sleep

import psutil
import pytest

from api.access.browsers import OF_API
from api.server.limits import KEPT_OPEN, MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED
from tests.factories import Kit
from tests.processes import DEADLINE, RedisServer, Service, http, wait_for

CONNECTIONS, STREAMS = 50, 10
HEAD_TIMEOUT = 2.0
SECURITY_HEADERS = {name.decode(): value.decode().lower() for name, value in OF_API}
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n"


@pytest.fixture(scope="module")
def api(server: RedisServer, numbers: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One process of the API that has little patience."""
    settings = {
        "MAX_CONNECTIONS": str(CONNECTIONS),
        "MAX_EVENT_STREAMS": str(STREAMS),
        "HEAD_TIMEOUT": str(HEAD_TIMEOUT),
        "STALL_TIMEOUT": "2",
    }
    made = Service(tmp_path_factory.mktemp("api"), server, settings)
    made.offer(numbers)
    made.start_api()
    yield made
    made.stop()


def connect(api: Service) -> socket.socket:
    return socket.create_connection(("127.0.0.1", api.port), DEADLINE)


def answers(connection: socket.socket, count: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
    """Read as many answers: status, headers, body."""
    found = []
    with connection.makefile("rb") as stream:
        for _ in range(count):
            status = int(stream.readline().split()[1])
            lines = iter(stream.readline, b"\r\n")
            headers = dict(line.decode().strip().lower().split(": ", 1) for line in lines)
            found.append((status, headers, stream.read(int(headers["content-length"]))))
    return found


def answer(api: Service, *pieces: bytes, count: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
    with closing(connect(api)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return answers(connection, count)


def type_of(body: bytes) -> str:
    kind: str = json.loads(body)["type"]
    return kind.rpartition(":")[2]


def post(path: bytes, body: bytes, headers: bytes = b"", *, chunked: bool = False) -> bytes:
    length = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % len(body)
    if chunked:
        half = len(body) // 2
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" % path
    return head + length + headers + b"\r\n" + body


@pytest.mark.parametrize("offer", [OFFER, b"Connection: Upgrade\r\nUpgrade: websocket\r\n"], ids=["h2c", "websocket"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("pieces", [1, 3], ids=["at once", "in pieces"])
class TestAnOfferOfAnotherProtocol:
    def test_is_ignored_with_the_body_in_its_place(
        self, api: Service, numbers: Kit, offer: bytes, chunked: bool, pieces: int
    ) -> None:
        row = json.dumps(numbers.rows[0]).encode()
        sent = post(b"/individual_score", row, offer, chunked=chunked)
        if pieces == 1:
            # The next request follows at once, with an offer of its own.
            [(status, _, body), again] = answer(api, sent + sent, count=2)
            assert again[2] == body
        else:
            head = sent.index(b"\r\n\r\n") + 4
            [(status, _, body)] = answer(api, sent[: head - 9], sent[head - 9 : head + 5], sent[head + 5 :])
        assert status == 200
        assert json.loads(body)["score"] == pytest.approx(numbers.expected()[0])

    def test_does_not_make_a_reload_one_of_something_else(
        self, api: Service, offer: bytes, chunked: bool, pieces: int
    ) -> None:
        [(status, _, body)] = answer(api, post(b"/reload_model", b'{"revision": "x"}', offer, chunked=chunked))
        assert status == 404
        assert type_of(body) == "revision-in-folder"


def test_a_connection_to_elsewhere_is_refused(api: Service) -> None:
    [(status, _, body)] = answer(api, b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n")
    assert status == 400
    assert type_of(body) == "request-not-http"


def test_what_is_not_http_is_a_problem_document(api: Service) -> None:
    [(status, headers, body)] = answer(api, b"\x16\x03\x01hello\r\n\r\n")
    assert (status, headers["content-type"], type_of(body)) == (400, "application/problem+json", "request-not-http")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /api_health HTTP/1.1\r\n" + b"a: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        b"GET /api_health HTTP/1.1\r\na: %s\r\n\r\n" % (b"x" * MAX_HEAD_BYTES),
        b"GET /api_health HTTP/1.1\r\na: %s" % (b"x" * 10 * MAX_HEAD_BYTES),
        b"GET /api_health HTTP/1.1\r\n" + b"a: b\r\n" * 100_000,
        b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * MAX_HEAD_BYTES),
        post(b"/individual_score", b"{}", chunked=True)[:-2] + b"a: %s" % (b"x" * 10 * MAX_HEAD_BYTES),
        post(b"/individual_score", b"{}", chunked=True)[:-5] + b"1;%s" % (b"x" * 10 * MAX_HEAD_BYTES),
    ],
    ids=["many", "large", "endless", "endlessly many", "address", "trailer", "chunk extension"],
)
def test_a_head_that_is_too_large_is_refused(api: Service, head: bytes) -> None:
    with closing(connect(api)) as connection:
        connection.sendall(head)
        [(status, headers, body)] = answers(connection)
    assert (status, type_of(body), headers["connection"]) == (431, "head-too-large", "close")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /no-such-page HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost", 408),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MAX_HEADERS + 1) + b"\r\n", 431),
    ],
)
def test_a_browser_learns_the_same_whoever_rejects_a_request(api: Service, sent: bytes, expected: int) -> None:
    [(status, headers, _)] = answer(api, sent)
    assert status == expected
    assert headers.items() >= SECURITY_HEADERS.items()
    assert "server" not in headers


def test_a_head_within_the_limits_is_read(api: Service) -> None:
    line = b"GET /api_health HTTP/1.1\r\nHost: localhost\r\n"
    [many, large] = answer(
        api,
        line + b"a: b\r\n" * (MAX_HEADERS - 1) + b"\r\n",
        line + b"a: %s\r\n\r\n" % (b"x" * (MAX_HEAD_BYTES - 100)),
        count=2,
    )
    assert (many[0], large[0]) == (200, 200)


def test_a_trailer_does_not_become_a_header(api: Service, numbers: Kit) -> None:
    row = json.dumps(numbers.rows[0]).encode()
    sent = post(b"/individual_score", row, chunked=True)[:-2] + b"Content-Type: text/plain\r\n\r\n"
    assert answer(api, sent)[0][0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost"], ids=["nothing", "half a head"])
def test_a_connection_without_a_whole_request_is_closed(api: Service, sent: bytes) -> None:
    with closing(connect(api)) as connection:
        connection.sendall(sent)
        said = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert bool(said) == bool(sent)
    if said:
        assert said.startswith(b"HTTP/1.1 408 ")
        assert type_of(said.partition(b"\r\n\r\n")[2]) == "head-timed-out"


def test_a_connection_that_brings_no_further_request_is_closed(api: Service, numbers: Kit) -> None:
    sent = post(b"/individual_score", json.dumps(numbers.rows[0]).encode())
    with closing(connect(api)) as connection:
        for _ in range(2):
            connection.sendall(sent)
            assert answers(connection)[0][0] == 200
        answered = time.monotonic()
        assert connection.recv(1) == b""
        # The process looks now and then, and what it takes for 5 s may be a little less.
        assert time.monotonic() - answered > KEPT_OPEN - 1


@pytest.mark.parametrize("path", [b"/individual_score", b"/multiple_score", b"/reload_model"])
def test_a_body_that_does_not_come_is_given_up(api: Service, path: bytes) -> None:
    [(status, _, body)] = answer(api, post(path, b"{" * 1000)[:-900])
    assert (status, type_of(body)) == (408, "body-timed-out")


def test_a_head_that_comes_byte_by_byte_is_given_up(api: Service) -> None:
    with closing(connect(api)) as connection:
        connection.settimeout(0.05)
        connection.sendall(b"GET / HTTP/1.1\r\n")
        said = b""
        while not said:
            try:
                connection.sendall(b"a")
                said = connection.recv(2**16)
            except TimeoutError:
                continue
    assert said.startswith(b"HTTP/1.1 408 ")


def test_a_response_that_is_not_taken_is_given_up(api: Service) -> None:
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", api.port))
        # More than the buffers of both sides hold.
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * MAX_PIPELINED)
        own = connection.getsockname()[1]
        process = psutil.Process(api.api.pid)

        def peers() -> set[int]:
            return {each.raddr.port for each in process.net_connections("tcp") if each.raddr}

        wait_for("the connection", lambda: own in peers())
        wait_for("its end", lambda: own not in peers())


def test_requests_that_do_not_wait_for_answers_are_bounded(api: Service) -> None:
    with closing(connect(api)) as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3 * MAX_PIPELINED)
        said = b"".join(iter(lambda: connection.recv(2**20), b""))
    assert type_of(said.rpartition(b"\r\n\r\n")[2]) == "too-many-pipelined"


def test_idle_connections_keep_nobody_out(api: Service) -> None:
    with ExitStack() as idle:
        for _ in range(3 * CONNECTIONS):
            idle.enter_context(closing(connect(api)))
        assert http.get(f"http://127.0.0.1:{api.port}/api_health").status_code == 200


def test_beyond_the_limit_of_busy_connections_the_next_ones_are_told_so(api: Service) -> None:
    half = post(b"/individual_score", b"{" * 1000)[:-500]
    with ExitStack() as busy:
        for _ in range(CONNECTIONS):
            busy.enter_context(closing(connect(api))).sendall(half)
        # All of them have a request under way once the last one has.
        statuses = set()
        while 503 not in statuses:
            with closing(connect(api)) as connection:
                connection.sendall(b"GET /api_health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                [(status, headers, body)] = answers(connection)
                statuses.add(status)
        assert type_of(body) == "connections-full"
        assert "retry-after" in headers


def test_event_streams_are_bounded_and_hold_up_nothing(api: Service, numbers: Kit) -> None:
    url = f"http://127.0.0.1:{api.port}/jobs"
    # No worker takes it.
    events = f"{url}/{api.submit(numbers.rows[:1])}/events"
    # Whoever lets go of its lines closes a stream.
    held = []
    with ExitStack() as streams:
        for _ in range(STREAMS):
            lines = streams.enter_context(http.stream("GET", events)).iter_lines()
            assert next(lines) == "event: progress"
            held.append(lines)
        full = http.get(events)
        assert (full.status_code, type_of(full.content)) == (429, "streams-full")
        assert http.get(url).json()["total"] == 1
        assert http.head(url).headers["content-type"] == "application/json"
    wait_for("room for another stream", lambda: opens(events))
    # It ends by itself.
    assert http.head(events).headers["content-type"].startswith("text/event-stream")


def opens(url: str) -> bool:
    with http.stream("GET", url) as stream:
        return stream.status_code == 200


def test_a_client_is_not_to_blame_for_a_process_that_was_frozen(api: Service, numbers: Kit) -> None:
    sent = post(b"/individual_score", json.dumps(numbers.rows[0]).encode())
    with closing(connect(api)) as early, closing(connect(api)) as late:
        early.sendall(sent[:20])
        late.sendall(sent[:-10])
        psutil.Process(api.api.pid).suspend()
        try:
            # Time of which the process is to know nothing.
            sleep(2 * HEAD_TIMEOUT)
            early.sendall(sent[20:])
            late.sendall(sent[-10:])
        finally:
            psutil.Process(api.api.pid).resume()
        assert [answers(connection)[0][0] for connection in (early, late)] == [200, 200]

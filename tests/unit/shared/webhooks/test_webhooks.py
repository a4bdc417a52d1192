"""Callbacks go to real servers on this machine, which the tests allow; no name is looked up in earnest."""

import hashlib
import hmac
import re
import socket
import socketserver
import ssl
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.errors import MalformedInput
from shared.reasons import Reason
from shared.webhooks import delivery as webhook_delivery
from shared.webhooks.delivery import Delivery, Outcome, deliver, next_attempt, sign
from shared.webhooks.target import check_webhook_url, is_public
from tests.patience import within

SECRET = "a secret that nobody may see"  # noqa: S105
NOW = 1_700_000_000.75
BODY = '{"id": "1", "name": "é"}'.encode()
JOB_ID = "0123456789abcdef" * 2
HOSTS = [
    "hooks.example.com",
    "Bücher.example",
    "*.partner.example",
    "odd.example:8443",
    "8.8.8.8",
    "[2606:4700::1111]",
    "10.0.0.1",
]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "http://hooks.example.com/",
        "https://hooks.example.com:443/a/b?c=d&e=%20",
        "http://hooks.example.com:80/",
        "HTTPS://HOOKS.Example.COM./x",
        "https://bücher.example/x",
        "https://xn--bcher-kva.example/x",
        "https://a.partner.example/x",
        "https://a.b.partner.example/x",
        "https://odd.example:8443/x",
        "http://odd.example:8443/x",
        "https://8.8.8.8/x",
        "https://8.8.8.8./x",
        "https://[2606:4700:0:0::1111]/x",
        "https://hooks.example.com/" + "x" * 1974,
    ],
)
def test_a_listed_host_may_be_called(url: str) -> None:
    check_webhook_url(url, HOSTS)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://other.example.com/", "not one of WEBHOOK_HOSTS"),
        ("https://hooks.example.com.evil.example/", "not one of"),
        ("https://evilhooks.example.com/", "not one of"),
        ("https://partner.example/", "not one of"),
        ("https://evilpartner.example/", "not one of"),
        ("https://.partner.example/", "or the port of callback_url is invalid"),
        ("https://a..partner.example/", "or the port of callback_url is invalid"),
        ("https://*.partner.example/", "or the port of callback_url is invalid"),
        (f"https://{'a' * 64}.partner.example/", "or the port of callback_url is invalid"),
        ("https://odd.example/", "not one of"),
        ("https://hooks.example.com:8443/", "not one of"),
        ("https://hooks.example.com:80/", "not one of"),
        ("http://hooks.example.com:443/", "not one of"),
        ("https://8.8.4.4/", "not one of"),
        ("https://hooks%2eexample.com/", "or the port of callback_url is invalid"),
        ("https://hooks.example.com%00/", "or the port of callback_url is invalid"),
        ("https://hooks.example.com..", "or the port of callback_url is invalid"),
        ("https://10.0.0.1/", "not a public address"),
        ("https://127.1/", "or the port of callback_url is invalid"),
        ("https://2130706433/", "or the port of callback_url is invalid"),
        ("https://0x7f000001/", "or the port of callback_url is invalid"),
        ("https://0x7f.1/", "or the port of callback_url is invalid"),
        ("https://10.0.0.1./", "not a public address"),
        ("https://010.0.0.1/", "not a URL"),
        ("https://hooks.example.com:0/", "or the port of callback_url is invalid"),
        ("https://hooks.example.com:99999/", "or the port of callback_url is invalid"),
        ("https://hooks.example.com:x/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https:///x", "or the port of callback_url is invalid"),
        ("https:hooks.example.com", "or the port of callback_url is invalid"),
        ("ftp://hooks.example.com/", "https:// or http://"),
        ("file:///etc/passwd", "https:// or http://"),
        ("//hooks.example.com/", "https:// or http://"),
        ("hooks.example.com", "https:// or http://"),
        ("", "https:// or http://"),
        ("https://user@hooks.example.com/", "user name or password"),
        ("https://user:word@hooks.example.com/", "user name or password"),
        ("https://hooks.example.com@evil.example/", "user name or password"),
        ("https://hooks.example.com/#part", "fragment"),
        ("https://hooks.example.com/#", "fragment"),
        ("https://evil.example\\@hooks.example.com/", "backslashes"),
        ("https://hooks.example.com/a b", "spaces"),
        ("https://hooks.example.com/\r\nHost: x", "spaces"),
        ("https://hooks.example.com/\x00", "spaces"),
        ("https://hooks.example.com/\u2028", "spaces"),
        (" https://hooks.example.com/", "spaces"),
        ("https://hooks.example.com/" + "x" * 1975, "longer than 2,000 characters"),
    ],
)
def test_anything_else_is_rejected_in_a_sentence_that_does_not_repeat_it(url: str, reason: str) -> None:
    with pytest.raises(MalformedInput, match=reason) as caught:
        check_webhook_url(url, HOSTS)
    assert "hooks" not in str(caught.value)
    assert "word@" not in str(caught.value)


def test_nothing_may_be_called_while_the_list_is_empty() -> None:
    with pytest.raises(MalformedInput, match=r"^Webhooks are disabled: WEBHOOK_HOSTS is empty\.$"):
        check_webhook_url("https://hooks.example.com/", [])


@pytest.mark.parametrize("entry", ["", " ", "*", "*.", "*.*", "*.*.example", "exa*.example", "a.example/x", "https://a.example",
                                   "u@a.example", "[::1", "a.example:x", "*.8.8", "*a.example", "."])  # fmt: skip
@pytest.mark.parametrize("url", ["https://a.example/", "https://b.a.example/", "https://8.8.8.8/"])
def test_an_entry_that_is_no_host_allows_nothing(entry: str, url: str) -> None:
    with pytest.raises(MalformedInput, match="not one of WEBHOOK_HOSTS"):
        check_webhook_url(url, [entry])


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b::808:808"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "0.1.2.3",    "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:100.64.0.1", "::ffff:0:8.8.8.8",
    "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "2001::1", "2001:db8::1", "100::1", "2002:7f00:1::1",
    "2002:a9fe:a9fe::1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "5f00::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_nothing_is_sent_if_any_address_is_private(receiver: "Receiver") -> None:
    for address in PRIVATE:
        for addresses in (["8.8.8.8", address], [address, "8.8.8.8"], [address]):
            delivery = deliver(receiver.url, BODY, SECRET, NOW, job_id=JOB_ID, resolve=to(*addresses))
            assert delivery == Delivery(Outcome.REJECTED, Reason("receiver-not-public"))
    assert receiver.requests == []


@dataclass
class Receiver:
    """A server, what it answers, and what it was asked: method, path, headers and body."""

    port: int
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://hooks.example.com:{self.port}/jobs?a=b%20c"


class Handler(BaseHTTPRequestHandler):
    """Does what the receiver says."""

    def __init__(self, receiver: Receiver, *args: Any) -> None:
        self.receiver = receiver
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.requests.append((self.command, self.path, dict(self.headers.items()), body))
        self.send_response(self.receiver.status)
        for name, value in self.receiver.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.receiver.answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def http_server(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, receiver))
    receiver.port = server.server_port
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield receiver


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that says what it likes; an error of its own ends the connection, as the client's leaving does."""

    class Talk(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            try:
                talk(self.request)
            except OSError:
                return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Talk)
    with serving(server):
        yield f"http://hooks.example.com:{server.server_address[1]}/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_server() as made:
        yield made


def to(*addresses: str) -> Callable[[str, int], list[str]]:
    """Look up every name as these addresses."""
    return lambda host, port: list(addresses)


def send(url: str, **options: Any) -> Delivery:
    """Deliver to this machine."""
    settings: dict[str, Any] = {"resolve": to("127.0.0.1"), "is_allowed_address": lambda address: True} | options
    return deliver(url, BODY, settings.pop("secret", SECRET), NOW, job_id=JOB_ID, **settings)


def verify_of_the_docs() -> Callable[..., bool]:
    """The example for receivers, as it stands in the module's docstring."""
    code = re.search(r"\n\n((?:    .*\n|\n)+)", webhook_delivery.__doc__ or "")
    assert code
    names: dict[str, Any] = {}
    exec(textwrap.dedent(code[1]), names)  # noqa: S102
    verify: Callable[..., bool] = names["verify"]
    return verify


def test_a_callback_is_one_signed_post(receiver: Receiver) -> None:
    assert send(receiver.url) == Delivery(Outcome.DELIVERED)
    [(method, path, headers, body)] = receiver.requests
    assert (method, path, body) == ("POST", "/jobs?a=b%20c", BODY)
    assert headers == {
        "Host": f"hooks.example.com:{receiver.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(BODY)),
        "User-Agent": "pret-a-depenser",
        "Connection": "close",
        "X-Pret-Event": "job.ended",
        "X-Pret-Delivery": JOB_ID,
        "X-Pret-Timestamp": "1700000000",
        "X-Pret-Signature": sign(SECRET, 1_700_000_000, BODY),
    }


def test_a_receiver_can_verify_it_with_the_code_of_the_docs(receiver: Receiver) -> None:
    send(receiver.url)
    [(_, _, headers, body)] = receiver.requests
    verify = verify_of_the_docs()
    assert verify(SECRET, headers, body, NOW + 299)
    assert not verify(SECRET, headers, body, NOW + 302)
    assert not verify("other", headers, body, NOW)
    assert not verify(SECRET, headers, body + b" ", NOW)
    assert not verify(SECRET, headers | {"X-Pret-Timestamp": "1700000001"}, body, NOW)


def test_the_signature_is_an_hmac_of_timestamp_dot_body() -> None:
    expected = hmac.new(SECRET.encode(), b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert sign(SECRET, 1_700_000_000, BODY) == f"sha256={expected}"


def test_without_a_secret_it_is_not_signed(receiver: Receiver) -> None:
    assert send(receiver.url, secret=None).outcome is Outcome.DELIVERED
    [(_, _, headers, _)] = receiver.requests
    assert "X-Pret-Signature" not in headers


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([200, 201, 202, 204, 299], Outcome.DELIVERED),
        ([408, 425, 429, 500, 502, 503, 504, 599], Outcome.RETRY),
        ([300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 410, 422, 499], Outcome.REJECTED),
    ],
)
def test_the_status_decides(receiver: Receiver, statuses: list[int], outcome: Outcome) -> None:
    for status in statuses:
        receiver.status = status
        delivery = send(receiver.url)
        assert delivery.outcome is outcome
        assert (delivery.reason is None) == (outcome is Outcome.DELIVERED)
        assert delivery.reason is None or delivery.reason.params == {"status": status}
    assert len(receiver.requests) == len(statuses)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.status = status
    receiver.headers = {"Location": f"http://127.0.0.1:{receiver.port}/elsewhere"}
    assert send(receiver.url) == Delivery(Outcome.REJECTED, Reason("receiver-redirected", {"status": status}))
    assert len(receiver.requests) == 1


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(receiver.url).outcome is Outcome.DELIVERED


def test_the_name_is_looked_up_once_and_the_checked_address_is_the_one_called(receiver: Receiver) -> None:
    found = iter([["127.0.0.1"], ["10.0.0.1"]])
    checked: list[str] = []
    looked_up: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append((host, port))
        return next(found)

    def is_allowed(address: str) -> bool:
        checked.append(address)
        return address == "127.0.0.1"

    assert send(receiver.url, resolve=resolve, is_allowed_address=is_allowed).outcome is Outcome.DELIVERED
    assert (looked_up, checked) == ([("hooks.example.com", receiver.port)], ["127.0.0.1"])
    assert send(receiver.url, resolve=resolve, is_allowed_address=is_allowed).outcome is Outcome.REJECTED


def test_an_address_that_does_not_answer_is_passed_over(receiver: Receiver) -> None:
    assert send(receiver.url, resolve=to("127.0.0.2", "127.0.0.1")).outcome is Outcome.DELIVERED


def test_localhost_in_earnest_is_refused(receiver: Receiver) -> None:
    url = f"http://localhost:{receiver.port}/"
    assert deliver(url, BODY, SECRET, NOW, job_id=JOB_ID).outcome is Outcome.REJECTED
    assert deliver(url.replace("localhost", "127.0.0.1"), BODY, SECRET, NOW, job_id=JOB_ID).outcome is Outcome.REJECTED
    assert receiver.requests == []


def test_a_url_that_cannot_be_is_refused() -> None:
    assert send("https://u:p@hooks.example.com/").outcome is Outcome.REJECTED


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("empty")])
def test_a_name_that_is_not_found_may_be_later(error: Exception) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise error

    expected = Delivery(Outcome.RETRY, Reason("receiver-unresolved"))
    assert send("https://hooks.example.com/", resolve=resolve) == expected
    assert send("https://hooks.example.com/", resolve=to()) == expected


def test_a_receiver_that_is_not_there_may_be_later() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://hooks.example.com:{taken.getsockname()[1]}/"
        assert send(url) == Delivery(Outcome.RETRY, Reason("receiver-unreachable"))


def test_a_receiver_that_never_answers_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://hooks.example.com:{silent.getsockname()[1]}/"
        delivery = within(1, lambda: send(url, total_timeout=0.2))
    assert delivery == Delivery(Outcome.RETRY, Reason("receiver-timed-out"))


@pytest.mark.parametrize(
    "pieces",
    [
        [bytes([byte]) for byte in b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100],
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 100,
        [b"HTTP/1.1 200 OK\r\n", *[b"A: b\r\n"] * 100],
    ],
    ids=["byte by byte", "interim answers", "headers"],
)
def test_a_receiver_that_drips_holds_no_one_longer(pieces: list[bytes]) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
            if stop.wait(0.02):
                return

    with raw_server(drip) as url:
        delivery = within(1, lambda: send(url, total_timeout=0.2))
        stop.set()
    assert delivery == Delivery(Outcome.RETRY, Reason("receiver-timed-out"))


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"]
)
def test_a_huge_answer_is_not_read(head: bytes) -> None:
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(head)
        while sent < 1 << 30:
            sent += connection.send(b"x" * 65536)

    with raw_server(flood) as url:
        assert send(url).outcome is Outcome.DELIVERED
    assert sent < 1 << 26


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 100, b"HTTP/1.1 200 OK\r\nA: " + b"x" * 300_000],
)
def test_an_answer_that_is_not_http_may_be_better_later(answer: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(answer)) as url:
        delivery = send(url)
    assert delivery.outcome is Outcome.RETRY
    assert delivery.reason in (Reason("receiver-not-http"), Reason("receiver-unreachable"))


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side with a certificate for the name, signed by itself, and a client's side that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = builder.sign(key, hashes.SHA256())
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(encoding)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


def test_over_https_the_name_is_asked_for_and_checked(tmp_path: Path) -> None:
    server, client = certificate(tmp_path, "hooks.example.com")
    asked: list[str | None] = []
    server.sni_callback = lambda connection, name, context: asked.append(name)
    with http_server(server) as receiver:
        assert send(receiver.url.replace("http:", "https:"), tls=client) == Delivery(Outcome.DELIVERED)
        [(_, _, headers, _)] = receiver.requests
        assert headers["Host"] == f"hooks.example.com:{receiver.port}"
        assert asked == ["hooks.example.com"]

        wrong_name = f"https://other.example.com:{receiver.port}/"
        assert send(wrong_name, tls=client) == webhook_delivery.NOT_SECURE
        assert send(receiver.url.replace("http:", "https:")) == webhook_delivery.NOT_SECURE
        assert len(receiver.requests) == 1


def test_https_to_a_server_that_speaks_none_may_be_better_later(receiver: Receiver) -> None:
    assert send(receiver.url.replace("http:", "https:")) == webhook_delivery.NOT_SECURE


def test_a_handshake_that_never_comes_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://hooks.example.com:{silent.getsockname()[1]}/"
        assert send(url, total_timeout=0.2) == webhook_delivery.TOO_SLOW


@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_no_reason_holds_the_url_or_the_secret(receiver: Receiver, status: int) -> None:
    receiver.status = status
    receiver.answer = SECRET.encode()
    text = repr(send(receiver.url))
    assert SECRET not in text
    assert "hooks" not in text


def test_the_wait_grows_and_ends() -> None:
    assert [next_attempt(attempt) for attempt in range(1, 8)] == [5, 30, 120, 600, 3600, None, None]

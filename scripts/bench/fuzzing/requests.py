"""Requests around odd bodies, with odd heads; some are so odd that nobody can tell where they end."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from scripts.bench.fuzzing.bodies import Bodies
from shared.contract.contract import Row

Headers = list[tuple[bytes, bytes]]

ONE, SEVERAL, JOBS = b"/individual_score", b"/multiple_score", b"/jobs"
JSON = b"application/json"

PATHS = (*[ONE] * 10, *[SEVERAL] * 5, *[JOBS] * 4, b"/reload_model")
ODD_PATHS = (
    b"/",
    b"//",
    b"/jobs/",
    b"/jobs/x",
    b"/jobs/%00",
    b"/jobs/%ff/results",
    b"/model_info",
    b"/docs",
    b"*",
    b"/" + b"a" * 5000,
)
METHODS = (*[b"POST"] * 40, b"GET", b"HEAD", b"DELETE", b"PUT", b"OPTIONS", b"PATCH", b"TRACE", b"post")
MEDIA = (
    *[JSON] * 12,
    *(b"application/json; charset=utf-8", b"application/json; charset=utf-16", b"application/json; charset=latin-1"),
    *(
        b"application/json;charset=\xff",
        b"application/json; charset",
        b"APPLICATION/JSON",
        b"text/plain",
        b"text/csv",
        b"",
    ),
    *(
        b"application/x-ndjson",
        b"application/vnd.apache.parquet",
        b"application/vnd.apache.arrow.stream",
        b"application/zip",
    ),
    *(b"multipart/form-data; boundary=x", b"multipart/form-data", b"application/x-www-form-urlencoded"),
)
HEADERS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"Content-Encoding", (b"gzip", b"identity", b"zstd", b"br", b"bz2", b"xz", b"gzip, gzip", b"\xff", b"")),
    (
        b"Prefer",
        (
            b"wait=1",
            b"wait=0",
            b"wait=-1",
            b"wait=1e9",
            b"wait=NaN",
            b"wait",
            b"respond-async",
            b"wait=\xd9\xa1",
            b",;=,",
        ),
    ),
    (b"Idempotency-Key", (b"a", b"a" * 200, b"a" * 201, b"\xff", b"", b"a b", b'"a"')),
    (b"Authorization", (b"Bearer x", b"Bearer", b"Basic eDp5", b"\xff\xfe", b"Bearer " + b"x" * 5000)),
    (b"X-API-Key", (b"x", b"", b"\xff")),
    (b"X-Request-ID", (b"a", b"a" * 101, b"\xff", b"a\tb", b"")),
    (b"Origin", (b"http://evil.example", b"null", b"http://[", b"\xff", b"http://localhost")),
    (b"Sec-Fetch-Site", (b"cross-site", b"same-origin", b"none", b"\xff")),
    (b"Upgrade", (b"h2c", b"websocket", b"\xff")),
    (b"Connection", (b"Upgrade", b"close", b"keep-alive, Upgrade, HTTP2-Settings", b"\xff")),
    (b"Expect", (b"100-continue", b"200-ok")),
    (b"Accept", (b"text/csv", b"*/*;q=x", b"\xff", b"application/x-ndjson;q=0")),
    (b"Range", (b"bytes=0-", b"bytes=-1", b"bytes=9999999999999999999999-", b"\xff")),
    (b"Content-Type", MEDIA),
    (b"Cookie", (b"a=b", b"\xff")),
    (b"X-Odd", (b"", b"\x01", b"a" * 5000, "é".encode())),
)
HOSTS = (*[b"localhost"] * 30, b"evil.example", b"", b"[::1]", b"[", b"localhost:99999", b"\xff", b"LOCALHOST.")
QUERIES = (
    *[b""] * 8,
    *(
        b"?on_invalid=flag",
        b"?on_invalid=x",
        b"?keep=a",
        b"?keep=a,a",
        b"?keep=",
        b"?keep=%00&keep=%ff",
        b"?keep=score",
    ),
    *(
        b"?delimiter=;",
        b"?delimiter=%FF",
        b"?decimal=,",
        b"?missing=-,n/a",
        b"?missing=" + b"x," * 30,
        b"?name=%2e%2e%2fx",
        b"?unknown=1",
    ),
    *(
        b"?callback_url=http://localhost/",
        b"?callback_url=%ff://",
        b"?" + b"&" * 200,
        b"?\xff",
        b"?%",
        b"?name=" + b"a" * 2000,
    ),
)
LINE_ENDS = (*[b"\r\n"] * 200, b"\n", b"\r", b"\r\n ")


@dataclass(frozen=True)
class Request:
    """What is sent, and what may be expected."""

    text: bytes
    method: str
    is_whole: bool
    """Whether it certainly ends where it should, so that there must be an answer."""
    is_valid: bool = False
    """Whether it must be answered with a score."""


class Requests:
    """Makes requests; the same ones for the same rows and seed."""

    def __init__(self, rows: Sequence[Row], seed: str) -> None:
        self._random = Random(seed)
        self._bodies = Bodies(rows, self._random)

    def next(self) -> Request:
        """Make the next request."""
        if self._random.random() < 0.05:
            return self._request(b"POST", ONE, self._bodies.row(0), [(b"Content-Type", JSON)], is_valid=True)
        path = self._random.choice(PATHS)
        method = self._random.choice(METHODS)
        media = JSON if self._random.random() < 0.6 else self._random.choice(MEDIA)
        headers = [(b"Content-Type", media), *(self._header() for _ in range(self._random.choice((0, 0, 1, 3))))]
        body = self._body(path, media)
        if self._random.random() < 0.05:
            path = self._random.choice(ODD_PATHS)
        return self._request(method, path + self._random.choice(QUERIES), body, headers)

    def _body(self, path: bytes, media: bytes) -> bytes:
        if path == ONE:
            return self._bodies.row()
        if path == JOBS and media in (b"text/csv", b"application/x-ndjson"):
            return self._bodies.table() if media == b"text/csv" else self._bodies.lines()
        return self._bodies.options() if path == b"/reload_model" else self._bodies.batch()

    def _header(self) -> tuple[bytes, bytes]:
        name, values = self._random.choice(HEADERS)
        return name, self._random.choice(values)

    def _request(
        self, method: bytes, target: bytes, body: bytes, headers: Headers, *, is_valid: bool = False
    ) -> Request:
        host = b"localhost" if is_valid else self._random.choice(HOSTS)
        headers = [(b"Host", host), *headers]
        is_chunked = not is_valid and self._random.random() < 0.2
        headers.append((b"Transfer-Encoding", b"chunked") if is_chunked else (b"Content-Length", b"%d" % len(body)))
        ends = [b"\r\n" if is_valid else self._random.choice(LINE_ENDS) for _ in headers]
        lines = b"".join(b"%s: %s%s" % (name, value, end) for (name, value), end in zip(headers, ends, strict=True))
        content = self._chunked(body) if is_chunked else body
        is_whole = set(ends) == {b"\r\n"} and target.isascii()
        text = b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method, target, lines, content)
        return Request(text, method.decode(), is_whole, is_valid)

    def _chunked(self, body: bytes) -> bytes:
        place = self._random.randint(0, len(body))
        parts = [part for part in (body[:place], body[place:]) if part]
        return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

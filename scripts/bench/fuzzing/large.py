"""Large JSON bodies of every kind that has ever held up the service, each as large as is accepted, or nearly."""

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.contract.contract import Row

MOST = 31 << 20
"""Bytes; a little less than the default of MAX_BODY_BYTES."""

JSON = {"Content-Type": "application/json"}
JOBS, ONE, SEVERAL = "/jobs", "/individual_score", "/multiple_score"


@dataclass(frozen=True)
class Body:
    """A request."""

    path: str
    content: bytes
    headers: dict[str, str] = field(default_factory=lambda: JSON)


Rows = Sequence[Row]


def _filled(element: bytes, size: int = MOST) -> bytes:
    """Repeat an element of an array, as often as there is room for it."""
    return b"[" + b",".join([element] * (size // (len(element) + 1))) + b"]"


def _text(value: object) -> bytes:
    return json.dumps(value).encode()


def _columns(rows: Rows, value: Callable[[object], bytes]) -> bytes:
    parts = [(_text(name), value(given)) for name, given in rows[0].items()]
    count = (MOST - 1000) // sum(len(element) + 1 for _, element in parts)
    return b'{"columns":{%s}}' % b",".join(b"%s:[%s]" % (name, b",".join([element] * count)) for name, element in parts)


def _split(rows: Rows) -> bytes:
    names = list(rows[0])
    row = _text([rows[0][name] for name in names])
    return b'{"dataframe_split":{"columns":%s,"data":%s}}' % (_text(names), _filled(row, MOST - 1000))


def _keys(count: int, more: bytes = b"") -> bytes:
    return b"{%s%s}" % (more, b",".join(b'"k%d":0' % number for number in range(count)))


def _with_keys(row: Row, size: int) -> bytes:
    return _keys(size // 12, _text(row)[1:-1] + b",")[:size].rpartition(b",")[0] + b"}"


BODIES: dict[str, Callable[[Rows], Body]] = {
    "nothing": lambda _: Body(JOBS, b"[]"),
    "rows": lambda rows: Body(JOBS, _filled(_text(rows[0]))),
    "rows waited for": lambda rows: Body(SEVERAL, _filled(_text(rows[0])), JSON | {"Prefer": "wait=1"}),
    "rows with a key": lambda rows: Body(JOBS, _filled(_text(rows[0])), JSON | {"Idempotency-Key": "stalls"}),
    "rows in UTF-16": lambda rows: Body(
        JOBS,
        _filled(_text(rows[0]), MOST // 2).decode().encode("utf-16"),
        {"Content-Type": "application/json; charset=utf-16"},
    ),
    "invalid rows": lambda rows: Body(JOBS, _filled(_text(rows[0] | {next(iter(rows[0])): "x"}))),
    "rows with NaN": lambda rows: Body(JOBS, _filled(_text(rows[0] | {next(iter(rows[0])): float("nan")}))),
    "columns": lambda rows: Body(JOBS, _columns(rows, _text)),
    "columns of words": lambda rows: Body(JOBS, _columns(rows, lambda _: b'"x"')),
    "columns of NaN": lambda rows: Body(JOBS, _columns(rows, lambda _: b"NaN")),
    "columns of lists": lambda rows: Body(JOBS, _columns(rows, lambda _: b"[]")),
    "split": lambda rows: Body(JOBS, _split(rows)),
    "split with many names": lambda _: Body(JOBS, b'{"dataframe_split":{"columns":%s,"data":[]}}' % _filled(b'"a"')),
    "million keys": lambda _: Body(JOBS, b'{"columns":%s}' % _keys(2_400_000)),
    "million keys at the top": lambda _: Body(JOBS, _keys(2_400_000)),
    "numbers": lambda _: Body(JOBS, _filled(b"1")),
    "empty objects": lambda _: Body(JOBS, _filled(b"{}")),
    "empty lists": lambda _: Body(SEVERAL, _filled(b"[]")),
    "blank": lambda _: Body(JOBS, b" " * MOST),
    "brackets that close": lambda _: Body(JOBS, b"[" + b"} " * (MOST // 2)),
    "deep": lambda _: Body(JOBS, b"[" * MOST),
    "one long word": lambda _: Body(JOBS, b'["%s"]' % (b"x" * MOST)),
    "one row of unknown keys": lambda rows: Body(SEVERAL, b"[" + _with_keys(rows[0], MOST) + b"]"),
    "1 MB row": lambda rows: Body(SEVERAL, b"[" + _with_keys(rows[0], 1 << 20) + b"]"),
    "256 kB row alone": lambda rows: Body(ONE, _with_keys(rows[0], 1 << 18)),
    "256 kB rows": lambda rows: Body(SEVERAL, _filled(_with_keys(rows[0], (1 << 18) - 10), 20 << 20)),
    "address": lambda _: Body(JOBS, b'{"input_uri":"%s"}' % (b"x" * MOST)),
    "compressed": lambda rows: _compressed(_filled(_text(rows[0]))),
}


def _compressed(content: bytes) -> Body:

    return Body(JOBS, gzip.compress(content, 1), JSON | {"Content-Encoding": "gzip"})

"""JSON bodies that are nearly valid: rows and batches of the model, of which some values, names or bytes are changed."""

import json
from collections.abc import Callable, Iterable, Sequence
from random import Random

from shared.contract.contract import Row

Pairs = list[tuple[bytes, bytes]]
"""The names and values of an object as JSON text, so that they may be what no encoder writes."""

ODD_VALUES: tuple[bytes, ...] = (
    *(b"null", b"true", b"false", b"0", b"-0", b"-0.0", b"1", b"-1", b"0.5", b"1e5", b"1E+2", b"2147483648"),
    *(
        b"9223372036854775808",
        b"1" * 400,
        b"1e308",
        b"1e400",
        b"-1e400",
        b"1e-400",
        b"5e-324",
        b"0." + b"0" * 400 + b"1",
    ),
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"nan",
        b"None",
        b"undefined",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"1_000",
        b"--1",
    ),
    *(
        b'""',
        b'" "',
        b'"1"',
        b'"true"',
        b'"NaN"',
        b'"a"',
        b'"' + b"a" * 5000 + b'"',
        '"é€𝄞"'.encode(),
        b'"\xff"',
        b'"\xc3"',
    ),
    *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\x00"', b'"\\x"', b'"\n"', b"'a'", b'"a', b'"\\"'),
    *(
        b"[]",
        b"{}",
        b"[1]",
        b'{"a":1}',
        b"[[[]]]",
        b"[" * 3000 + b"]" * 3000,
        b"[" * 500,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
    ),
    *(b"", b",", b":", b"/**/1", b"1//", b"\xef\xbb\xbf1"),
)
ODD_NAMES = (
    b'""',
    b'"a"',
    b'"__proto__"',
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\xff"',
    b"a",
    b"1",
    b'"' + b"n" * 3000 + b'"',
    b'"error"',
)
ODD_PIECES = (
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b" ",
    b"\n",
    b"1",
    b"e",
    b"-",
    b"NaN",
)
SHAPES = ("array", "array", "array", "dataframe_records", "dataframe_split", "columns", "address")

LARGE_SHARE, LARGEST_BATCH, USUAL_BATCH = 0.005, 3000, 30
MOST_UNKNOWN = 3000


class Bodies:
    """Makes bodies; the same ones for the same rows and state of `random`."""

    def __init__(self, rows: Sequence[Row], random: Random) -> None:
        self._rows = [
            [(json.dumps(name).encode(), json.dumps(value).encode()) for name, value in row.items()] for row in rows
        ]
        self._random = random
        self._changes: tuple[Callable[[Pairs], object], ...] = (
            *(self._exchange, self._exchange, self._exchange, self._omit, self._repeat),
            *(self._rename, self._add, self._shuffle),
        )

    def row(self, changes: int | None = None) -> bytes:
        """Make the body of one row; one that is valid if nothing is to be changed."""
        text = _object(self._changed_row(changes))
        return text if changes == 0 else self._damaged(text)

    def batch(self) -> bytes:
        """Make the body of a batch, in one of the shapes of a document."""
        size = LARGEST_BATCH if self._random.random() < LARGE_SHARE else USUAL_BATCH
        return self._damaged(self._shaped(self._some_rows(0, size), self._random.choice(SHAPES)))

    def lines(self) -> bytes:
        """Make a file of NDJSON."""
        return self._damaged(b"\n".join(map(_object, self._some_rows(0, USUAL_BATCH))))

    def table(self) -> bytes:
        """Make a file of CSV."""
        rows = self._some_rows(1, USUAL_BATCH)
        lines = [[name for name, _ in rows[0]], *([value for _, value in row] for row in rows)]
        return self._damaged(b"\n".join(b",".join(line) for line in lines))

    def options(self) -> bytes:
        """Make the body of a reload, which names no version that there is."""
        return self._damaged(
            _object([(b'"revision"', self._random.choice(ODD_VALUES[14:])), *self._some(ODD_NAMES, ODD_VALUES)])
        )

    def _some_rows(self, fewest: int, most: int) -> list[Pairs]:
        count = self._random.randint(fewest, most)
        return [self._changed_row(None if self._random.random() < 0.1 else 0) for _ in range(count)]

    def _changed_row(self, changes: int | None) -> Pairs:
        row = list(self._random.choice(self._rows))
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 5)) if changes is None else changes):
            self._random.choice(self._changes)(row)
        return row

    def _shaped(self, rows: list[Pairs], shape: str) -> bytes:
        name = json.dumps(shape).encode()
        if shape == "array":
            return _array(map(_object, rows))
        if shape == "dataframe_records":
            return _object([(name, _array(map(_object, rows)))])
        if shape == "address":
            return _object(
                [
                    (b'"input_uri"', self._random.choice(ODD_VALUES)),
                    *self._some((b'"output_uri"', *ODD_NAMES), ODD_VALUES),
                ]
            )
        names = [text for text, _ in rows[0]] if rows else []
        if shape == "columns":
            columns = [(text, _array(row[i][1] for row in rows if i < len(row))) for i, text in enumerate(names)]
            return _object([(name, _object(columns))])
        data = _array(_array(value for _, value in row) for row in rows)
        parts: Pairs = [(b'"columns"', _array(names)), (b'"data"', data), *self._some((b'"index"',), ODD_VALUES)]
        return _object([(name, _object(parts))])

    def _exchange(self, row: Pairs) -> None:
        if row:
            place = self._random.randrange(len(row))
            row[place] = row[place][0], self._random.choice(ODD_VALUES)

    def _omit(self, row: Pairs) -> None:
        if row:
            row.pop(self._random.randrange(len(row)))

    def _repeat(self, row: Pairs) -> None:
        if row:
            row.append(self._random.choice(row))

    def _rename(self, row: Pairs) -> None:
        if row:
            place = self._random.randrange(len(row))
            row[place] = self._random.choice(ODD_NAMES), row[place][1]

    def _add(self, row: Pairs) -> None:
        count = self._random.choice((1, 1, 1, 10, MOST_UNKNOWN))
        row += [(b'"u%d"' % number, self._random.choice(ODD_VALUES[:12])) for number in range(count)]

    def _shuffle(self, row: Pairs) -> None:
        self._random.shuffle(row)

    def _some(self, names: Sequence[bytes], values: Sequence[bytes]) -> Pairs:
        return [(self._random.choice(names), self._random.choice(values))] if self._random.random() < 0.3 else []

    def _damaged(self, text: bytes) -> bytes:
        """Change some bytes of a few texts."""
        if self._random.random() < 0.7:
            return text
        for _ in range(self._random.choice((1, 1, 3))):
            start = self._random.randint(0, len(text))
            end = min(len(text), start + self._random.choice((0, 1, 1, 10, 1000)))
            piece = self._random.choice((b"", text[start:end] * 2, text[start:end][::-1], *ODD_PIECES))
            text = text[:start] + piece + text[end:]
        return text


def _array(elements: Iterable[bytes]) -> bytes:
    return b"[%s]" % b",".join(elements)


def _object(pairs: Pairs) -> bytes:
    return b"{%s}" % b",".join(b"%s:%s" % pair for pair in pairs)

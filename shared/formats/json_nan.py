"""NaN and Infinity in JSON, where they are not allowed but occur: written as numbers, for a strict parser to take a text apart.

A tolerant parser would make an object of each value, however many a caller nests.
"""

import re
from itertools import islice
from random import SystemRandom

WORD = re.compile(rb"NaN|Infinity")
_DRAWN = SystemRandom().randrange(10**17, 10**18)
STANDS_FOR = {b"NaN": b"-1e%d1" % _DRAWN, b"Infinity": b"1e%d2" % _DRAWN}
"""Numbers that are too large for a float. Drawn anew by each process, so that nobody can send them, not even within a text."""

MAX_WORDS = 100_000
"""Words in one text that are looked at; with more of them it is just no JSON."""


def without_nan(text: bytes) -> bytes | None:
    """Write NaN and Infinity as numbers, where they are not within strings; None if there are none, or too many."""
    if b"NaN" not in text and b"Infinity" not in text:
        return None
    # Without escapes, each quote begins or ends a string. The positions stay.
    plain = text.replace(rb"\\", b"__").replace(rb"\"", b"__") if b"\\" in text else text
    pieces: list[bytes] = []
    done = seen = 0
    is_in_string = False
    words = list(islice(WORD.finditer(plain), MAX_WORDS + 1))
    for word in words:
        is_in_string ^= plain.count(b'"', seen, word.start()) % 2 == 1
        seen = word.start()
        if not is_in_string:
            pieces += [text[done : word.start()], STANDS_FOR[word[0]]]
            done = word.end()
    return b"".join([*pieces, text[done:]]) if pieces and len(words) <= MAX_WORDS else None


def with_nan(text: bytes) -> bytes:
    """Undo that."""
    for word, number in STANDS_FOR.items():
        text = text.replace(number, word)
    return text

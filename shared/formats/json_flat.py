"""Documents of nothing but arrays of numbers, taken apart by their brackets: no parser reads the text before the one of numbers.

What is between the brackets is not looked at here. Only if all of it turns out to be numbers was the document JSON, and cut in
the right places.
"""

import re
from collections.abc import Collection

import msgspec

from shared.formats.json_pieces import NOT_IN_BULK, PIECE_BYTES

# No match may take long, as it holds the interpreter.
BLANK = rb"[ \t\r\n]{0,100}"
KEY = re.compile(rb'%b"([^"\\\x00-\x1f]{0,1000})"%b:%b(?=\[)' % (BLANK, BLANK, BLANK))
"""A key, without escapes, and what is before an array."""
COLUMNS = re.compile(rb'%b\{%b"columns"%b:%b\{' % ((BLANK,) * 4))
SPLIT = re.compile(rb'%b\{%b"dataframe_split"%b:%b\{' % ((BLANK,) * 4))
NEXT = re.compile(rb"%b," % BLANK)
END = re.compile(rb"%b\}%b\}%b\Z" % ((BLANK,) * 3))


def flat_columns(body: bytes, names: Collection[str]) -> dict[str, bytes] | None:
    """Cut a document of columns into the texts of their arrays; None unless it has some of `names`, each once, and nothing else."""
    begin = COLUMNS.match(body)
    found: dict[str, bytes] = {}
    while begin is not None:
        key = KEY.match(body, begin.end())
        name = _text(key[1]) if key else None
        if key is None or name is None or name not in names or name in found:
            return None
        end = body.find(b"]", key.end()) + 1
        found[name] = body[key.end() : end]
        if END.match(body, end):
            return found
        begin = NEXT.match(body, end)
    return None


def flat_split(body: bytes) -> tuple[list[str], bytes] | None:
    """Cut a document of `dataframe_split` into the names of its columns and the text of its rows, which must come last.

    None if it has another form.
    """
    begin, names = SPLIT.match(body), None
    while begin is not None and (key := KEY.match(body, begin.end())):
        if key[1] == b"data":
            end = body.rfind(b"]") + 1
            # With a quotation mark, it may hold text, or the next key.
            is_last = END.match(body, end) and body.find(b'"', key.end()) < 0
            return (names, body[key.end() : end]) if names and is_last else None
        end = body.find(b"]", key.end()) + 1
        array = body[key.end() : end]
        try:
            if key[1] == b"columns" and names is None and len(array) <= PIECE_BYTES:
                names = msgspec.json.decode(array, type=list[str])
            elif key[1] == b"index":
                msgspec.json.decode(array, type=msgspec.Raw)
            else:
                return None
        except NOT_IN_BULK:
            return None
        begin = NEXT.match(body, end)
    return None


def _text(key: bytes) -> str | None:
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None

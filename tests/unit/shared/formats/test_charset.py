"""Text in other encodings is read as the same text in UTF-8, whatever the size of the reads; what is not in it is told by line."""

import codecs
import io

import pytest

from shared.errors import MalformedInput
from shared.formats.charset import CHARSETS, Charset, as_utf8, charset_of, recoded

LINES = ["âge,nom", "40,Zoë Müller", "41,naïve œuvre €", "", "42,ÿ"]
LATIN = [line.replace("œ", "oe").replace("€", "euro") for line in LINES]


def written(lines: list[str], codec: str) -> bytes:
    return "\n".join(lines).encode(codec)


class Dripping(io.BytesIO):
    """Gives only so many bytes in one read."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self.most = most

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.most if size is None or size < 0 else min(size, self.most))


@pytest.mark.parametrize(
    ("raw", "charset", "lines"),
    [
        (written(LINES, "cp1252"), "windows-1252", LINES),
        (written(LATIN, "latin-1"), "iso-8859-1", LATIN),
        (written([*LINES, "😀"], "utf-16"), "utf-16", [*LINES, "😀"]),
        (codecs.BOM_UTF16_BE + written([*LINES, "😀"], "utf-16-be"), "utf-16", [*LINES, "😀"]),
        (codecs.BOM_UTF16_LE + written(["\u0a0aਗ"], "utf-16-le"), "utf-16", ["\u0a0aਗ"]),
        (codecs.BOM_UTF16_LE, "utf-16", [""]),
        (b"", "windows-1252", [""]),
        (written(LINES, "utf-8"), "utf-8", LINES),
        (codecs.BOM_UTF8 + written(LINES, "utf-8"), "utf-8", LINES),
        (codecs.BOM_UTF8 + written(LINES, "utf-8"), "windows-1252", LINES),
    ],
)
@pytest.mark.parametrize("most", [1, 3, 1000])
def test_a_text_is_the_same_in_utf8(raw: bytes, charset: Charset, lines: list[str], most: int) -> None:
    text = written(lines, "utf-8")
    assert as_utf8(raw, charset) == text
    stream = recoded(Dripping(raw, most), charset)
    assert b"".join(iter(lambda: stream.read(7), b"")).removeprefix(codecs.BOM_UTF8) == text


def test_a_large_text_is_read_in_pieces() -> None:
    text = "é" * 3_000_000
    stream = recoded(io.BytesIO(text.encode("cp1252")), "windows-1252")
    assert sum(len(piece) for piece in iter(lambda: stream.read(1 << 16), b"")) == 6_000_000


@pytest.mark.parametrize(
    ("raw", "charset", "line"),
    [
        (b"a\nb\n\x81", "windows-1252", 3),
        (b"a\r\n\x8d", "windows-1252", 2),
        (codecs.BOM_UTF16_LE + "a\nb\n\u0a0a".encode("utf-16-le") + b"\x00\xd8x\0", "utf-16", 3),
        (codecs.BOM_UTF16_BE + b"\0a\0", "utf-16", 1),
        (codecs.BOM_UTF8 + b"a\n\xff", "iso-8859-1", 2),
    ],
)
@pytest.mark.parametrize("most", [1, 1000])
def test_what_is_not_in_the_charset_is_told_by_line(raw: bytes, charset: Charset, line: int, most: int) -> None:
    with pytest.raises(MalformedInput) as caught:
        recoded(Dripping(raw, most), charset).read()
    reason = caught.value.reason
    assert (reason.type, reason.params) == ("text-not-in-charset", {"line": line, "charset": charset})
    with pytest.raises(MalformedInput):
        as_utf8(raw, charset)


@pytest.mark.parametrize("raw", [b"", b"a", "a,b\n".encode("utf-16-le")])
def test_utf16_needs_its_mark(raw: bytes) -> None:
    with pytest.raises(MalformedInput, match="byte order mark"):
        as_utf8(raw, "utf-16")


@pytest.mark.parametrize(
    ("name", "charset"),
    [
        *((charset, charset) for charset in CHARSETS),
        ("UTF8", "utf-8"),
        (" Latin1 ", "iso-8859-1"),
        ("CP1252", "windows-1252"),
        ("US-ASCII", "utf-8"),
        ("iso-8859-15", None),
        ("utf-16le", None),
        ("shift_jis", None),
        ("", None),
        ("idna", None),
    ],
)
def test_names_of_charsets(name: str, charset: Charset | None) -> None:
    assert charset_of(name) == charset

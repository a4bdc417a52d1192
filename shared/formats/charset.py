"""Text in another encoding than UTF-8, as a caller declares it: made UTF-8 piece by piece, or as a whole."""

import codecs
import io
from typing import BinaryIO, Literal, get_args

from typing_extensions import Buffer

from shared.errors import MalformedInput

Charset = Literal["utf-8", "utf-16", "iso-8859-1", "windows-1252"]
CHARSETS: tuple[Charset, ...] = get_args(Charset)
"""What text may be written in; UTF-16 begins with a byte order mark."""

ALIASES: dict[str, Charset] = {
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf16": "utf-16",
    "iso8859-1": "iso-8859-1",
    "iso_8859-1": "iso-8859-1",
    "latin-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "l1": "iso-8859-1",
    "cp1252": "windows-1252",
    "x-cp1252": "windows-1252",
}
"""Other names, in lower case."""

UTF8: Charset = "utf-8"
UTF8_MARK = codecs.BOM_UTF8
UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}

PIECE_BYTES = 1 << 18


def charset_of(name: str) -> Charset | None:
    """Tell which charset a name means, whatever its case; None if it is not one that is read here."""
    plain = name.strip().lower()
    return next((charset for charset in CHARSETS if charset in (plain, ALIASES.get(plain))), None)


def as_utf8(text: bytes, charset: Charset) -> bytes:
    """Write a whole text as UTF-8, without a byte order mark; raises MalformedInput where it is not in the charset."""
    if charset == UTF8:
        return text.removeprefix(UTF8_MARK)
    return recoded(io.BytesIO(text), charset).read().removeprefix(UTF8_MARK)


def recoded(stream: BinaryIO, charset: Charset) -> BinaryIO:
    """Read a text as UTF-8, in bounded memory; reading raises MalformedInput where it is not in the charset."""
    return stream if charset == UTF8 else io.BufferedReader(_Recoded(stream, charset), PIECE_BYTES)


def _first(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes, unless the stream ends."""
    start = b""
    while len(start) < size and (piece := stream.read(size - len(start))):
        start += piece
    return start


class _Recoded(io.RawIOBase):
    """A text in UTF-8, made from another one while it is read."""

    def __init__(self, stream: BinaryIO, charset: Charset) -> None:
        self._stream = stream
        self._charset = charset
        self._line = 1
        self._waiting = b""
        self._ended = False
        self._codec, start = self._begin(_first(stream, len(UTF8_MARK)))
        self._decoder = codecs.getincrementaldecoder(self._codec)()
        self._decode(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        while not self._waiting and not self._ended:
            self._decode(self._stream.read(PIECE_BYTES))
        given, self._waiting = self._waiting[: len(view)], self._waiting[len(view) :]
        view[: len(given)] = given
        return len(given)

    def _begin(self, start: bytes) -> tuple[str, bytes]:
        """Choose the codec, and give what it is to decode first."""
        if start.startswith(UTF8_MARK):
            # Nothing else begins so, whatever was said: a program that writes UTF-8 for Excel was told of another charset.
            return UTF8, start
        if self._charset != "utf-16":
            return self._charset, start
        for mark, codec in UTF16_MARKS.items():
            if start.startswith(mark):
                return codec, start.removeprefix(mark)
        raise MalformedInput("utf16-without-mark")

    def _decode(self, piece: bytes) -> None:
        self._ended = not piece
        try:
            text = self._decoder.decode(piece, final=self._ended)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(self._codec)
            raise MalformedInput(
                "text-not-in-charset", line=self._line + before.count("\n"), charset=self._charset
            ) from None
        self._line += text.count("\n")
        self._waiting = text.encode()

"""Lets a script print its sentences on any terminal, also on one that knows ASCII alone."""

import codecs
import io
import sys
import unicodedata

PLAIN = "pret-plain"


def use_plain_letters() -> None:
    """Print what the terminal cannot show in the letters that are nearest: Pret a Depenser."""
    codecs.register_error(PLAIN, _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


def plain(text: str) -> str:
    """Write letters without their accents, and `?` for what has no likeness in ASCII."""
    return "".join(map(_nearest, text))


def _nearest(sign: str) -> str:
    return unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode() or "?"

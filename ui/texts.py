"""The sentences of the console, in French and English, and how numbers, dates and shares are written in each language."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from math import isfinite
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LANGUAGES = ("fr", "en")
"""The first is the one that a visitor sees who has not chosen."""
FOLDER = Path(__file__).parent / "sentences"

SPACE, NARROW_SPACE = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"
WORD_JOINER = "\N{WORD JOINER}"
NOTHING = "\N{EN DASH}"

LARGEST_WHOLE = 1e15
"""Below it, a number without a fraction is written without an exponent."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SPECIAL = re.compile(r"[\\`*\[\]<>$:~|&]|(?<![^\W_])_|_(?![^\W_])|^\s*(?:[-+#=]|\d+(?=[.)](?:\s|$)))")
_GAP = re.compile(rf"[^\S{SPACE}{NARROW_SPACE}]+")
_LINK = re.compile(r"(?<=:)(?=[\w/])|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Texts:
    """All sentences of one language; a sentence is named by its file and its key: `say("applicant.title")`."""

    language: str
    sentences: Mapping[str, str]
    zone: str | None = None
    """The visitor's time zone, such as `Europe/Paris`; None is that of this machine."""

    @classmethod
    def of(cls, language: str, zone: str | None = None) -> "Texts":
        """Give the sentences of `fr` or `en`; another language is answered in the first."""
        return replace(_texts(language if language in LANGUAGES else LANGUAGES[0]), zone=zone)

    def __call__(self, key: str, **values: object) -> str:
        """Say a sentence in Markdown; numbers are written as the language does, and no value is taken for Markdown."""
        return self.sentences[key].format_map({name: escaped(self._written(it)) for name, it in values.items()})

    def plain(self, key: str, **values: object) -> str:
        """Say a sentence where Markdown is not read: in tables, charts, files and the choices of a list."""
        return self.sentences[key].format_map({name: self._written(it) for name, it in values.items()})

    def has(self, key: str) -> bool:
        """Whether there is such a sentence."""
        return key in self.sentences

    def known(self, key: str, otherwise: str) -> str:
        """Say a word of the service's in the language, where it has one there."""
        return self.plain(key) if self.has(key) else otherwise

    def number(self, value: float | None, digits: int | None = None) -> str:
        """Write a number with `digits` decimals; without, all that it has."""
        if value is None:
            return NOTHING
        if digits is None:
            return self._localised(f"{value:,}" if isinstance(value, int) else _shortest(value))
        return self._localised(f"{value:,.{digits}f}")

    def editable(self, value: float) -> str:
        """Write a number to be edited: with the language's decimal sign, all its decimals, and nothing between thousands."""
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < LARGEST_WHOLE)
        return str(int(value)) if whole else repr(value).replace(".", self.sentences["common.decimal"])

    def read_number(self, text: str) -> float | str:
        """Read a number as people type it; text that is none, or may be read in two ways, stays as it is.

        Where the decimal sign is a comma, a point is one as well. In English a comma is refused: `1,234` could be either.
        """
        plain = "".join(text.split()).replace("\N{MINUS SIGN}", "-")
        if self.sentences["common.decimal"] == ",":
            plain = plain.replace(",", ".")
        if not _NUMBER.fullmatch(plain):
            return text
        return int(plain) if plain.lstrip("+-").isdigit() else float(plain) if isfinite(float(plain)) else text

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Write a share of 1 as a percentage."""
        return NOTHING if share is None else f"{self.number(share * 100, digits)}{self('common.percent')}"

    def moment(self, when: datetime | None) -> str:
        """Write a date and a time where the visitor is, to the minute."""
        return NOTHING if when is None else self.local(when).strftime(self.sentences["common.moment_format"])

    def local(self, when: datetime) -> datetime:
        """Give a moment in the visitor's time zone, where that is known."""
        try:
            return when.astimezone(ZoneInfo(self.zone) if self.zone else None)
        except (ZoneInfoNotFoundError, ValueError):
            return when.astimezone()

    def duration(self, seconds: float | None) -> str:
        """Write a duration, roughly: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
        if seconds is None:
            return NOTHING
        if seconds < 10:
            return f"{self.number(seconds, 1)}{SPACE}s"
        whole = round(seconds)
        if whole < 60:
            return f"{whole}{SPACE}s"
        if whole < 3600:
            return f"{whole // 60}{SPACE}min{SPACE}{whole % 60:02}{SPACE}s"
        return f"{whole // 3600}{SPACE}h{SPACE}{whole % 3600 // 60:02}{SPACE}min"

    def size(self, n_bytes: float | None) -> str:
        """Write a size in bytes, in the unit that suits it."""
        if n_bytes is None:
            return NOTHING
        units = self("common.byte_units").split()
        # By the number as it is written: 999,999 bytes are 1.0 MB.
        fits = (power for power in range(len(units)) if round(n_bytes / 1000**power, min(power, 1)) < 1000)
        power = next(fits, len(units) - 1)
        return f"{self.number(n_bytes / 1000**power, 1 if power else 0)}{SPACE}{units[power]}"

    def _written(self, value: object) -> str:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return self.number(value) if is_number else str(value)  # type: ignore[arg-type]

    def _localised(self, number: str) -> str:
        marks = {",": self.sentences["common.thousands"], ".": self.sentences["common.decimal"], "-": "\N{MINUS SIGN}"}
        return "".join(marks.get(character, character) for character in number)


def escaped(text: str) -> str:
    """Make Markdown that shows the text as it is: no formatting, link, formula, symbol or HTML comes of it."""
    line = _GAP.sub(" ", text).strip()
    return _SPECIAL.sub(lambda found: _backslashed(found[0]), _LINK.sub(WORD_JOINER, line))


def _backslashed(found: str) -> str:
    # Of a number that would begin a list, its full stop is what makes it one.
    return f"{found}{WORD_JOINER}" if found[-1].isdigit() else f"{found[:-1]}\\{found[-1]}"


def _shortest(value: float) -> str:
    """Give the shortest decimal notation that reads as the same number."""
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else _grouped(repr(value))


def _grouped(number: str) -> str:
    whole, dot, rest = number.partition(".")
    return f"{int(whole):,}{dot}{rest}" if dot and abs(float(number)) >= 1000 and "e" not in rest else number


@cache
def _texts(language: str) -> Texts:
    files = sorted((FOLDER / language).glob("*.toml"))
    return Texts(
        language,
        {
            f"{file.stem}.{key}": sentence
            for file in files
            for key, sentence in tomllib.loads(file.read_text(encoding="utf-8")).items()
        },
    )

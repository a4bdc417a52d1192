"""The sentences of the console in French and English, and the notation of numbers, dates and lists in each language."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from math import isfinite
from pathlib import Path
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LANGUAGES = ("fr", "en")
"""The first is the default."""
FOLDER = Path(__file__).parent / "sentences"

SPACE, NARROW_SPACE = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"
WORD_JOINER = "\N{WORD JOINER}"
NOTHING = "\N{EN DASH}"

MAX_LISTED = 12
"""Names listed in a sentence at most."""
MORE = "\N{HORIZONTAL ELLIPSIS}"
"""The last element of a list that the service has cut."""
SHORT_VERSION = 18
"""Characters of a model version to show."""
LARGEST_WHOLE = 1e15
"""Below it, a number without a fraction is written without an exponent."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SPECIAL = re.compile(r"[\\`*\[\]<>$:~|&]|(?<![^\W_])_|_(?![^\W_])|^\s*(?:[-+#=]|\d+(?=[.)](?:\s|$)))")
_SYMBOL = re.compile(r"(?<!\S)(?:<->|<-|->|--|[<>~]=)(?!\S)")
"""What Streamlit writes as another sign, such as ≤, where it stands alone."""
_GAP = re.compile(rf"[^\S{SPACE}{NARROW_SPACE}]+")
_LINK = re.compile(r"(?<=:)(?=[\w/])|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Texts:
    """All sentences of one language; a sentence is named by its file and its key: `say("applicant.title")`.

    Values are written as the language does: `{rows}` is a number, a text or a list of names, `{limit:size}` a size in bytes,
    `{values:or}` a list of alternatives, and `{rows:line is|lines are}` the singular or the plural.
    """

    language: str
    sentences: Mapping[str, str]
    zone: str | None = None
    """The visitor's time zone, such as `Europe/Paris`; by default that of this machine."""

    @classmethod
    def of(cls, language: str, zone: str | None = None) -> "Texts":
        """Return the sentences of `fr` or `en`, or of the default for any other language."""
        return replace(_texts(language if language in LANGUAGES else LANGUAGES[0]), zone=zone)

    def __call__(self, key: str, /, **values: Any) -> str:
        """Say a sentence in Markdown; no value is read as Markdown. Raises KeyError if a value is missing."""
        return self._filled(key, values, escaped)

    def plain(self, key: str, /, **values: Any) -> str:
        """Say a sentence as plain text, for tables, charts, files and the choices of a list."""
        return self._filled(key, values, str)

    def has(self, key: str) -> bool:
        """Whether there is such a sentence."""
        return key in self.sentences

    def known(self, key: str, otherwise: str) -> str:
        """Say a sentence that takes no values, or `otherwise` if there is no such sentence."""
        return self.plain(key) if self.has(key) else otherwise

    def number(self, value: float | None, digits: int | None = None) -> str:
        """Write a number with `digits` decimals, by default with all that it has."""
        if value is None:
            return NOTHING
        if digits is None:
            return self._localised(f"{value:,}" if isinstance(value, int) else _shortest(value))
        return self._localised(f"{value:,.{digits}f}")

    def editable(self, value: float) -> str:
        """Write a number to be edited: with all its decimals, and without thousands separators."""
        whole = isinstance(value, int) or (value.is_integer() and abs(value) < LARGEST_WHOLE)
        return str(int(value)) if whole else repr(value).replace(".", self.sentences["common.decimal"])

    def names(self, names: Sequence[Any], joined: str = "and") -> str:
        """List the first MAX_LISTED names, the last two joined by `and` or `or`."""
        is_cut = bool(names) and names[-1] == MORE
        known = names[:-1] if is_cut else names
        listed = [self._quoted(name) for name in known[:MAX_LISTED]]
        if is_cut:
            listed.append(self.sentences["common.others"])
        elif len(known) > MAX_LISTED:
            listed.append(self.plain("common.more", count=len(known) - MAX_LISTED))
        *front, last = listed or [NOTHING]
        return self.plain(f"common.{joined}", front=", ".join(front), last=last) if front else last

    def read_number(self, text: str) -> float | str:
        """Parse a number as people type it; text that is not a number, or is ambiguous, is returned unchanged.

        In French, a point is read as a decimal sign too. In English, a comma is not: `1,234` is ambiguous.
        """
        plain = "".join(text.split()).replace("\N{MINUS SIGN}", "-")
        if self.sentences["common.decimal"] == ",":
            plain = plain.replace(",", ".")
        if not _NUMBER.fullmatch(plain):
            return text
        return int(plain) if plain.lstrip("+-").isdigit() else float(plain) if isfinite(float(plain)) else text

    def percent(self, share: float | None, digits: int = 1) -> str:
        """Write a share, from 0 to 1, as a percentage."""
        return NOTHING if share is None else f"{self.number(share * 100, digits)}{self('common.percent')}"

    def moment(self, when: datetime | None) -> str:
        """Write a date and time, to the minute, in the visitor's time zone."""
        return NOTHING if when is None else self.local(when).strftime(self.sentences["common.moment_format"])

    def local(self, when: datetime) -> datetime:
        """Convert a time to the visitor's time zone, if it is known."""
        try:
            return when.astimezone(ZoneInfo(self.zone) if self.zone else None)
        except (ZoneInfoNotFoundError, ValueError):
            return when.astimezone()

    def duration(self, seconds: float | None) -> str:
        """Write a rough duration: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`."""
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
        """Write a number of bytes in a suitable unit."""
        if n_bytes is None:
            return NOTHING
        units = self("common.byte_units").split()
        # Rounded first: 999,999 bytes are 1.0 MB.
        fits = (power for power in range(len(units)) if round(n_bytes / 1000**power, min(power, 1)) < 1000)
        power = next(fits, len(units) - 1)
        return f"{self.number(n_bytes / 1000**power, 1 if power else 0)}{SPACE}{units[power]}"

    def _filled(self, key: str, values: Mapping[str, Any], write: Callable[[str], str]) -> str:
        parts = Formatter().parse(self.sentences[key])
        return "".join(
            text if name is None else text + self._place(values[name], spec or "", write)
            for text, name, spec, _ in parts
        )

    def _place(self, value: Any, spec: str, write: Callable[[str], str]) -> str:
        if "|" in spec:
            one, many = spec.split("|")
            return one if self._is_one(value) else many
        if spec == "size":
            return write(self.size(value))
        return write(self.names(value, spec or "and") if isinstance(value, list | tuple) else self.written(value))

    def _is_one(self, count: float) -> bool:
        """Whether a number takes the singular; in French, 0 and 1.5 do too."""
        return abs(count) < 2 if self.language == "fr" else count == 1

    def _quoted(self, name: Any) -> str:
        return self.plain("common.quoted", name=name) if isinstance(name, str) else self.written(name)

    def written(self, value: Any) -> str:
        """Write a number, a boolean or a text."""
        if isinstance(value, bool):
            return self.sentences["common.yes" if value else "common.no"]
        return self.number(value) if isinstance(value, int | float) else str(value)

    def _localised(self, number: str) -> str:
        marks = {",": self.sentences["common.thousands"], ".": self.sentences["common.decimal"], "-": "\N{MINUS SIGN}"}
        return "".join(marks.get(character, character) for character in number)


def short(version: str | None) -> str:
    """Shorten a model version."""
    return version[:SHORT_VERSION] if version else NOTHING


def escaped(text: str) -> str:
    """Make Markdown that shows the text as it is, without formatting, links, formulas, symbols or HTML."""
    line = _GAP.sub(" ", text).strip()
    line = _SYMBOL.sub(lambda found: f"{found[0][0]}{WORD_JOINER}{found[0][1:]}", line)
    return _SPECIAL.sub(lambda found: _backslashed(found[0]), _LINK.sub(WORD_JOINER, line))


def _backslashed(found: str) -> str:
    # A number begins a list only with its full stop.
    return f"{found}{WORD_JOINER}" if found[-1].isdigit() else f"{found[:-1]}\\{found[-1]}"


def _shortest(value: float) -> str:
    """Return the shortest decimal notation that is parsed as the same number."""
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

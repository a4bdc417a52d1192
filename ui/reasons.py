"""Why a value is refused: the English sentences of the service in the language of the page."""

import re
from collections.abc import Mapping

from ui.texts import Texts

PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"Field required", "missing"),
        (r"Input should be a valid number(?:, .+)?", "number"),
        (r"Input should be a valid integer, got a number with a fractional part", "fraction"),
        (r"Input should be a valid integer(?:, .+)?", "integer"),
        (r"Input should be an integer of at most 64 bits", "too_long"),
        (r"Input should be a finite number", "finite"),
        (r"Input should be a valid boolean(?:, .+)?", "boolean"),
        (r"Input should be a valid string(?:, .+)?", "text"),
        (r"Input should be greater than or equal to (?P<bound>\S+)", "at_least"),
        (r"Input should be less than or equal to (?P<bound>\S+)", "at_most"),
        (r"Input should not be less than (?P<other>.+)", "not_ordered"),
        (r"Input should be (?P<values>(?:'|-?\d).*)", "one_of"),
        (r"Extra inputs are not permitted", "unknown"),
    )
)
"""Sentences of the service, and the names of ours, `reasons.…`."""
SEPARATOR = "; "
"""Between the reasons of one row."""


def translated(reason: str, say: Texts, labels: Mapping[str, str] | None = None) -> str:
    """Translate one sentence of the service, to Markdown; one that is not known stays as it is."""
    return _said(reason, say, labels, markdown=True)


def plainly(reasons: str, say: Texts) -> str:
    """Translate the reasons of a row of a job, `name: sentence; name: sentence`, for a table; what is not known stays."""
    return SEPARATOR.join(_named(part, say) for part in reasons.split(SEPARATOR))


def _named(part: str, say: Texts) -> str:
    name, colon, reason = part.rpartition(": ")
    if not colon:
        return _said(part, say, None, markdown=False)
    return f"{name}{say.plain('common.colon')} {_said(reason, say, None, markdown=False)}"


def _said(reason: str, say: Texts, labels: Mapping[str, str] | None, *, markdown: bool) -> str:
    speak = say if markdown else say.plain
    for pattern, name in PATTERNS:
        found = pattern.fullmatch(reason)
        if found:
            return speak(f"reasons.{name}", **_values(found.groupdict(), say, labels or {}))
    return speak("reasons.other", reason=reason)


def _values(values: Mapping[str, str], say: Texts, labels: Mapping[str, str]) -> dict[str, str]:
    written = dict(values)
    if "bound" in written:
        written["bound"] = _bound(written["bound"], say)
    if "other" in written:
        written["other"] = labels.get(written["other"], written["other"])
    if "values" in written:
        written["values"] = written["values"].replace(" or ", f" {say.plain('reasons.or')} ")
    return written


def _bound(bound: str, say: Texts) -> str:
    try:
        return say.number(float(bound))
    except ValueError:
        return bound

"""The language of labels and reasons: French or English, as the caller prefers (RFC 9110, Accept-Language)."""

from collections.abc import Mapping

from shared.contract.text import LANGUAGES, Language

DEFAULT_LANGUAGE: Language = "en"
"""Where the caller does not say, as problems are in English."""


def language_of(accepted: str) -> Language:
    """Choose by the value of an Accept-Language header; of equal preferences the first counts."""
    chosen, best = DEFAULT_LANGUAGE, 0.0
    for part in accepted.lower().split(","):
        tag, _, parameters = part.partition(";")
        weight = _weight(parameters)
        for language in LANGUAGES:
            if tag.strip().partition("-")[0] == language and weight > best:
                chosen, best = language, weight
    return chosen


def language_headers(language: Language) -> dict[str, str]:
    """Return the headers of a response in that language."""
    return {"Content-Language": language, "Vary": "Accept-Language"}


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Write headers as ASGI has them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0

"""The language of an answer: the one that the caller prefers, of the two that there are."""

import pytest

from api.language import language_of


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA, en;q=0.8", "fr"),
        ("de, en;q=0.3, fr;q=0.7", "fr"),
        ("EN-gb,fr", "en"),
        ("*", "en"),
        ("de", "en"),
        ("fr;q=0", "en"),
        ("fr;q=x, en;q=0.1", "en"),
        ("fr;q=nan", "en"),
        (";;;,,=,q", "en"),
    ],
)
def test_the_preferred_language_is_chosen(accepted: str, language: str) -> None:
    assert language_of(accepted) == language

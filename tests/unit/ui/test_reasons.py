import pytest

from ui.reasons import plainly, translated
from ui.texts import Texts

FR, EN = Texts.of("fr"), Texts.of("en")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Field required", "This value is required."),
        ("Input should be a valid number", "This must be a number."),
        ("Input should be a valid number, unable to parse string as a number", "This must be a number."),
        (
            "Input should be a valid integer, got a number with a fractional part",
            "This must be a whole number, without decimals.",
        ),
        ("Input should be a valid boolean", "This must be yes or no."),
        ("Input should be greater than or equal to 18", "This must be at least 18."),
        ("Input should be less than or equal to 0.5", "This must be at most 0.5."),
        ("Input should be 'a', 'b' or 'c'", "This must be one of 'a', 'b' or 'c'."),
        ("Input should not be less than LOW", "This must not be less than “Low”."),
        ("Something new", "Something new"),
    ],
)
def test_reasons_are_said_in_the_language(reason: str, said: str) -> None:
    assert translated(reason, EN, {"LOW": "Low"}) == said


def test_french_writes_the_bound_with_a_comma() -> None:
    assert translated("Input should be less than or equal to 0.5", FR) == "Il faut au plus 0,5."


def test_a_reason_is_never_read_as_markdown() -> None:
    assert translated("Input should be '<b>' or '*x*'", EN) == r"This must be one of '\<b\>' or '\*x\*'."


def test_the_reasons_of_a_row_are_said_one_by_one() -> None:
    told = plainly("AGE: Input should be greater than or equal to 18; RATE: Field required; odd", EN)
    assert told == "AGE: This must be at least 18.; RATE: This value is required.; odd"

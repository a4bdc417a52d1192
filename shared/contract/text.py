"""Text for people in the languages of the service, as the notes of a model give it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
"""The languages, in the order in which they are listed to people."""


@dataclass(frozen=True)
class Text:
    """The same thing said in each language. It is plain text: whoever shows it on a page escapes it."""

    fr: str
    en: str

    def said(self, language: Language) -> str:
        """Return it in one language."""
        return self.fr if language == "fr" else self.en


def _text(given: Any) -> Any:
    """Read one text for all languages, or a mapping with a text for each."""
    if given is None or isinstance(given, Text):
        return given
    if isinstance(given, str):
        # An empty note says nothing, like a key without a value.
        return Text(given.strip(), given.strip()) if given.strip() else None
    if not isinstance(given, Mapping):
        raise PydanticCustomError("text", "A text is expected, or one for each of fr and en")
    if unknown := [str(language) for language in given if language not in LANGUAGES]:
        raise PydanticCustomError("text", "{language} is not a language here; give fr and en", {"language": unknown[0]})
    for language in LANGUAGES:
        if not isinstance(given.get(language), str) or not given[language].strip():
            raise PydanticCustomError("text", "The text in {language} is missing", {"language": language})
    return Text(given["fr"].strip(), given["en"].strip())


OptionalText = Annotated[Text | None, BeforeValidator(_text)]
"""What a field of notes is declared as: one text, or `{fr: …, en: …}` with both; absent where it is empty."""

"""What the console calls features and groups: by the label that the model's notes give, else by a name made readable."""

import re
from typing import Protocol

_BETWEEN_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")


class Labelled(Protocol):
    """What is told of a feature or a group."""

    @property
    def feature(self) -> str:
        """Its name."""

    @property
    def label(self) -> str | None:
        """What people call it."""


def name_of(told: Labelled) -> str:
    """Return what the console calls the feature or the group that something is told of."""
    return label_of(told.feature, told.label)


def label_of(name: str, label: str | None = None) -> str:
    """Return the label; the service gives the name where there is none, which becomes `Monthly income` as `MONTHLY_INCOME`."""
    return label if label and label != name else _readable(name)


def _readable(name: str) -> str:
    words = [word if word.istitle() and len(word) > 1 else word.lower() for word in _BETWEEN_WORDS.split(name) if word]
    text = " ".join(words)
    return text[:1].upper() + text[1:] if text else name

"""Which class the score is the probability of: stated, or plain from the labels, never told by a position."""

from collections.abc import Sequence
from typing import Any

from shared.errors import BadArtifact

POSITIVE = ("1", "true")
"""The class to be avoided where labels are 0 and 1, or false and true."""

PLAIN = ({"0", "1"}, {"false", "true"})


def word(label: Any) -> str:
    """Write a label as people do: `1` for 1, 1.0 and "1"; `true` for True and "True"; else as it is."""
    if isinstance(label, bool):
        return str(label).lower()
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    text = str(label)
    return text.lower() if text.lower() in ("true", "false") else text


def positive_index(labels: Sequence[Any], stated: Any, setting: str | None) -> int:
    """Give the place of the positive class among the two labels.

    `stated` is what the model's metadata say, `setting` what the operator does; each None if it says nothing. Raises BadArtifact
    if what the model says is not one of the labels, or if they are not 0 and 1, or false and true, and nobody says which.
    """
    words = [word(label) for label in labels]
    if stated is not None:
        return _find(words, stated, "metadata.positive_class")
    is_plain = set(words) in PLAIN
    # The operator may mean another model of the fleet, whose labels are words.
    if setting is not None and (_places(words, setting) or not is_plain):
        return _find(words, setting, "POSITIVE_CLASS")
    if is_plain:
        return next(i for i, each in enumerate(words) if each in POSITIVE)
    raise BadArtifact("positive-class-unknown", labels=words)


def _find(words: list[str], stated: Any, place: str) -> int:
    found = _places(words, stated)
    if len(found) != 1:
        raise BadArtifact("positive-class-not-a-label", place=place, labels=words)
    return found[0]


def _places(words: list[str], stated: Any) -> list[int]:
    wanted = word(stated)
    # For booleans 1 is as good as true.
    aliases = {wanted, *({"1": ("true",), "0": ("false",)}.get(wanted, ()) if set(words) == {"true", "false"} else ())}
    return [i for i, each in enumerate(words) if each in aliases]

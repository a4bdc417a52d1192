"""The sections of the form: by subject, or by what weighs most in the model."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from pret import ModelSignature
from ui.applicant.form import NUMERIC, FormField, fields_of

HEAVY = 12
"""Fields that are shown first where they are in the order of their importance."""


@dataclass(frozen=True)
class Section:
    """Fields shown together under the name of their group in the model, or of what they have in common.

    The fields of each `ordered` section must not decrease from one to the next.
    """

    kind: Literal["group", "ordered", "choices", "numbers", "heavy", "light"]
    fields: tuple[FormField, ...]
    group: str = ""


def sections_of(signature: ModelSignature, importance: Mapping[str, float] | None = None) -> tuple[Section, ...]:
    """Group the fields as the model does, the rest by what they are; with `importance`, the heaviest first."""
    fields = fields_of(signature)
    sections = _by_subject(fields, signature.ordered) if importance is None else _by_importance(fields, importance)
    return tuple(section for section in sections if section.fields)


def found(fields: Iterable[FormField], words: str) -> set[int]:
    """Return the indices of the fields that have all of these words in their label, name, description or group."""
    wanted = _plain(words).split()

    def text_of(field: FormField) -> str:
        return _plain(" ".join(filter(None, (field.label, field.name, field.description, field.group))))

    return {field.index for field in fields if all(word in text_of(field) for word in wanted)}


def _plain(text: str) -> str:
    """Write a text without accents, in lower case."""
    parts = unicodedata.normalize("NFD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


def _by_subject(fields: Iterable[FormField], ordered_names: Iterable[tuple[str, ...]]) -> list[Section]:
    groups: dict[str, list[FormField]] = {}
    for field in fields:
        groups.setdefault(field.group or "", []).append(field)
    loose = groups.pop("", [])
    by_name = {field.name: field for field in loose}
    ordered = [[by_name[name] for name in names] for names in _disjoint(ordered_names, by_name)]
    placed = {field.index for field in chain.from_iterable(ordered)}
    rest = [field for field in loose if field.index not in placed]
    return [
        *(Section("group", _in_order(members, ordered_names), group) for group, members in groups.items()),
        *(Section("ordered", tuple(members)) for members in ordered),
        Section("choices", tuple(field for field in rest if field.kind not in NUMERIC)),
        Section("numbers", _alike_together(field for field in rest if field.kind in NUMERIC)),
    ]


def _in_order(fields: Iterable[FormField], ordered_names: Iterable[tuple[str, ...]]) -> tuple[FormField, ...]:
    """Put the fields of each ordered list in its order, at the places that they have together."""
    arranged = list(fields)
    by_name = {field.name: field for field in arranged}
    for names in _disjoint(ordered_names, by_name):
        places = [place for place, field in enumerate(arranged) if field.name in names]
        for place, name in zip(places, names, strict=True):
            arranged[place] = by_name[name]
    return tuple(arranged)


def _by_importance(fields: Iterable[FormField], importance: Mapping[str, float]) -> list[Section]:
    heaviest = sorted(fields, key=lambda field: -importance.get(field.name, 0.0))
    return [Section("heavy", tuple(heaviest[:HEAVY])), Section("light", tuple(heaviest[HEAVY:]))]


def _disjoint(lists: Iterable[tuple[str, ...]], known: Iterable[str]) -> Iterable[list[str]]:
    """Drop names that are not known or that an earlier list has, then lists with fewer than two names."""
    free = set(known)
    for names in lists:
        left = [name for name in dict.fromkeys(names) if name in free]
        if len(left) > 1:
            free.difference_update(left)
            yield left


def _alike_together(fields: Iterable[FormField]) -> tuple[FormField, ...]:
    """Put numbers whose labels begin with the same word side by side."""
    families: dict[str, list[FormField]] = {}
    for field in fields:
        families.setdefault(field.label.split()[0] if field.label.split() else "", []).append(field)
    return tuple(chain.from_iterable(families.values()))

"""The fields of the form as widgets, each with its help and its error."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pret import InvalidValue
from ui import reasons, style
from ui.applicant.form import FormField
from ui.applicant.sections import Section
from ui.texts import Texts, escaped

MAX_DIGITS = 40
"""Characters of a number at most."""
FOLDED_FROM = 25
"""Fields in a form whose sections are folded, and which can be searched."""


@dataclass(frozen=True)
class Inputs:
    """Shows fields, with the errors of the last response by feature."""

    say: Texts
    errors: Mapping[str | None, InvalidValue]
    labels: Mapping[str, str]
    """Readable names of the features."""

    def show(self, sections: Sequence[Section], hits: Container[int] | None = None) -> None:
        """Show the sections. Those of a long form are folded, except the first, those with errors, and those with `hits`.

        Of `hits`, the others are hidden but stay in the page, or what was typed into them would be lost.
        """
        fields = [field.index for section in sections for field in section.fields]
        is_long = len(fields) >= FOLDED_FROM
        alike = groupby(sections, lambda section: (section.kind, section.group))
        for number, ((kind, group), members) in enumerate(alike):
            parts = list(members)
            inside = [field for part in parts for field in part.fields]
            heading = group or self.say.plain(f"applicant.section_{kind}")
            with self._section(number, heading, inside, hits) if is_long else self._headed(heading):
                for part in parts:
                    self._grid(part.fields)
        if is_long and hits is not None:
            style.hide([f"cell_{index}" for index in fields if index not in hits])

    def _headed(self, heading: str) -> DeltaGenerator:
        st.markdown(f"**{escaped(heading)}**")
        return st.container()

    def _section(
        self, number: int, heading: str, fields: Sequence[FormField], hits: Container[int] | None
    ) -> DeltaGenerator:
        wrong = any(field.name in self.errors for field in fields)
        hit = number == 0 if hits is None else any(field.index in hits for field in fields)
        is_open = hit or wrong
        # An expander with the same key stays as the visitor left it.
        key = f"section_{number}_{'open' if is_open else 'folded'}"
        if hits is not None and not hit:
            style.hide([key])
        title = self.say("applicant.section_title", heading=heading, count=len(fields))
        return st.expander(title, expanded=is_open, key=key)

    def _grid(self, fields: Sequence[FormField]) -> None:
        # If a label takes two lines, the boxes beside it stay level, unless there is an error below one of them.
        wrong = any(field.name in self.errors for field in fields)
        with st.container(key=f"{'top' if wrong else 'level'}_grid_{fields[0].index}"):
            for field in fields:
                with st.container(key=f"cell_{field.index}", gap="xxsmall"):
                    self._field(field)

    def _field(self, field: FormField) -> None:
        label = self.say("applicant.label" if field.required else "applicant.label_optional", label=field.label)
        options: dict[str, Any] = {"key": field.key, "help": self.help_of(field), "persist_state": "session"}
        empty = self.say.plain("applicant.choose" if field.required else "applicant.unknown")
        if field.kind == "choice":
            st.selectbox(label, field.choices, index=None, format_func=self._written, placeholder=empty, **options)
        elif field.kind == "boolean":
            st.segmented_control(label, field.choices, format_func=self._written, **options)
        elif field.kind == "text":
            st.text_input(label, value=None, placeholder=empty, **options)
        else:
            # A number input drops a decimal comma, and blocks the form if the number is out of bounds.
            placeholder = None if field.required else empty
            st.text_input(label, value=None, placeholder=placeholder, max_chars=MAX_DIGITS, **options)
        if error := self.errors.get(field.name):
            st.markdown(f":small[:red[:material/error: {reasons.said(error, self.say, self.labels)}]]")

    def help_of(self, field: FormField) -> str:
        """Describe the field in Markdown: description, bounds, whether it is required, and its name in files."""
        parts = [self.say("applicant.help_description", text=field.description)] if field.description else []
        if field.lowest is not None and field.highest is not None:
            parts.append(self.say("applicant.help_between", lowest=field.lowest, highest=field.highest))
        elif field.lowest is not None:
            parts.append(self.say("applicant.help_at_least", lowest=field.lowest))
        elif field.highest is not None:
            parts.append(self.say("applicant.help_at_most", highest=field.highest))
        parts.append(self.say("applicant.help_required" if field.required else "applicant.help_optional"))
        return "\n\n".join([*parts, self.say("applicant.help_name", name=field.name)])

    def _written(self, choice: object) -> str:
        return written(choice, self.say)


def written(value: object, say: Texts) -> str:
    """Write a value of a field as text."""
    if value is None or value == "":
        return say.plain("applicant.unknown")
    return say.written(value)

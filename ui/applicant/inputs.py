"""The fields of the form as widgets, each with its help and its error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import streamlit as st

from pret import InvalidValue
from ui import reasons
from ui.applicant.form import FormField, Group
from ui.texts import Texts

MAX_DIGITS = 40
"""Characters of a number at most."""
IN_A_ROW = 3
"""Fields side by side; on a phone they are below each other."""


@dataclass(frozen=True)
class Inputs:
    """Shows fields, with the errors of the last response by feature."""

    say: Texts
    errors: Mapping[str | None, InvalidValue]
    labels: Mapping[str, str]
    """Readable names of the features."""

    def show(self, groups: Sequence[Group]) -> None:
        """Show all groups, those with the same name under one heading."""
        for name, alike in groupby(groups, lambda group: group.name):
            st.markdown(f"**{self.say(f'applicant.group_{name}')}**")
            for group in alike:
                for start in range(0, len(group.fields), IN_A_ROW):
                    self._row(group.fields[start : start + IN_A_ROW])

    def _row(self, fields: Sequence[FormField]) -> None:
        # If a label takes two lines, the boxes beside it stay level, unless there is an error below one of them.
        wrong = any(field.name in self.errors for field in fields)
        columns = st.columns(IN_A_ROW, gap="small", vertical_alignment="top" if wrong else "bottom")
        for column, field in zip(columns, fields, strict=False):
            with column:
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

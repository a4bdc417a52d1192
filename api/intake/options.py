"""The options of a submission."""

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from uuid import uuid4

from fastapi import Header, Query
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from api.errors import InvalidParameters
from api.parameters import check_names, invalid
from shared.explanation import MAX_TOLD
from shared.formats.format import Format, is_tab_separated
from shared.jobs.job import Job, OnInvalid
from shared.jobs.reasons import reason_names
from shared.jobs.results import RESULT_COLUMNS
from shared.models.artifact import Model
from shared.settings import Settings
from shared.webhooks.target import check_webhook_url

MAX_KEPT = 100
MAX_MISSING = 20
LISTS = {"keep", "missing"}
"""Options that may be repeated; a lone value is split at its commas."""
UNSAFE_IN_NAME = re.compile(r"[^\w .()+-]|^\.+")
LONGEST_NAME = 100


class SubmitOptions(BaseModel):
    """The query parameters of a submission; a form may have fields of the same names."""

    model_config = ConfigDict(extra="ignore")

    keep: list[str] = Field(
        [],
        description="Columns to repeat in the results, `A,B`. If the parameter is repeated, each value is one literal name "
        "and may contain commas; empty values are ignored.",
    )
    on_invalid: OnInvalid = Field(
        "reject",
        description="How to handle invalid rows: `reject` fails the job, `flag` scores the others.",
    )
    explain: int | None = Field(
        None,
        ge=1,
        le=MAX_TOLD,
        description="Give the reasons for each score: so many of the features or groups that contribute most.",
    )
    delimiter: str | None = Field(
        None,
        description="CSV: field delimiter; `tab` for a tab character. Defaults to that of a first line `sep=;`, else a comma.",
    )
    decimal: Literal[".", ","] = Field(".", description="CSV: decimal separator.")
    missing: list[str] = Field(
        [],
        description="CSV: further spellings of a missing value, `?,-999`, in every feature; repeated as `keep` may be.",
    )
    name: str | None = Field(
        None, max_length=1000, description="File name, from which the name of the result file is derived."
    )
    callback_url: str | None = Field(None, description="URL of the webhook to call when the job has ended.")

    @field_validator("keep")
    @classmethod
    def _are_columns(cls, given: list[str]) -> list[str]:
        names = _listed(given)
        if len(set(names)) != len(names) or len(names) > MAX_KEPT:
            raise invalid("kept_names", limit=MAX_KEPT)
        if taken := sorted(set(names) & set(RESULT_COLUMNS)):
            raise invalid("kept_reserved", columns=taken)
        return names

    @field_validator("missing")
    @classmethod
    def _are_spellings(cls, given: list[str]) -> list[str]:
        spellings = [spelling.strip(" \t") for spelling in _listed(given)]
        if len(spellings) > MAX_MISSING or any(len(spelling) > LONGEST_NAME for spelling in spellings):
            raise invalid("missing_spellings", limit=MAX_MISSING, length=LONGEST_NAME)
        return spellings

    @field_validator("delimiter")
    @classmethod
    def _is_one_sign(cls, given: str | None) -> str | None:
        if given is None:
            return None
        sign = "\t" if given in ("tab", "\\t") else given
        if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in '"\r\n\0 .+-_':
            raise invalid("delimiter")
        return sign

    @field_validator("name")
    @classmethod
    def _plain_name(cls, given: str | None) -> str | None:
        return UNSAFE_IN_NAME.sub("_", re.split(r"[/\\]", given)[-1])[-LONGEST_NAME:] or None if given else None

    @model_validator(mode="after")
    def _signs_differ(self) -> Self:
        # Without a delimiter, the first line of the file may say it.
        if self.delimiter == self.decimal:
            raise invalid("signs_equal")
        return self

    @model_validator(mode="after")
    def _reasons_have_names(self) -> Self:
        if taken := sorted(set(self.keep) & set(reason_names(self.explain or 0))):
            raise invalid("kept_reserved", columns=taken)
        return self

    @classmethod
    def of_form(cls, fields: Mapping[str, list[str]], query: "SubmitOptions") -> "SubmitOptions":
        """Read the fields of a form, which override the query parameters; raises InvalidParameters."""
        names = (name for name, values in fields.items() for _ in values)
        check_names(names, list(cls.model_fields), "body", LISTS)
        given = {name: values if name in LISTS else values[-1] for name, values in fields.items()}
        queried = query.model_dump(exclude_unset=True)
        for name in LISTS & queried.keys():
            # A value that was taken literally must not be split now.
            queried[name] = [*queried[name], ""]
        try:
            return cls.model_validate(queried | given)
        except ValidationError as error:
            raise InvalidParameters([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from None

    def named(self, file: str) -> Self:
        """Use the name of the file if the caller gave none."""
        return self if self.name is not None else self._with(name=self._plain_name(file))

    def delimited_as(self, file: str) -> Self:
        """Use the delimiter that the file extension implies if the caller gave none."""
        return self._with(delimiter="\t") if self.delimiter is None and is_tab_separated(file) else self

    def _with(self, **changes: Any) -> Self:
        return self.model_copy(update=changes)

    def new_job(self, model: Model, form: Format, settings: Settings) -> Job:
        """Make the record of a job, pinned to the model; raises MalformedInput for a webhook URL that is not allowed."""
        if self.callback_url is not None:
            check_webhook_url(self.callback_url, settings.listed(settings.webhook_hosts))
        return Job(
            uuid4().hex,
            model.version,
            model.threshold,
            time.time(),
            name=self.name,
            format=form,
            delimiter=self.delimiter,
            decimal=self.decimal,
            missing=tuple(self.missing),
            keep=tuple(self.keep),
            on_invalid=self.on_invalid,
            explain=self.explain,
            callback_url=self.callback_url,
            positive_class=model.positive_class,
        )


def _listed(given: list[str]) -> list[str]:
    return [value for value in (given[0].split(",") if len(given) == 1 else given) if value]


OptionsDep = Annotated[SubmitOptions, Query()]
ExplainDep = Annotated[
    int | None, Query(ge=1, le=MAX_TOLD, description=SubmitOptions.model_fields["explain"].description)
]
KeyDep = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern="^[ -~]+$",
        description="Repeating the request with the same key within 24 h returns the same job.",
    ),
]

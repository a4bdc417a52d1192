"""Which reasons a caller asks for with a score: the parameters `explain` and `reasons`."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from starlette.types import Scope

from api.errors import InvalidParameters
from api.intake.body import header
from api.language import language_of
from api.parameters import check_names, invalid
from shared.contract.text import Language
from shared.explanation import MAX_TOLD, Wanted, Which

ALL = "all"


def _count(given: Any) -> Any:
    """Read a number of factors; raises a pydantic error for another text."""
    if given in (None, ALL):
        return given
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= MAX_TOLD):
        raise invalid("explain_count", limit=MAX_TOLD)
    return int(text)


class ReasonOptions(BaseModel):
    """The query parameters that ask for reasons."""

    model_config = ConfigDict(extra="ignore")

    explain: Annotated[Annotated[int, Field(ge=1, le=MAX_TOLD)] | Literal["all"] | None, BeforeValidator(_count)] = (
        Field(None, description=f"How many reasons to give, those that weigh most: 1 to {MAX_TOLD}, or `all`.")
    )
    reasons: Which = Field(
        "all",
        description="`all` features, or `adverse`: only those that raise the risk, without protected ones and those that an "
        "applicant can do nothing about.",
    )

    @model_validator(mode="after")
    def _are_asked_for(self) -> Self:
        if self.explain is None and "reasons" in self.model_fields_set:
            raise invalid("reasons_unasked")
        return self

    def wanted(self, language: Language) -> Wanted | None:
        """Return what is asked for in a language; None if nothing is."""
        if self.explain is None:
            return None
        return Wanted(self.explain if isinstance(self.explain, int) else None, self.reasons, language)


def wanted_in(scope: Scope) -> Wanted | None:
    """Read what the query of a request asks for, on a route without other parameters; raises InvalidParameters."""
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    check_names((name for name, _ in given), [*ReasonOptions.model_fields], "query")
    try:
        options = ReasonOptions.model_validate(dict(given))
    except ValidationError as error:
        details = error.errors(include_input=False, include_context=False, include_url=False)
        raise InvalidParameters([{**detail, "loc": ("query", *detail["loc"][:1])} for detail in details]) from None
    return options.wanted(language_of(header(scope, b"accept-language")))

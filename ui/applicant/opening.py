"""A row of a portfolio on the page of one applicant; the address of the page names it."""

from collections.abc import Sequence

import streamlit as st

from pret import Client, InvalidRows, PretError, Problem, Score
from ui import service
from ui.applicant.filling import fill
from ui.applicant.form import FormField
from ui.applicant.inputs import written
from ui.applicant.scoring import JobPlace, Scored, Source, scored_row
from ui.links import link_to
from ui.texts import Texts


def open_row(say: Texts, client: Client, fields: Sequence[FormField]) -> bool:
    """Fill in the form with the row that the address names, once, and show its score; return whether there is one."""
    place = _place()
    if place is None:
        return False
    link_to("portfolio", say, say("applicant.back"), ":material/arrow_back:", job=place.job_id)
    if st.session_state.get("opened") != place:
        try:
            found = scored_row(client, place, say.language)
        except PretError as error:
            service.explain(error, say).show()
            return False
        _show_in_form(say, fields, found)
        st.session_state["opened"] = place
        st.session_state["opened_as"] = found.source
    _show_source(say, st.session_state["opened_as"])
    return True


def _show_in_form(say: Texts, fields: Sequence[FormField], found: Scored) -> None:
    for key in ("reference", "scored", "failure", "filled"):
        st.session_state.pop(key, None)
    fill(say, fields, found.row)
    if found.score.score is None:
        st.session_state["failure"] = _invalid(found.score)
    else:
        st.session_state["scored"] = found


def _show_source(say: Texts, source: Source) -> None:
    st.caption(say("applicant.opened", line=source.line, name=source.name))
    if source.kept:
        kept = (say("applicant.kept", name=name, value=written(value, say)) for name, value in source.kept.items())
        st.markdown(" · ".join(kept))


def _place() -> JobPlace | None:
    job, row = (st.query_params.get(name, "") for name in ("job", "row"))
    return JobPlace(job, int(row)) if job and row.isascii() and row.isdigit() else None


def _invalid(score: Score) -> InvalidRows:
    """Return the error that scoring the row would give."""
    errors = score.errors or ()
    problem = Problem(422, "invalid-rows", [], {"count": len(errors)}, errors=errors, invalid_values=len(errors))
    return InvalidRows("The row is invalid.", problem)

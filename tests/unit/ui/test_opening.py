"""A row of a portfolio, opened as an applicant by the address of the page."""

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pret import Explanation, InvalidValue, JobRow, Problem, Rejected, UnknownJob
from tests.unit.ui.conftest import MODEL, a_service, view_of
from tests.unit.ui.test_applicant import scored, shown
from tests.unit.ui.test_portfolio import done

JOB = done(name="<b>clients</b>.csv")
ROW = JobRow(6, {"AGE": "51", "OWNS_HOME": False}, {"id": "<b>7</b>"}, 0.4, 1, "Refusé", 0.1, "local-old")
ADVERSE = Explanation(0.0, 0.0)


def opened(language: str = "en", row: str = "6", **answers: Any) -> tuple[AppTest, Any]:
    fake = a_service(**({"job": JOB, "job_row": ROW} | answers))
    test = view_of("applicant", fake, language)
    test.query_params["job"], test.query_params["row"] = JOB.id, row
    return test.run(), fake


def test_a_row_fills_in_the_form_and_has_the_score_of_its_portfolio() -> None:
    test, fake = opened()
    text = shown(test)
    assert "Line 8 of" in text
    assert "<b>" not in text.replace("\\<b", "")
    assert test.text_input(key="field_2").value == "51"
    assert test.text_input(key="field_0").value is None
    assert test.metric[0].value == "40.0%"
    assert "local-old" in text
    assert not fake.called("score")


def test_it_is_fetched_once_and_what_is_changed_then_is_scored_by_the_live_model() -> None:
    test, fake = opened()
    test.text_input(key="field_2").set_value("30")
    scored(test)
    assert test.metric[0].value == "4.2%"
    assert test.text_input(key="field_2").value == "30"
    assert len(fake.called("job_row")) == 1


def test_the_reasons_for_a_refusal_are_asked_for_too() -> None:
    def job_row(job_id: str, row: int, *, reasons: str = "all", **options: Any) -> JobRow:
        return replace(ROW, explanation=ADVERSE)

    test, fake = opened("fr", job_row=job_row)
    assert "Votre demande a été refusée." in test.code[0].value
    assert [options["language"] for name, _, options in fake.calls if name == "job_row"] == ["fr", "fr"]


def test_a_row_that_cannot_be_explained_is_opened_without_reasons() -> None:
    def job_row(job_id: str, row: int, **options: Any) -> JobRow:
        if options:
            raise Rejected("-", Problem(422, "explanation-differs", "They do not add up."))
        return ROW

    test, _ = opened(job_row=job_row)
    assert test.metric[0].value == "40.0%"
    assert "cannot be explained" in test.info[0].value


def test_an_invalid_row_is_opened_with_its_errors_beside_their_fields() -> None:
    errors = (InvalidValue("greater_than_equal", "Too young.", 6, "AGE", {"limit": 18}),)
    invalid = JobRow(6, {"AGE": "12"}, errors=errors, model_version=MODEL)
    test, _ = opened(job_row=invalid)
    text = shown(test)
    assert "1 value is invalid." in text
    assert text.count("This must be at least 18.") == 2
    assert test.text_input(key="field_2").value == "12"
    assert not test.metric


@pytest.mark.parametrize("row", ["", "-1", "²", "x", "1.5"])
def test_an_address_without_a_row_is_the_form_as_ever(row: str) -> None:
    test, fake = opened(row=row)
    assert not fake.called("job_row")
    assert "filled in with the model's example" in shown(test)


@pytest.mark.parametrize(
    "error",
    [UnknownJob("-", Problem(404, "unknown-job", "Gone.")), Rejected("-", Problem(404, "unknown-row", "No such row."))],
)
def test_a_row_that_is_gone_is_a_sentence(error: Exception) -> None:
    test, _ = opened(job_row=error)
    assert test.error
    assert test.text_input(key="field_2").value == "40"

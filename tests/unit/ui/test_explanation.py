"""Why an applicant has this score: reasons, what may be told, curves, and the decision to print."""

import re
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pret import Contribution, Curve, Explanation, NotReachable, Point, Problem, Rejected, Score, WhatIf
from tests.unit.ui.conftest import MODEL, NUMBERS, THRESHOLD, a_score
from tests.unit.ui.test_applicant import opened, scored, shown
from ui.applicant.curves import MOST_CATEGORIES, curve_figure, shown_points
from ui.applicant.explanation import entries_of, notice_of
from ui.applicant.form import fields_of
from ui.applicant.scoring import JobPlace, Scored, Source
from ui.applicant.sheet import file_name, sheet
from ui.bars import Bar, bars
from ui.texts import LANGUAGES, Texts

EVIL = "<img src=x onerror=alert(1)> *x* :red[y]"
ADVERSE = Explanation(-2.0, 0.5, (Contribution("AGE", 1.5, "raises_risk", f"Too young {EVIL}", label="Age"),), 1.0, 2)
FULL = Explanation(
    -2.0,
    0.5,
    (
        Contribution("AGE", 1.5, "raises_risk", "Too young", label=f"Age {EVIL}"),
        Contribution("HOME", -0.25, "lowers_risk", "The home", features=("OWNS_HOME",)),
    ),
    1.25,
)
AGE = Curve("AGE", f"Age {EVIL}", "whole_number", 40, (Point(18, 0.3), Point(60, 0.05), Point(None, 0.2)), 52)
HOME = Curve("OWNS_HOME", "Home", "boolean", True, (Point(True, 0.3), Point(False, 0.2)))
WHAT_IF = WhatIf(0.25, 1, THRESHOLD, "Refusé", MODEL, (AGE, HOME))


def explained(row: dict[str, Any], *, explain: int = 0, reasons: str = "all", language: str = "en") -> Score:
    told = replace(FULL, contributions=FULL.contributions[:explain]) if reasons == "all" else ADVERSE
    return replace(a_score(0.25), explanation=told if explain else None)


def refused(language: str = "en", **answers: Any) -> tuple[AppTest, Any]:
    test, fake = opened(language, **({"score": explained, "what_if": WHAT_IF} | answers))
    return scored(test), fake


def tables(test: AppTest) -> str:
    return "\n".join(each.value.to_csv() for each in test.table)


@pytest.mark.parametrize(
    ("language", "raises", "notice"),
    [
        ("en", "raises the risk", "Your application has been declined."),
        ("fr", "augmente le risque", "Votre demande a été refusée."),
    ],
)
def test_the_reasons_are_a_figure_a_table_and_words_for_the_applicant(language: str, raises: str, notice: str) -> None:
    test, fake = refused(language)
    assert raises in tables(test)
    assert "+1.50" in tables(test).replace(",", ".")
    assert notice in test.code[0].value
    assert f"- Too young {EVIL}" in test.code[0].value
    assert "2 " in shown(test)
    asked = [options for name, _, options in fake.calls if name == "score"]
    assert asked == [
        {"explain": 5, "language": language},
        {"explain": 4, "reasons": "adverse", "language": language},
    ]


def test_labels_with_html_stay_text() -> None:
    test, _ = refused()
    for text in (tables(test), shown(test)):
        assert "<img" not in text.replace("\\<img", "")


def test_an_applicant_who_is_granted_is_told_no_reasons_for_a_refusal() -> None:
    granted = replace(a_score(0.05), explanation=FULL)
    test, fake = refused(score=granted)
    assert not test.code
    assert len(fake.called("score")) == 1


def test_reasons_of_another_model_are_not_told() -> None:
    def score(row: dict[str, Any], *, reasons: str = "all", **options: Any) -> Score:
        found = explained(row, reasons=reasons, explain=5)
        return replace(found, model_version="local-another") if reasons == "adverse" else found

    test, _ = refused(score=score)
    assert not test.code


def test_where_every_reason_is_protected_no_reason_is_told() -> None:
    def score(row: dict[str, Any], *, reasons: str = "all", **options: Any) -> Score:
        found = replace(a_score(0.25), explanation=FULL)
        return found if reasons == "all" else replace(found, explanation=replace(ADVERSE, contributions=()))

    test, _ = refused(score=score)
    assert test.code[0].value == "Your application has been declined."


def test_a_model_that_cannot_be_explained_scores_and_says_why() -> None:
    problem = Problem(422, "explanation-differs", "Its contributions do not add up.")

    def score(row: dict[str, Any], *, explain: int = 0, **options: Any) -> Score:
        if explain:
            raise Rejected("-", problem)
        return a_score(0.25)

    test, fake = refused(score=score)
    assert test.metric[0].value == "25.0%"
    assert "cannot be explained" in test.info[0].value
    assert not fake.called("what_if")


def test_curves_say_where_the_decision_flips() -> None:
    test, fake = refused()
    text = shown(test)
    assert "With 52, the application would be granted." in text
    assert "No value of this field alone changes the decision." in text
    assert "If it were not known: 20.0%." in text
    test.run()
    assert len(fake.called("what_if")) == 1
    test.multiselect(key="curves_of").set_value(["AMOUNT", "AGE"]).run()
    assert fake.called("what_if")[-1][1] == ["AMOUNT", "AGE"]


@pytest.mark.parametrize("error", [NotReachable("-", sent=False), Rejected("-", Problem(422, "invalid-rows", "Odd."))])
def test_without_curves_the_outcome_stays(error: Exception) -> None:
    test, _ = refused(what_if=error)
    assert test.metric[0].value == "25.0%"
    assert test.info


def test_the_reasons_follow_the_language(console: Any) -> None:
    test = console(score=explained, what_if=WHAT_IF).open(lang="en")
    scored(test)
    test.segmented_control(key="language").set_value("fr").run()
    assert not test.exception
    assert "Votre demande a été refusée." in test.code[0].value


def test_reasons_in_another_language_that_another_model_gives_are_left_out(console: Any) -> None:
    def score(row: dict[str, Any], *, language: str = "en", **options: Any) -> Score:
        found = explained(row, explain=5)
        return found if language == "en" else replace(found, model_version="local-another")

    test = scored(console(score=score, what_if=WHAT_IF).open(lang="en"))
    assert test.code
    test.segmented_control(key="language").set_value("fr").run()
    assert not test.exception
    assert not test.code
    assert test.metric[0].value == "25,0\u00a0%"


@pytest.mark.parametrize("say", [Texts.of(name) for name in LANGUAGES], ids=LANGUAGES)
def test_the_decision_to_print_has_everything_as_text(say: Texts) -> None:
    row = {"AGE": 40, "AMOUNT": 12000.5, "OWNS_HOME": True, "LOW_RATE": 0.5}
    score = explained(row, explain=5)
    source = Source(JobPlace("f" * 32, 6), "rows.csv", 8, {f"id {EVIL}": EVIL})
    page = sheet(
        say,
        Scored(row, score, say.language, ADVERSE, source=source),
        fields_of(NUMBERS),
    )
    for value in ("12,000.5", "Refusé", MODEL, "f" * 32, "Too young"):
        assert (
            value if say.language == "en" else value.replace(",", "\u202f").replace(".", ",")
        ) in page or value in page
    assert f'<html lang="{say.language}">' in page
    assert "<img" not in page
    assert page.count("&lt;img") == 4
    assert not re.findall(r"(?:src|href)=(?!x)", page)
    # HIGH_RATE is not in the row.
    assert say.plain("applicant.unknown") in sheet(say, Scored(row, score), fields_of(NUMBERS))
    assert file_name(say, Scored(row, score)).endswith(".html")


def test_the_decision_of_a_portfolio_has_the_inputs_of_its_own_model() -> None:
    source = Source(JobPlace("f" * 32, 6), "rows.csv", 8)
    page = sheet(Texts.of("en"), Scored({"AGE": 40, "OLD": None}, a_score(0.05), source=source), fields_of(NUMBERS))
    assert "(2 values)" in page
    assert "<dt>OLD</dt><dd>Unknown</dd>" in page
    assert "<dt>Amount</dt>" not in page


def test_a_decision_without_reasons_can_be_printed() -> None:
    page = sheet(Texts.of("en"), Scored({}, a_score(0.05)), fields_of(NUMBERS))
    assert "Accordé" in page
    assert "<table" not in page


@pytest.mark.parametrize("flips_at", [None, 52])
@pytest.mark.parametrize("value", [None, 40])
def test_a_curve_has_the_threshold_the_applicant_and_the_flip(flips_at: int | None, value: int | None) -> None:
    curve = replace(AGE, flips_at=flips_at, value=value)
    drawn = curve_figure(Texts.of("en"), curve, 0.25, THRESHOLD, "#000000").to_json()
    assert ("flips at 52" in drawn) == (flips_at is not None)
    assert str(THRESHOLD) in drawn


def test_of_many_categories_the_extremes_and_the_own_one_are_shown() -> None:
    points = tuple(Point(f"c{index}", index / 100) for index in range(80))
    curve = Curve("job", "Job", "category", "c40", points)
    kept = [point.value for point in shown_points(curve)]
    assert (kept[0], kept[6], kept[-1], len(kept)) == ("c0", "c40", "c79", MOST_CATEGORIES + 1)


def test_a_curve_of_one_point_can_be_drawn() -> None:
    for kind in ("number", "category"):
        curve = Curve("x", "X", kind, 1, (Point(1, 0.0),))
        assert curve_figure(Texts.of("fr"), curve, 0.0, 0.5, "#000000").to_dict()["height"] > 0


def test_bars_that_are_all_zero_can_be_drawn() -> None:
    assert bars([Bar("A", 0.0, "0"), Bar("A", 0.0, "0")], {}, "#000000").to_dict()


def test_without_notes_reasons_have_the_names_of_the_form() -> None:
    unnoted = Contribution("MONTHS_EMPLOYED", 1.5, "raises_risk", "MONTHS_EMPLOYED", label="MONTHS_EMPLOYED")
    told = Explanation(-2.0, 0.5, (unnoted,), 1.0)
    say = Texts.of("en")
    assert entries_of(say, told)[0].name == "Months employed"
    assert "- Months employed" in notice_of(say, a_score(0.25), told)

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pret import (
    Busy,
    Column,
    FeatureImportance,
    InvalidRows,
    InvalidValue,
    ModelImportance,
    NotReachable,
    Problem,
    ServerFault,
)
from tests.unit.ui.conftest import CATEGORIES, THRESHOLD, a_score, a_service, signature_of, view_of
from ui.texts import escaped

NO_MODEL = Busy("No model is loaded yet.", Problem(503, "no-model", "No model is loaded yet."))
DOWN = NotReachable("Nothing answers.", sent=False)


def shown(test: AppTest) -> str:
    assert not test.exception
    kinds = (test.title, test.markdown, test.error, test.info, test.warning, test.success, test.caption, test.subheader)
    return "\n".join(element.value for elements in kinds for element in elements)


def opened(language: str = "fr", **answers: Any) -> tuple[AppTest, Any]:
    fake = a_service(**answers)
    return view_of("applicant", fake, language).run(), fake


def scored(test: AppTest) -> AppTest:
    return test.button(key="score").click().run()


def test_the_example_of_the_model_is_scored_as_it_is() -> None:
    test, fake = opened()
    assert "✓" not in shown(test)
    scored(test)
    assert "Accordé" in shown(test)
    assert test.metric[0].value == "4,2\u00a0%"
    ((row,),) = fake.called("score")
    assert row == {"LOW_RATE": 0.2635, "HIGH_RATE": 0.5, "AGE": 40, "OWNS_HOME": True, "AMOUNT": 12000.0}


@pytest.mark.parametrize(("language", "words"), [("fr", "au-dessus du seuil"), ("en", "above the threshold")])
def test_a_refusal_is_said_in_words(language: str, words: str) -> None:
    test, _ = opened(language, score=a_score(0.25))
    text = shown(scored(test))
    assert ":red[:material/cancel: Refusé]" in text
    assert words in text


def test_what_is_filled_in_is_what_is_scored() -> None:
    test, fake = opened(model_signature=CATEGORIES)
    test.selectbox(key="field_0").set_value("<b>bold</b> *x*")
    test.selectbox(key="field_1").set_value("high")
    test.text_input(key="field_2").set_value("")
    test.text_input(key="field_3").set_value("24")
    scored(test)
    assert fake.called("score") == [({"purpose": "<b>bold</b> *x*", "savings": "high", "months": 24},)]


def test_what_if_shows_both_scores_and_what_was_changed() -> None:
    scores = iter((a_score(0.042), a_score(0.078)))
    test, _ = opened(score=lambda row, **_: next(scores))
    scored(test)
    test.button(key="keep_reference").click().run()
    assert test.metric[0].delta == ""
    test.text_input(key="field_2").set_value("30")
    scored(test)
    assert test.metric[0].value == "7,8\u00a0%"
    assert test.metric[0].delta == "+3,60 points"
    assert "Age\u00a0: 40 → **30**" in shown(test)
    test.button(key="drop_reference").click().run()
    assert test.metric[0].delta == ""


def test_a_reference_of_another_model_is_dropped() -> None:
    scores = iter((a_score(0.042), replace(a_score(0.078), model_version="local-another")))
    test, _ = opened("en", score=lambda row, **_: next(scores))
    scored(test)
    test.button(key="keep_reference").click().run()
    scored(test)
    assert "scored by the previous one" in shown(test)
    assert test.metric[0].delta == ""


def test_a_score_next_to_the_threshold_is_written_so_that_one_sees_on_which_side_it_is() -> None:
    test, _ = opened("en", score=a_score(THRESHOLD - 0.00002))
    text = shown(scored(test))
    assert test.metric[0].value == "9.998%"
    assert "0.002 points below the threshold of 10.000%." in text


def test_an_error_stands_in_the_summary_and_beside_its_field() -> None:
    errors = (InvalidValue("not_ordered", "Not below LOW_RATE.", column="HIGH_RATE", params={"other": "LOW_RATE"}),)
    invalid = InvalidRows(
        "1 value is invalid",
        Problem(422, "invalid-rows", [], {"count": 1, "limit": 100}, errors=errors, invalid_values=1),
    )
    test, _ = opened(score=invalid)
    text = shown(scored(test))
    assert "1 valeur n'est pas valide." in text
    assert "**High rate**" in text
    assert text.count("Cette valeur ne peut pas être inférieure à «\u00a0Low rate\u00a0».") == 2


def test_many_errors_are_summed_up() -> None:
    columns = [Column(f"f{index}", "double") for index in range(9)]
    errors = tuple(InvalidValue("missing", "Field required", column=column.name) for column in columns)
    invalid = InvalidRows("", Problem(422, "invalid-rows", [], errors=errors, invalid_values=9))
    test, _ = opened("en", model_signature=signature_of(*columns), score=invalid)
    text = shown(scored(test))
    assert "And 4 more" in text
    assert text.count(":material/error: This value is required.") == 9


@pytest.mark.parametrize("error", [DOWN, NO_MODEL, ServerFault("Odd."), RuntimeError("bug")])
def test_a_failed_call_is_a_sentence_and_what_was_filled_in_stays(error: Exception) -> None:
    test, _ = opened(score=error)
    test.text_input(key="field_2").set_value("30")
    scored(test)
    assert test.error
    assert "Traceback" not in shown(test)
    assert test.text_input(key="field_2").value == "30"


def test_a_decimal_comma_is_one_and_what_is_no_number_is_left_for_the_service_to_reject() -> None:
    test, fake = opened()
    test.text_input(key="field_4").set_value("12 000,50")
    test.text_input(key="field_2").set_value("forty")
    scored(test)
    ((row,),) = fake.called("score")
    assert (row["AMOUNT"], row["AGE"]) == (12000.5, "forty")


def test_the_numbers_that_are_filled_in_follow_the_language(console: Callable[..., Any]) -> None:
    test = console().open(lang="fr")
    assert test.text_input(key="field_0").value == "0,2635"
    test.segmented_control(key="language").set_value("en").run()
    assert test.text_input(key="field_0").value == "0.2635"


def test_the_form_can_be_emptied_and_filled_in_again() -> None:
    test, fake = opened()
    test.button(key="empty").click().run()
    assert [field.value for field in test.text_input] == [None] * 4
    scored(test)
    assert fake.called("score") == [({},)]
    test.button(key="example").click().run()
    assert test.text_input(key="field_2").value == "40"


def test_another_model_empties_the_page() -> None:
    signatures = iter([a_service().answers["model_signature"]] * 2 + [CATEGORIES])
    test, _ = opened(model_signature=lambda **_: next(signatures))
    scored(test)
    test.run()
    assert not test.exception
    assert not test.metric
    assert test.text_input(key="field_2").value == "ok"


def test_names_and_categories_of_a_model_are_shown_as_text() -> None:
    evil = "<img src=x onerror=alert(1)> **x** :red[y]"
    signature = signature_of(Column(evil, "string", values=(evil,), description=evil), example={evil: evil})
    test, fake = opened(model_signature=signature)
    scored(test)
    field = test.selectbox(key="field_0")
    assert field.options == [evil]
    assert "<img" not in field.label.replace("\\<", "")
    assert "<img" not in str(field.help).replace("\\<", "")
    assert fake.called("score") == [({evil: evil},)]


def test_a_model_of_ten_thousand_features_has_no_form() -> None:
    columns = [Column(f"f{index}", "double") for index in range(10_000)]
    test, _ = opened(model_signature=signature_of(*columns))
    assert "10\u202f000" in shown(test)
    assert not test.text_input


def test_each_field_says_what_it_takes() -> None:
    test, _ = opened("en")
    assert "From 18 to 100." in str(test.text_input(key="field_2").help)
    assert "Name in files: AGE" in str(test.text_input(key="field_2").help)
    assert test.text_input(key="field_1").label == "High rate (optional)"
    assert "May be left empty" in str(test.text_input(key="field_1").help)


def test_the_page_without_its_service_is_a_sentence(console: Callable[..., Any]) -> None:
    for error, words in (
        (DOWN, "ne répond pas"),
        (NO_MODEL, "Aucun modèle"),
        (RuntimeError("bug"), "Une erreur s'est produite dans la console"),
    ):
        assert words in shown(console(model_signature=error, version=error).open())


def test_what_was_filled_in_outlives_a_service_that_was_away(console: Callable[..., Any]) -> None:
    made = console()
    test = made.open()
    test.text_input(key="field_2").set_value("33")
    signature = made.fake.answers["model_signature"]
    made.fake.answers |= {"model_signature": DOWN, "score": DOWN}
    scored(test)
    assert not test.text_input
    made.fake.answers |= {"model_signature": signature}
    test.button(key="try_again").click().run()
    assert test.text_input(key="field_2").value == "33"


LONG = signature_of(
    *(Column(f"number_{index}", "double", label=f"Number {index}") for index in range(30)),
    Column("AMT_INCOME", "double", label="*Revenu* <b>net</b>", group="INCOME", group_label="<i>Ressources</i>"),
    example={"AMT_INCOME": 3000.0},
)


def importance_of(**importance: float) -> ModelImportance:
    return ModelImportance("v1", 10, "training", tuple(FeatureImportance(*each) for each in importance.items()))


def expanders(test: AppTest) -> list[tuple[str, bool]]:
    return [(each.label, each.proto.expanded) for each in test.expander]


def test_the_sections_of_a_long_form_are_folded_but_for_the_first() -> None:
    test, _ = opened(model_signature=LONG)
    assert expanders(test) == [(f"{escaped('<i>Ressources</i>')} (1)", True), ("Nombres (30)", False)]
    assert len(test.text_input) == 31 + 1


def test_a_field_is_searched_by_its_words_and_the_others_are_hidden_and_sent() -> None:
    test, fake = opened("en", model_signature=LONG)
    test.text_input(key="search_fields").set_value("number 12").run()
    assert "1 field found" in shown(test)
    assert [is_open for _, is_open in expanders(test)] == [False, True]
    hidden = "".join(each.value for each in test.html)
    assert ".st-key-cell_11," in hidden
    assert ".st-key-cell_12" not in hidden
    test.text_input(key="search_fields").set_value("<nothing>").run()
    assert "0 fields found" in shown(test)
    scored(test)
    assert fake.called("score") == [({"AMT_INCOME": 3000},)]


def test_fields_are_ordered_by_importance_if_that_is_known() -> None:
    test, fake = opened("en", model_signature=LONG, importance=importance_of(number_7=0.5, AMT_INCOME=0.25))
    test.segmented_control(key="order_of_fields").set_value("importance").run()
    assert expanders(test) == [("Those that weigh most (12)", True), ("All others (19)", False)]
    assert [field.key for field in test.text_input[1:3]] == ["field_7", "field_30"]
    assert len(fake.called("importance")) == 1


@pytest.mark.parametrize("importance", [NO_MODEL, importance_of()])
def test_without_importance_there_is_one_order(importance: Any) -> None:
    test, _ = opened(model_signature=LONG, importance=importance)
    assert not test.segmented_control
    assert not test.error


def test_a_section_with_an_error_is_open() -> None:
    errors = (InvalidValue("missing", "Field required", column="number_3"),)
    invalid = InvalidRows("", Problem(422, "invalid-rows", [], errors=errors, invalid_values=1))
    test, _ = opened(model_signature=LONG, score=invalid)
    scored(test)
    assert [is_open for _, is_open in expanders(test)] == [True, True]


def test_a_pasted_row_fills_in_the_form_and_leaves_nothing_of_the_example() -> None:
    test, fake = opened("en")
    test.text_area(key="pasted").set_value('{"AGE": 33, "OWNS_HOME": false, "SK_ID": "<b>7</b>"}')
    test.button(key="fill_pasted").click().run()
    assert "2 of 5 fields filled in. Ignored, as the model does not have it: “SK_ID”." in shown(test)
    scored(test)
    assert fake.called("score") == [({"AGE": 33, "OWNS_HOME": False},)]


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", "", "Paste a row first."),
        ("fr", "1,2", "Cette ligne contient 2 valeurs, pour 5 attendues."),
        ("en", '[{"AGE": 1}, {"AGE": 2}]', "more than one row"),
    ],
)
def test_what_is_not_a_row_is_a_sentence_and_the_form_stays(language: str, text: str, words: str) -> None:
    test, _ = opened(language)
    test.text_area(key="pasted").set_value(text)
    test.button(key="fill_pasted").click().run()
    assert words in shown(test)
    assert test.text_input(key="field_2").value == "40"


def test_a_value_that_is_no_choice_is_named() -> None:
    test, _ = opened("en", model_signature=CATEGORIES)
    test.text_area(key="pasted").set_value('{"purpose": "boat", "months": 7}')
    test.button(key="fill_pasted").click().run()
    assert "Left empty, as its value is not among the choices: “Purpose”." in test.warning[0].value

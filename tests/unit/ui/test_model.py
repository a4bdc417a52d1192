from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pret import (
    FeatureImportance,
    GroupImportance,
    ModelImportance,
    ModelInfo,
    ModelStatus,
    NotAuthenticated,
    NotReachable,
    Problem,
    Process,
    Reason,
    Rejected,
    Reload,
    ReloadedProcess,
    Version,
)
from tests.unit.ui.conftest import MODEL, NOON, a_service, keyed, view_of
from tests.unit.ui.test_applicant import shown
from ui import service

NO_KEY = NotAuthenticated("This needs a key.", Problem(401, "not-authenticated", "x", {"accepted": ["admin"]}))
PROCESS = ReloadedProcess("worker", "laptop", 7, MODEL, "local-new", 4.5)


def opened(language: str = "fr", **answers: Any) -> tuple[AppTest, Any]:
    fake = a_service(**answers)
    return view_of("model", fake, language).run(), fake


IMPORTANCE = ModelImportance(
    MODEL,
    500,
    "training",
    (FeatureImportance("AGE", 0.5, "Age <b>", "PERSON"), FeatureImportance("AMOUNT", 0.25)),
    (GroupImportance("PERSON", 0.5, "The person"),),
)


def tables(test: AppTest) -> list[list[Any]]:
    return [table.value.to_numpy().tolist() for table in test.dataframe]


def test_the_page_tells_what_is_live_and_what_the_model_takes() -> None:
    test, _ = opened("en", importance=IMPORTANCE)
    text = shown(test)
    assert [metric.value for metric in test.metric][:2] == [MODEL, "10.0%"]
    assert "All processes (1) serve the active version." in text
    assert "It scores." in text
    processes, signature, importance, history = tables(test)
    assert processes[0][:4] == ["API", "laptop", "101", MODEL]
    assert signature[2] == ["AGE", "whole number", "Yes", "No", "18", "100", "\N{EN DASH}", "Age, in years."]
    assert history[0][1:4] == [MODEL, "boot", "activated"]
    assert importance == [["Age <b>", "AGE", "The person", "0.500"], ["Amount", "AMOUNT", "\N{EN DASH}", "0.250"]]
    assert "Measured on 500 rows of the training data." in text


def test_importance_computed_from_golden_rows_is_said_to_be() -> None:
    test, _ = opened("fr", importance=ModelImportance(MODEL, 1, "golden rows"))
    assert "Mesurée sur 1 ligne fournie avec le modèle." in shown(test)


@pytest.mark.parametrize(
    ("language", "meaning", "note"),
    [
        (
            "en",
            "The score is the probability of class “bad”. Threshold: not stated by the model",
            "default, 0.5, decides",
        ),
        ("fr", "Le score est la probabilité de la classe «\xa0bad\xa0». Seuil\xa0: non indiqué", "0,5, s'applique"),
    ],
)
def test_it_is_said_what_the_score_means_and_what_was_assumed(language: str, meaning: str, note: str) -> None:
    told = Reason("threshold-default", "…", {"value": 0.5})
    info = ModelInfo(MODEL, 0.5, positive_class="bad", threshold_origin="DEFAULT_THRESHOLD", notes=(told,))
    test, _ = opened(language, model_info=info)
    assert meaning in shown(test)
    assert note in shown(test)


@pytest.mark.parametrize(("converged", "words"), [(False, "pas encore"), (None, "Sans Redis")])
def test_it_is_said_when_not_all_serve_the_same(converged: bool | None, words: str) -> None:
    test, _ = opened(model_status=ModelStatus("model.cb", MODEL, converged=converged, active_version=MODEL))
    assert words in shown(test)


def test_a_model_without_a_card_is_said_to_have_none() -> None:
    test, _ = opened(model_card=None)
    assert "n'a pas de fiche" in shown(test)


@pytest.mark.parametrize("before", ["", "\\", "\\\\"])
def test_no_image_of_a_card_is_fetched(before: str) -> None:
    test, _ = opened(model_card=f"{before}![x](http://example.org/x.png)")
    assert "![" not in shown(test)


def test_a_change_is_done_once_however_often_one_clicks() -> None:
    test, fake = opened("en")
    test.button(key="rollback").click().run()

    def rollback() -> Reload:
        # As a second click has it: the page is run anew while the first one is still under way.
        assert "wanted_change" not in test.session_state
        return Reload("reloaded", MODEL, "local-new")

    fake.answers["rollback"] = rollback
    test.button(key="confirm").click().run()
    assert fake.called("rollback") == [()]
    assert "Done:" in shown(test)


def test_a_reload_is_confirmed_and_its_outcome_shown_by_process() -> None:
    test, fake = opened("en", reload=Reload("reloaded", "local-new", MODEL, (PROCESS,)))
    test.text_input(key="revision").set_value(" v2 ").run()
    test.button(key="reload").click().run()
    assert "Reload revision v2" in shown(test)
    assert fake.called("reload") == []
    test.button(key="confirm").click().run()
    assert fake.called("reload") == [("v2",)]
    assert f"Done: local-new has replaced {MODEL}" in shown(test)
    assert tables(test)[1] == [["Worker", "laptop", "7", MODEL, "local-new", "4.5\u00a0s", "\N{EN DASH}"]]


def test_a_rollback_can_be_called_off() -> None:
    test, fake = opened("en")
    test.button(key="rollback").click().run()
    test.button(key="cancel_change").click().run()
    assert "Return to the previous version, on all" not in shown(test)
    test.button(key="rollback").click().run()
    test.button(key="confirm").click().run()
    assert fake.called("rollback") == [()]


@pytest.mark.parametrize(
    ("language", "why", "nothing"),
    [
        ("en", "“model.cb” is not YAML.", "Nothing has changed anywhere."),
        ("fr", "«\u00a0model.cb\u00a0» n'est pas du YAML.", "Rien n'a changé nulle part."),
    ],
)
def test_a_rejected_reload_says_which_process_and_why(language: str, why: str, nothing: str) -> None:
    reason: dict[str, Any] = {"type": "model-file-not-yaml", "message": "Not YAML.", "params": {"file": "model.cb"}}
    failed = ReloadedProcess("worker", "laptop", 7, MODEL, None, None, Reason(**reason))
    facts = {"process": "worker at 7", "reason": reason}
    rejection = Rejected("No.", Problem(409, "reload-failed", "One failed.", facts, processes=(failed,)))
    test, _ = opened(language, reload=rejection)
    test.button(key="reload").click().run()
    test.button(key="confirm").click().run()
    assert f"{why} {nothing}" in shown(test)
    assert "worker at 7" in shown(test)
    assert tables(test)[1][0][-1] == why


def test_history_and_processes_say_in_the_language_why_a_version_was_rejected() -> None:
    reason = Reason("trial-timed-out", "The model did not load in time.")
    process = Process("worker", "laptop", 7, MODEL, NOON, Reason("new", "Something new."))
    status = ModelStatus("model.cb", MODEL, converged=False, active_version=MODEL, error=reason, processes=(process,))
    versions = (Version("b" * 40, NOON, "anne", "rejected", reason),)
    test, _ = opened(model_status=status, model_versions=versions)
    processes, *_, history = tables(test)
    assert processes[0][-1] == "Something new."
    assert history[0][1:] == ["b" * 18, "anne", "rejetée", "Le modèle ne s'est pas chargé à temps."]
    assert "Le service signale\u00a0: Le modèle ne s'est pas chargé à temps." in shown(test)


def test_a_key_is_asked_for_when_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = a_service()
    fake.answers["reload"] = lambda revision: fake.answers["rollback"] if fake.key == "secret" else NO_KEY
    monkeypatch.setattr(service, "keyed", lambda key: keyed(fake, key))
    test = view_of("model", fake, "en").run()
    test.button(key="reload").click().run()
    assert not [field for field in test.text_input if field.key == "admin_key"]
    test.button(key="confirm").click().run()
    assert "needs a key with the scope" in shown(test)
    test.text_input(key="admin_key").set_value("wrong")
    test.button(key="confirm").click().run()
    assert "This key is not valid." in shown(test)
    test.text_input(key="admin_key").set_value("secret")
    test.button(key="confirm").click().run()
    assert "Done:" in shown(test)


def test_a_key_that_cannot_be_one_is_a_sentence() -> None:
    test, _ = opened("en", reload=NO_KEY)
    test.button(key="reload").click().run()
    test.button(key="confirm").click().run()
    test.text_input(key="admin_key").set_value("clé")
    test.button(key="confirm").click().run()
    assert "This key is not valid." in shown(test)
    assert test.text_input(key="admin_key")


def test_what_can_be_had_is_shown_when_something_cannot() -> None:
    error = NotReachable("Nothing answers.", sent=False)
    test, _ = opened(model_info=error, model_card=RuntimeError("bug"))
    text = shown(test)
    assert "ne répond pas" in text
    assert "Une erreur s'est produite dans la console" in text
    assert "5 valeurs par demandeur" in text

from typing import Any

import pytest

from pret import Activity, ActivityPoint, Health, NotReachable, Part
from tests.unit.ui.conftest import MODEL, NOON, a_service, view_of
from tests.unit.ui.test_applicant import shown

NO_REDIS = Part("down", "Redis does not answer.", "redis-unavailable")
NOT_KNOWN = Part("down", "Not known without Redis.", "not-known-without-redis")


def opened(language: str = "fr", **answers: Any) -> Any:
    return view_of("health", a_service(**answers), language).run()


def test_all_parts_are_told_in_words() -> None:
    test = opened("en")
    text = shown(test)
    assert text.count(":material/check_circle: Up") == 5
    assert all(words in text for words in (f"Version {MODEL}", "0 tasks waiting", "2 running", "Writable"))
    assert "Service version: 0.1.0" in text
    assert [metric.value for metric in test.metric] == ["0", "0", "0"]


def test_numbers_of_the_service_are_said_in_the_language() -> None:
    parts = {
        "redis": Part("ok", "1200 tasks are waiting.", "tasks-waiting", {"count": 1200}),
        "workers": Part("ok", "2 workers are running.", "workers-running", {"count": 2}),
        "readers": Part("down", "0 readers are running.", "readers-running", {"count": 0}),
        "model": Part("ok", "Model version local-1 is served.", "model-served", {"version": "local-1"}),
    }
    text = shown(opened(health=Health("ready", parts, {"quick": 1, "chunks": 2, "files": 0})))
    assert "1\u202f200 tâches en attente" in text
    assert "2 en service" in text
    assert "0 en service" in text
    assert "Version local-1" in text


def test_what_is_down_is_said_and_why() -> None:
    full = Part("down", "The storage for jobs is full.", "storage-full")
    parts = {"redis": NO_REDIS, "workers": NOT_KNOWN, "storage": full, "new-part": Part("ok")}
    text = shown(opened("en", health=Health("degraded", parts)))
    assert "Limited service" in text
    assert "The storage is full until earlier jobs expire." in text
    assert text.count(":material/cancel: Down") == 2
    assert ":material/help: Not known without Redis" in text
    assert "new-part" in text
    assert "Without Redis, the number of waiting tasks is not known." in text


def test_what_a_newer_service_says_of_a_part_stays_as_it_is() -> None:
    part = Part("down", "The *GPU* is too hot.", "gpu-hot", {"degrees": 99})
    text = shown(opened(health=Health("degraded", {"gpu": part})))
    assert r"The \*GPU\* is too hot." in text


def test_a_service_without_a_model_is_said_to_score_nothing() -> None:
    assert "aucun modèle" in shown(opened(health=Health("not ready", {}, None)))


def test_a_service_that_is_away_is_said_to_be_away() -> None:
    test = opened(health=NotReachable("Nothing answers.", sent=False))
    text = shown(test)
    assert "ne répond pas" in text
    assert "n'est pas connu" in text
    assert "Vérifié à" in text


def test_a_bug_is_a_sentence() -> None:
    assert "Une erreur s'est produite dans la console" in shown(opened(health=RuntimeError("bug")))


@pytest.mark.parametrize("flower", [None, "http://flower:5555"])
def test_flower_is_linked_where_its_address_is_known(monkeypatch: pytest.MonkeyPatch, flower: str | None) -> None:
    if flower:
        monkeypatch.setenv("FLOWER_URL", flower)
    else:
        monkeypatch.delenv("FLOWER_URL", raising=False)
    monkeypatch.setenv("PRET_URL", "http://api:8000/")
    links = [link.url for link in opened().link_button]
    assert links == [*([flower] if flower else []), "http://api:8000/docs"]


@pytest.mark.parametrize(("language", "share"), [("en", "25.0%"), ("fr", "25,0\u00a0%")])
def test_the_last_hour_is_drawn_with_the_numbers_of_now(language: str, share: str) -> None:
    points = (ActivityPoint(NOON, 1.0), ActivityPoint(NOON, 12.34, 0.0125, 3, 0.25))
    test = opened(language, activity=Activity(30.0, points))
    text = shown(test)
    assert all(number.replace(".", "," if language == "fr" else ".") in text for number in ("**12.3**", "**12.5**"))
    assert "**3**" in text and f"**{share}**" in text
    assert len(test.get("vega_lite_chart")) == 4


def test_where_nothing_was_measured_there_is_no_number() -> None:
    text = shown(opened("en", activity=Activity(30.0, (ActivityPoint(NOON, 0.0),))))
    assert text.count("**\N{EN DASH}**") == 3


def test_a_service_that_has_just_started_has_no_last_hour() -> None:
    assert "has just started" in shown(opened("en"))

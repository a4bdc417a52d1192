from typing import Any

import pytest

from pret import Health, NotReachable, Part
from tests.unit.ui.conftest import a_service, view_of
from tests.unit.ui.test_applicant import shown

UP = Part("ok")
NO_REDIS = Part("down", "Redis does not answer.")


def opened(language: str = "fr", **answers: Any) -> Any:
    return view_of("health", a_service(**answers), language).run()


def test_all_parts_are_told_in_words() -> None:
    test = opened("en")
    text = shown(test)
    assert text.count(":material/check_circle: Up") == 5
    assert "Version of the service: 0.1.0" in text
    assert [metric.value for metric in test.metric] == ["0", "0", "0"]


def test_numbers_of_the_service_are_said_in_the_language() -> None:
    parts = {
        "redis": Part("ok", "3 task(s) waiting"),
        "workers": Part("ok", "2 worker(s)"),
        "model": Part("ok", "local-1"),
    }
    text = shown(opened(health=Health("ready", parts, {"quick": 1, "chunks": 2, "files": 0})))
    assert "Tâches en attente\u00a0: 3" in text
    assert "En service\u00a0: 2" in text
    assert "Version local-1" in text


def test_what_is_down_is_said_and_why() -> None:
    full = Part("down", "The storage is full.")
    test = opened(
        "en", health=Health("degraded", {"redis": NO_REDIS, "workers": NO_REDIS, "storage": full, "new-part": UP})
    )
    text = shown(test)
    assert "Reduced service" in text
    assert "The storage is full." in text
    assert text.count(":material/cancel: Down") == 2
    assert ":material/help: Not known without Redis" in text
    assert "new-part" in text
    assert "not known without Redis" in text


def test_a_service_without_a_model_is_said_to_score_nothing() -> None:
    assert "aucun modèle" in shown(opened(health=Health("not ready", {}, None)))


def test_a_service_that_is_away_is_said_to_be_away() -> None:
    test = opened(health=NotReachable("Nothing answers.", sent=False))
    text = shown(test)
    assert "ne répond pas" in text
    assert "n'est pas connu" in text
    assert "Vérifié à" in text


def test_a_bug_is_a_sentence() -> None:
    assert "La console a rencontré" in shown(opened(health=RuntimeError("bug")))


@pytest.mark.parametrize("flower", [None, "http://flower:5555"])
def test_flower_is_linked_where_its_address_is_known(monkeypatch: pytest.MonkeyPatch, flower: str | None) -> None:
    if flower:
        monkeypatch.setenv("FLOWER_URL", flower)
    else:
        monkeypatch.delenv("FLOWER_URL", raising=False)
    monkeypatch.setenv("PRET_URL", "http://api:8000/")
    links = [link.url for link in opened().link_button]
    assert links == [*([flower] if flower else []), "http://api:8000/docs"]

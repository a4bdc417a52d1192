"""The console asks for a key where the service needs one, and shows what the key allows."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pret import Caller, NotAuthenticated, NotReachable, Problem
from tests.unit.ui.conftest import Console, a_service, view_of
from ui import service
from ui.texts import LANGUAGES, Texts

NO_KEY = NotAuthenticated("x", Problem(401, "not-authenticated", "x", {"accepted": ["read"]}))
PAGES = ("applicant", "portfolio", "model", "health")


@pytest.fixture
def locked(console: Callable[..., Console], monkeypatch: pytest.MonkeyPatch) -> Console:
    """The console of a service that knows one key."""
    made = console(caller=NO_KEY)
    callers = {"sesame": Caller("ada", ("jobs", "read"))}

    def keyed(key: str) -> Any:
        if not key.isascii():
            raise ValueError(key)
        return a_service(caller=callers.get(key, NO_KEY))

    monkeypatch.setattr(service, "keyed", keyed)
    return made


def shown(test: AppTest) -> str:
    return "\n".join(
        str(each.value) for each in (*test.title, *test.error, *test.markdown, *test.caption, *test.subheader)
    )


def pages(test: AppTest) -> list[str]:
    return list(test.session_state["pages"]) if "pages" in test.session_state else []


def give(test: AppTest, key: str) -> AppTest:
    test.text_input(key="visitor_key").set_value(key)
    return test.button(key="enter_key").click().run()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_key_is_asked_for_before_anything_is_shown(locked: Console, language: str) -> None:
    say = Texts.of(language)
    test = locked.open(lang=language)
    assert pages(test) == []
    assert not test.title
    for wrong in ("open", "é", ""):
        give(test, wrong)
        assert say.plain("common.key_wrong") in shown(test)
        assert pages(test) == []
    give(test, " sesame ")
    assert not test.error
    assert pages(test) == ["portfolio", "model", "health"]
    assert [title.value for title in test.title] == [say("portfolio.title")]
    assert say.plain("common.key_of", name="ada") in shown(test)
    test.button(key="forget_key").click().run()
    assert not test.title
    assert [field.value for field in test.text_input] == [""]


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (("admin", "jobs", "read", "score"), PAGES),
        (("read", "score"), ("applicant", "model", "health")),
        (("jobs", "read"), ("portfolio", "model", "health")),
        (("read",), ("model", "health")),
    ],
)
def test_only_what_the_key_allows_is_shown(
    console: Callable[..., Console], scopes: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    test = console(caller=Caller("ada", scopes)).open(lang="en")
    assert not test.exception
    assert pages(test) == list(expected)


def test_while_the_service_is_away_every_page_says_so_itself(console: Callable[..., Console]) -> None:
    test = console(caller=NotReachable("x", sent=False)).open(lang="en")
    assert pages(test) == list(PAGES)


@pytest.mark.parametrize(
    ("caller", "is_offered"),
    [
        (Caller("ada", ("admin", "jobs", "read", "score")), True),
        (Caller("ada", ("read", "score")), False),
        (Caller("anonymous", ("jobs", "read", "score")), True),
    ],
)
def test_the_model_is_changed_by_those_who_may_and_by_those_who_can_give_a_key(
    console: Callable[..., Console], caller: Caller, is_offered: bool
) -> None:
    made = console(caller=caller)
    test = made.open(lang="en")
    alone = view_of("model", a_service(), "en")
    alone.session_state["visitor"] = test.session_state["visitor"]
    alone.run()
    assert bool([each for each in alone.button if each.key == "reload"]) == is_offered

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pret import Busy, Client, NotAuthenticated, NotReachable, PretError, Problem, Rejected, ServerFault, UnknownJob
from pret.formats import FORMATS
from tests.unit.ui.conftest import APP, CAPABILITIES, a_service
from ui import palette, service
from ui.texts import Texts

Consoles = Callable[..., Any]
UI = Path(APP).parent


def test_french_comes_first(console: Consoles) -> None:
    test = console().open()
    assert not test.exception
    assert test.title[0].value == "Noter un demandeur"
    assert "lang" not in test.query_params


def test_the_address_tells_the_language(console: Consoles) -> None:
    assert console().open(lang="en").title[0].value == "Score one applicant"


def test_a_language_that_is_not_spoken_is_french(console: Consoles) -> None:
    assert console().open(lang="<b>").title[0].value == "Noter un demandeur"


def test_the_switch_changes_page_and_address_and_is_remembered(console: Consoles) -> None:
    test = console().open()
    test.segmented_control(key="language").set_value("en").run()
    assert test.title[0].value == "Score one applicant"
    assert test.query_params["lang"] in ("en", ["en"])
    # As when the page is changed: the address loses its parameters.
    del test.query_params["lang"]
    test.run()
    assert test.title[0].value == "Score one applicant"
    test.segmented_control(key="language").set_value("fr").run()
    assert test.title[0].value == "Noter un demandeur"


def test_the_footer_tells_the_version_if_it_is_known(console: Consoles) -> None:
    assert "version 0.1.0" in console().open().caption[-1].value
    assert "version ?" in console(version=NotReachable("Nothing.", sent=False)).open().caption[-1].value


def test_settings_that_cannot_be_right_are_a_sentence(monkeypatch: pytest.MonkeyPatch, console: Consoles) -> None:
    made = console()
    monkeypatch.setattr(service, "client", lambda: (_ for _ in ()).throw(ValueError("The address must be …")))
    test = made.open()
    assert not test.exception
    assert "PRET_URL" in test.error[0].value


def test_an_error_that_nobody_foresaw_is_a_sentence_and_is_logged(
    console: Consoles, caplog: pytest.LogCaptureFixture
) -> None:
    test = console(model_signature=RuntimeError("secret detail")).open()
    assert not test.exception
    assert "secret detail" not in test.error[0].value
    assert "A page failed" in caplog.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotReachable("x", sent=False), "is not responding"),
        (NotAuthenticated("x", Problem(401, "not-authenticated", "x", {"accepted": ["admin"]})), "needs a key"),
        (UnknownJob("x", Problem(404, "unknown-job", "x")), "expired"),
        (Busy("x", Problem(503, "no-model", "x")), "No model"),
        (Rejected("x", Problem(404, "no-model", "x")), "No model"),
        (Busy("x", Problem(429)), "busy"),
        (Busy("x", Problem(503, "overheated", "Too hot.")), "Too hot."),
        (Rejected("x", Problem(422, "columns-missing", "x", {"columns": ["A"]})), "Missing columns: “A”."),
        (ServerFault("x", Problem(500, "unexpected", "x")), "Something went wrong in the service"),
        (PretError("x"), "Something went wrong in the service"),
    ],
)
def test_every_error_has_a_sentence_and_a_way_on(error: PretError, words: str) -> None:
    message = service.explain(error, Texts.of("en"))
    assert words in message.text
    assert message.way
    assert not message.detail


def test_a_rejection_that_is_not_known_here_is_said_by_the_service_alone() -> None:
    error = Rejected("x", Problem(418, "teapot", "A teapot."))
    assert service.explain(error, Texts.of("en")) == service.Message("A teapot.")


def test_the_words_of_others_are_shown_as_text() -> None:
    for problem in (
        Problem(422, "columns-missing", "x", {"columns": ["<b>x</b>"]}),
        Problem(422, "columns-lost", "Unknown columns: <b>x</b>."),
    ):
        assert r"\<b\>x\</b\>" in service.explain(Rejected("x", problem), Texts.of("en")).text


def test_what_is_wrong_with_an_option_is_told_by_the_service() -> None:
    error = Rejected("keep: Too many.", Problem(422, "invalid-parameters", [{"loc": ["query", "keep"]}]))
    message = service.explain(error, Texts.of("fr"))
    assert "option" in message.text
    assert message.detail == "Message du service\u00a0: keep\\: Too many."


def test_while_the_service_is_away_the_formats_of_the_client_are_known() -> None:
    fake = a_service(capabilities=NotReachable("Nothing.", sent=False))
    assert service.capabilities(cast(Client, fake)).formats == FORMATS
    fake.answers["capabilities"] = CAPABILITIES
    assert [service.capabilities(cast(Client, fake)) for _ in range(2)] == [CAPABILITIES] * 2
    assert len(fake.called("capabilities")) == 2


def luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_words_in_charts_are_readable(name: str) -> None:
    with (UI / ".streamlit" / "config.toml").open("rb") as file:
        background = tomllib.load(file)["theme"][name]["backgroundColor"]
    assert contrast(palette.ink(name), background) >= 4.5


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> dict[str, str]:
    with (UI / ".streamlit" / "config.toml").open("rb") as file:
        colors: dict[str, str] = tomllib.load(file)["theme"][request.param]
    return colors


def test_text_is_readable_on_its_background(theme: dict[str, str]) -> None:
    for background in ("backgroundColor", "secondaryBackgroundColor"):
        assert contrast(theme["textColor"], theme[background]) >= 7
        assert contrast(theme["linkColor"], theme[background]) >= 4.5
    for name in ("green", "red", "orange", "yellow", "blue", "gray"):
        for background in (theme[f"{name}BackgroundColor"], theme["backgroundColor"]):
            assert contrast(theme[f"{name}TextColor"], background) >= 4.5, name
    assert contrast("#FFFFFF", theme["primaryColor"]) >= 4.5


def test_marks_of_charts_stand_out_from_both_backgrounds(theme: dict[str, str]) -> None:
    for color in (palette.GRANTED, palette.REFUSED, palette.THRESHOLD, palette.CURVE):
        assert contrast(color, theme["backgroundColor"]) >= 3, color


def test_a_page_that_failed_can_be_tried_again(console: Consoles) -> None:
    made = console(model_signature=NotReachable("Nothing.", sent=False))
    test = made.open()
    made.fake.answers |= a_service().answers
    test.button(key="try_again").click().run()
    assert not test.error
    assert test.button(key="score")

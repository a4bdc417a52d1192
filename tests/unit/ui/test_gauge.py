import pytest

from ui.applicant.gauge import Reading, figure
from ui.texts import Texts


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("say", [Texts.of("fr"), Texts.of("en")], ids=["fr", "en"])
def test_the_figure_shows_each_reading_and_names_the_threshold(threshold: float, say: Texts) -> None:
    drawn = figure([Reading("Now", 0.04), Reading("Before", 0.2)], threshold, "the threshold", say, "#000000").to_json()
    assert '"Now"' in drawn
    assert '"Before"' in drawn
    assert str(threshold) in drawn
    assert "the threshold" in drawn


def test_a_single_reading_needs_no_name_beside_it() -> None:
    drawn = figure([Reading("Now", 0.04)], 0.5, "50 %", Texts.of("fr"), "#000000").to_dict()
    assert drawn["layer"][0]["encoding"]["y"]["axis"] is None

"""Reasons: which factors are told, in which words, and that nothing is lost of the sum."""

from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.contract.contract import Contract
from shared.errors import NotExplainable
from shared.explanation import Explanation, Factors, Told, Wanted
from shared.models import artifact
from shared.models.explainer import Contributions
from shared.scoring import explain
from tests.factories import Kit, make_contract, make_rows

INPUTS = [{"name": name, "type": "double"} for name in ("income", "rent", "age", "own", "sex")]
FEATURES: dict[str, Any] = {
    "income": {"label": {"fr": "Revenu", "en": "Income"}, "reason": {"fr": "Revenu trop bas", "en": "Income too low"}},
    "rent": {"group": "home"},
    "own": {"group": "home", "reason": "is that of the group instead"},
    "age": {"actionable": False, "label": "<b>Age</b>"},
    "sex": {"protected": True},
}


def contract_of(features: Any = FEATURES) -> Contract:
    return make_contract(INPUTS, features)


def explained(*values: float, features: Any = FEATURES, **wanted: Any) -> Explanation:
    contributions = Contributions(-1.0, np.array([values], np.float64))
    return Factors(contract_of(features)).explain(contributions, 0, Wanted(**wanted))


def test_the_largest_are_told_first_and_the_rest_adds_up() -> None:
    found = explained(0.5, 0.25, -2.0, 0.5, 0.125, count=2)
    assert found == Explanation(
        base_value=-1.0,
        raw_score=-1.625,
        contributions=[
            Told("age", "<b>Age</b>", -2.0, "lowers_risk", "<b>Age</b>"),
            Told("home", "home", 0.75, "raises_risk", "home", ("rent", "own")),
        ],
        other=0.625,
        left_out=0,
    )


def test_of_equal_ones_the_models_order_decides() -> None:
    found = explained(0.5, 0.5, -0.5, 0.0, 0.5)
    assert [told.feature for told in found.contributions] == ["income", "home", "age", "sex"]
    assert found.other == 0


@pytest.mark.parametrize(
    ("value", "language", "label", "reason"),
    [
        (0.5, "fr", "Revenu", "Revenu trop bas"),
        (0.5, "en", "Income", "Income too low"),
        (-0.5, "en", "Income", "Income"),
    ],
)
def test_the_reason_of_the_notes_is_for_what_counts_against_the_applicant(
    value: float, language: Any, label: str, reason: str
) -> None:
    [told] = explained(value, 0, 0, 0, 0, count=1, language=language).contributions
    assert (told.label, told.reason) == (label, reason)


def test_an_adverse_notice_tells_only_what_raised_the_risk_and_may_be_told() -> None:
    found = explained(0.25, -3.0, 2.0, 1.0, 0.5, which="adverse")
    assert [told.feature for told in found.contributions] == ["income"]
    assert (found.left_out, found.other) == (2, 0.5)
    assert found.base_value + found.other + sum(told.contribution for told in found.contributions) == found.raw_score


def test_a_protected_feature_keeps_its_group_out_of_a_notice() -> None:
    features = FEATURES | {"own": {"group": "home", "protected": True}}
    found = explained(0, 1.0, 0, 1.0, 0, features=features, which="adverse")
    assert (found.contributions, found.left_out) == ([], 1)


@pytest.mark.parametrize("purpose", [False, True])
def test_base_and_contributions_give_the_score(numbers: Kit, mixed: Kit, tmp_path: Path, purpose: bool) -> None:
    model = artifact.load((mixed if purpose else numbers).write(tmp_path), "v")
    rows = make_rows(50, seed=4, purpose=purpose)
    for answer in explain(model, rows, Wanted(2)):
        found = answer.explanation
        assert len(found.contributions) == 2
        total = found.base_value + sum(told.contribution for told in found.contributions) + found.other
        assert total == pytest.approx(found.raw_score, abs=1e-12)
        assert 1 / (1 + exp(-found.raw_score)) == pytest.approx(answer.score, abs=1e-9)


def test_contributions_that_do_not_add_up_are_not_told() -> None:
    contributions = Contributions(0.0, np.array([[0.5, 0.5], [-800.0, 0.0]]))
    contributions.check(np.array([1 / (1 + exp(-1.0)), 0.0]))
    with pytest.raises(NotExplainable, match="do not add up"):
        contributions.check(np.array([0.7, 0.0]))

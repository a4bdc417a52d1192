"""Notes on features and groups: what people call them, in two languages, and what a declined applicant may be told."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.contract.contract import Contract, Group
from shared.contract.derivation import ModelFeatures, derive
from shared.contract.mlmodel import MLmodel
from shared.contract.text import Text
from shared.errors import BadArtifact

NAMES = ("income", "home_rent", "home_own", "age")


def contract_with(features: Any, groups: Any = None) -> Contract:
    mlmodel = MLmodel.model_validate({"metadata": {"features": features, "groups": groups}})
    return derive(mlmodel, ModelFeatures(NAMES))[0]


def test_a_note_is_one_text_or_one_in_each_language() -> None:
    contract = contract_with({"income": {"label": "Income", "description": {"fr": "Revenu.", "en": "Income."}}})
    income, rent, *_ = contract.features
    assert (income.named("fr"), income.described("fr"), income.described("en")) == ("Income", "Revenu.", "Income.")
    assert (rent.named("fr"), rent.described("fr"), rent.actionable, rent.protected) == ("home_rent", None, True, False)


def test_an_empty_text_is_no_note() -> None:
    assert contract_with({"income": {"description": " ", "label": None}}).features[0].description is None


def test_text_is_kept_as_it_is_also_where_it_looks_like_markup() -> None:
    label = "<b>Income</b> & <script>alert(1)</script>"
    assert contract_with({"income": {"label": label}}).features[0].label == Text(label, label)


def test_features_of_a_group_are_told_by_it() -> None:
    contract = contract_with(
        {
            "home_rent": {"group": "home"},
            "home_own": {"group": "home"},
            "age": {"protected": True, "actionable": False},
        },
        {"home": {"label": {"fr": "Logement", "en": "Home"}, "reason": "Your home."}},
    )
    assert contract.groups == {
        "home": Group("home", ("home_rent", "home_own"), Text("Logement", "Home"), Text("Your home.", "Your home."))
    }
    assert (contract.features[3].protected, contract.features[3].actionable) == (True, False)


def test_a_group_without_notes_has_its_name() -> None:
    assert contract_with({"income": {"group": "money"}}).groups["money"].named("en") == "money"


@pytest.mark.parametrize(
    ("notes", "place", "fault"),
    [
        ({"label": {"fr": "Revenu"}}, ("label",), "The text in en is missing"),
        ({"reason": {"fr": " ", "en": "x"}}, ("reason",), "The text in fr is missing"),
        ({"description": {"fr": "x", "en": "y", "de": "z"}}, ("description",), "de is not a language here"),
        ({"label": ["a"]}, ("label",), "A text is expected"),
        ({"label": 5}, ("label",), "A text is expected"),
        ({"group": ["a", "b"]}, ("group",), "one group"),
        ({"group": ""}, ("group",), "one group"),
        ({"protected": "yes"}, ("protected",), "boolean"),
        ({"actionable": 1}, ("actionable",), "boolean"),
    ],
)
def test_other_notes_are_rejected_with_their_place(notes: Any, place: tuple[str, ...], fault: str) -> None:
    with pytest.raises(ValidationError) as caught:
        contract_with({"income": notes})
    [error] = caught.value.errors()
    assert error["loc"] == ("metadata", "features", "income", *place)
    assert fault in error["msg"]


@pytest.mark.parametrize(
    ("features", "groups", "type"),
    [
        ({"unknown": {"label": "x"}}, None, "features-unknown"),
        ({"income": {"group": "money"}}, {"mony": {"label": "x"}}, "groups-unknown"),
        ({"income": {"group": "age"}}, None, "groups-like-features"),
        ({"age": {"group": "age"}}, None, "groups-like-features"),
    ],
)
def test_notes_that_contradict_the_features_are_rejected(features: Any, groups: Any, type: str) -> None:
    with pytest.raises(BadArtifact) as caught:
        contract_with(features, groups)
    assert caught.value.reason.type == type


def test_groups_that_mean_something_else_are_passed_over() -> None:
    assert contract_with({"income": {}}, ["a", "b"]).groups == {}

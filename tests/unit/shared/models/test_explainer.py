"""Explanations agree with CatBoost's own SHAP values, and add up to the score."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, Pool

from shared.errors import NotExplainable
from shared.importance import importance_of
from shared.models import artifact, leaf_table, shapley
from shared.models.artifact import Model
from shared.models.explainer import Contributions
from shared.scoring import rows_per_second
from shared.what_if import what_if
from tests.factories import Kit, Row, fitted, frame, make_rows, without_leaf_weights, write_bare_artifact

ROWS = 200


def loaded(kit: Kit, folder: Path) -> Model:
    return artifact.load(kit.write(folder), "v")


def catboosts(classifier: CatBoostClassifier, data: pd.DataFrame) -> Any:
    pool = Pool(data, cat_features=classifier.get_cat_feature_indices() or None)
    return classifier.get_feature_importance(pool, type="ShapValues")


def check(found: Contributions, expected: Any) -> None:
    np.testing.assert_allclose(found.values, expected[:, :-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.base_value, expected[0, -1], rtol=0, atol=1e-9)


def subjects_moved(features: Any) -> list[tuple[int, ...]]:
    """Take each question for one about the next feature."""
    found = [feature.flat_feature_index for feature in features.float_features for _ in feature.borders or ()]
    return [((feature + 1) % len(features.float_features),) for feature in found]


def probabilities(found: Contributions) -> Any:
    return 1 / (1 + np.exp(-found.raw_scores))


@pytest.mark.parametrize("purpose", [False, True])
def test_contributions_are_those_of_catboost(numbers: Kit, mixed: Kit, tmp_path: Path, purpose: bool) -> None:
    kit = mixed if purpose else numbers
    model = loaded(kit, tmp_path)
    rows = make_rows(ROWS, seed=9, purpose=purpose)
    expected = catboosts(kit.classifier, frame(rows, kit.inputs))
    alone = model.explainer.explain_rows(rows)
    together = model.explainer.explain_encoded(model.scorer.encode(model.contract.to_batch(rows)))
    assert model.explainer.is_prepared
    check(alone, expected)
    check(together, expected)
    np.testing.assert_allclose(probabilities(alone), model.scorer.score_rows(rows), rtol=0, atol=1e-9)


KINDS: dict[str, tuple[bool, dict[str, Any]]] = {
    "combinations of categories": (True, {"depth": 6, "iterations": 60, "learning_rate": 0.3}),
    "categories compared one by one": (True, {"one_hot_max_size": 20}),
    "one tree of one question": (True, {"iterations": 1, "depth": 1}),
    "trees that differ by branch, of one question": (False, {"grow_policy": "Lossguide", "max_leaves": 2}),
}
"""Whether the leaves are looked up, and how the model is trained."""


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_trees_is_explained_as_by_catboost(tmp_path: Path, kind: str) -> None:
    is_prepared, parameters = KINDS[kind]
    random = np.random.default_rng(3)
    data = pd.DataFrame(
        {"town": random.integers(0, 12, 600).astype(str), "job": random.integers(0, 9, 600).astype(str)}
        | {"x": random.normal(size=600)}
    )
    data.loc[::5, "x"] = np.nan
    target = (data["town"].astype(int) + data["job"].astype(int) + data["x"].fillna(3)) % 3 > 1
    classifier = fitted(data, target, cat_features=["town", "job"], **parameters)
    inputs = [{"name": name, "type": "string"} for name in ("town", "job")] + [{"name": "x", "type": "double"}]
    model = artifact.load(write_bare_artifact(tmp_path, classifier, inputs), "v")
    rows: list[Row] = [{str(name): value for name, value in row.items()} for row in data[:ROWS].to_dict("records")]
    rows[0] |= {"town": "not seen", "job": ""}
    data.loc[0, ["town", "job"]] = ["not seen", ""]
    check(model.explainer.explain_rows(rows), catboosts(classifier, data[:ROWS]))
    assert model.explainer.is_prepared == is_prepared


@pytest.mark.parametrize("parameters", [{}, {"depth": 6, "iterations": 60}, {"cat_features": ["town"]}])
def test_with_monotone_constraints_an_applicant_has_the_same_reasons_alone_and_among_others(
    tmp_path: Path, parameters: dict[str, Any]
) -> None:
    random = np.random.default_rng(3)
    data = pd.DataFrame({name: random.normal(size=400) for name in ("age", "income", "debt")})
    if "cat_features" in parameters:
        data["town"] = random.choice(["a", "b", "c", "d"], 400)
    target = random.random(400) < 1 / (1 + np.exp(data["income"] - data["age"]))
    classifier = fitted(data, target, monotone_constraints={"age": 1, "income": -1}, **parameters)
    weights, values = np.array(classifier.get_leaf_weights()), np.array(classifier.get_leaf_values())
    assert ((weights == 0) & (values != 0)).any()
    inputs = [{"name": name, "type": "string" if name == "town" else "double"} for name in data]
    model = artifact.load(write_bare_artifact(tmp_path, classifier, inputs), "v")
    rows: list[Row] = [{str(name): value for name, value in row.items()} for row in data[:50].to_dict("records")]
    # These are in none of the data, and reach leaves in which no row of the training was.
    rows += [row | {"age": -row["age"], "debt": 3 * row["debt"]} for row in rows]
    together = model.explainer.explain_rows(rows)
    for place, row in enumerate(rows):
        alone = model.explainer.explain_rows([row])
        assert alone.base_value == together.base_value
        assert alone.values[0].tolist() == together.values[place].tolist()
    together.check(model.scorer.score_rows(rows))


def test_it_is_averaged_over_the_training_alone() -> None:
    """One tree, of two questions: a leaf that the training did not reach has a value, as a constraint may give it one."""
    base, found = shapley.leaf_values(np.array([[1.0, 2.0, 4.0, 8.0]]), np.array([[5.0, 0.0, 3.0, 2.0]]), (0, 1))
    mean = (5 * 1 + 3 * 4 + 2 * 8) / 10
    # What is said when only the first answer is known, and when only the second one is.
    first = [(5 * 1 + 5 * 4) / 10, (5 * 2 + 5 * 8) / 10]
    second = [1.0, (3 * 4 + 2 * 8) / 5]
    assert base.tolist() == [pytest.approx(mean)]
    for leaf, value in enumerate([1.0, 2.0, 4.0, 8.0]):
        one, other = first[leaf & 1], second[leaf >> 1]
        expected = [(one - mean + value - other) / 2, (other - mean + value - one) / 2]
        assert found[0, leaf].tolist() == pytest.approx(expected)


def test_a_question_that_changes_nothing_for_a_row_adds_nothing() -> None:
    """On one side of the second question no row of the training was; there the first one makes no difference."""
    _, found = shapley.leaf_values(np.array([[1.0, 2.0, 8.0, 8.0]]), np.array([[5.0, 5.0, 0.0, 0.0]]), (0, 1))
    for leaf in (2, 3):
        assert found[0, leaf, 0] == pytest.approx((0.5 if leaf & 1 else -0.5) / 2)
    _, found = shapley.leaf_values(np.array([[1.0, 1.0, 8.0, 8.0]]), np.array([[5.0, 5.0, 0.0, 0.0]]), (0, 1))
    assert found[0].tolist() == [[0, 0], [0, 0], [0, 7], [0, 7]]


def test_that_a_model_cannot_be_explained_is_found_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make(*_: object) -> None:
        made.append(1)
        raise NotExplainable("explanation-differs")

    data = pd.DataFrame({"a": np.arange(50.0)})
    folder = write_bare_artifact(tmp_path, fitted(data, data["a"] > 20), [{"name": "a", "type": "double"}])
    model = artifact.load(folder, "v")
    monkeypatch.setattr(artifact, "Explainer", make)
    for _ in range(3):
        with pytest.raises(NotExplainable, match="do not add up"):
            _ = model.explainer
    assert len(made) == 1


@pytest.mark.parametrize("policy", ["Lossguide", "Depthwise"])
def test_contributions_that_do_not_add_up_are_found_before_anything_is_told(tmp_path: Path, policy: str) -> None:
    random = np.random.default_rng(3)
    data = pd.DataFrame({name: random.normal(size=400) for name in "abc"})
    classifier = fitted(data, data["a"] * data["b"] > data["c"], grow_policy=policy, depth=5)
    found = catboosts(classifier, data)
    raw = classifier.predict(data, prediction_type="RawFormulaVal")
    assert np.abs(found.sum(axis=1) - raw).max() > 1e-6, "CatBoost explains these trees now: say so in docs/reasons.md"
    inputs = [{"name": name, "type": "double"} for name in data]
    folder = write_bare_artifact(tmp_path, classifier, inputs)
    rows: list[Row] = [{str(name): value for name, value in row.items()} for row in data[:5].to_dict("records")]
    scores = artifact.load(folder, "v").scorer.score_rows(rows).tolist()
    (folder / "golden.json").write_text(json.dumps({"rows": rows, "scores": scores}))
    model = artifact.load(folder, "v")
    for tell in (
        lambda: importance_of(model),
        lambda: what_if(model, rows[0], None, "en"),
        lambda: rows_per_second(model, explains=True),
    ):
        with pytest.raises(NotExplainable, match="do not add up"):
            tell()


def test_values_in_empty_leaves_of_trees_that_no_table_holds_are_not_explained(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    data = pd.DataFrame({name: random.normal(size=400) for name in "abc"})
    classifier = fitted(data, data["a"] > data["b"], monotone_constraints={"a": 1}, depth=9)
    inputs = [{"name": name, "type": "double"} for name in data]
    model = artifact.load(write_bare_artifact(tmp_path, classifier, inputs), "v")
    with pytest.raises(NotExplainable, match="leaves that no row of the training reached"):
        _ = model.explainer


def test_a_table_that_differs_from_catboost_is_not_used(numbers: Kit, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(leaf_table, "_subjects", lambda features: subjects_moved(features))
    model = loaded(numbers, tmp_path)
    assert not model.explainer.is_prepared
    rows = make_rows(20, seed=9)
    check(model.explainer.explain_rows(rows), catboosts(numbers.classifier, frame(rows, numbers.inputs)))


def test_a_model_that_catboost_cannot_explain_has_a_reason(tmp_path: Path) -> None:
    data = pd.DataFrame({"a": np.arange(50.0)})
    inputs = [{"name": "a", "type": "double"}]
    scaled = fitted(data, data["a"] > 20)
    scaled.set_scale_and_bias(2.0, 0.5)
    model = artifact.load(write_bare_artifact(tmp_path / "scaled", scaled, inputs), "v")
    with pytest.raises(NotExplainable, match="CatBoost fails"):
        _ = model.explainer
    constant = fitted(data, data["a"] > 20, min_data_in_leaf=1000, grow_policy="Depthwise")
    model = artifact.load(write_bare_artifact(tmp_path / "constant", constant, inputs), "v")
    with pytest.raises(NotExplainable, match="the same score"):
        _ = model.explainer


@pytest.mark.parametrize("loss", ["Logloss", "MultiClass", "MultiClassOneVsAll"])
@pytest.mark.parametrize("positive", ["bad", "good"])
def test_contributions_are_of_the_positive_class(tmp_path: Path, loss: str, positive: str) -> None:
    random = np.random.default_rng(0)
    data = pd.DataFrame(random.normal(size=(400, 3)), columns=["a", "b", "c"])
    data.loc[::7, "a"] = np.nan
    target = np.where(data["a"].fillna(1) + data["b"] > 0.3, "bad", "good")
    classifier = fitted(data, target, loss_function=loss)
    inputs = [{"name": name, "type": "double", "required": False} for name in data]
    model = artifact.load(write_bare_artifact(tmp_path, classifier, inputs, positive_class=positive), "v")
    rows: list[Row] = [{str(name): value for name, value in row.items()} for row in data[:ROWS].to_dict("records")]
    found = model.explainer.explain_rows(rows)
    np.testing.assert_allclose(probabilities(found), model.scorer.score_rows(rows), rtol=0, atol=1e-9)
    if loss == "Logloss":
        check(found, catboosts(classifier, data[:ROWS]) * (1 if positive == "good" else -1))


def test_a_model_without_weights_of_its_leaves_is_not_explained(tmp_path: Path) -> None:
    data = pd.DataFrame({"a": np.arange(50.0)})
    classifier = fitted(data, data["a"] > 20)
    classifier = without_leaf_weights(classifier, tmp_path / "model.json")
    model = artifact.load(write_bare_artifact(tmp_path / "x", classifier, [{"name": "a", "type": "double"}]), "v")
    with pytest.raises(NotExplainable, match="does not say how many rows"):
        _ = model.explainer

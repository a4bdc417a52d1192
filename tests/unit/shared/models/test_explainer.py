"""Explanations agree with CatBoost's own SHAP values, and add up to the score."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, Pool

from shared.errors import NotExplainable
from shared.models import artifact
from shared.models.artifact import Model
from shared.models.explainer import Contributions
from tests.factories import Kit, fitted, frame, make_rows, write_bare_artifact

ROWS = 200


def loaded(kit: Kit, folder: Path) -> Model:
    return artifact.load(kit.write(folder), "v")


def catboosts(classifier: CatBoostClassifier, data: pd.DataFrame) -> Any:
    pool = Pool(data, cat_features=classifier.get_cat_feature_indices() or None)
    return classifier.get_feature_importance(pool, type="ShapValues")


def check(found: Contributions, expected: Any) -> None:
    np.testing.assert_allclose(found.values, expected[:, :-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.base_value, expected[0, -1], rtol=0, atol=1e-9)


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
    check(alone, expected)
    check(together, expected)
    np.testing.assert_allclose(probabilities(alone), model.scorer.score_rows(rows), rtol=0, atol=1e-9)


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
    rows = data[:ROWS].astype(object).where(data.notna(), None).to_dict("records")
    found = model.explainer.explain_rows(rows)
    np.testing.assert_allclose(probabilities(found), model.scorer.score_rows(rows), rtol=0, atol=1e-9)
    if loss == "Logloss":
        check(found, catboosts(classifier, data[:ROWS]) * (1 if positive == "good" else -1))


def test_a_model_without_weights_of_its_leaves_is_not_explained(tmp_path: Path) -> None:
    data = pd.DataFrame({"a": np.arange(50.0)})
    classifier = fitted(data, data["a"] > 20)
    path = tmp_path / "model.json"
    classifier.save_model(str(path), format="json")
    document = json.loads(path.read_bytes())
    for tree in document["oblivious_trees"]:
        del tree["leaf_weights"]
    path.write_text(json.dumps(document))
    classifier.load_model(str(path), format="json")
    model = artifact.load(write_bare_artifact(tmp_path / "x", classifier, [{"name": "a", "type": "double"}]), "v")
    with pytest.raises(NotExplainable, match="does not say how many rows"):
        _ = model.explainer

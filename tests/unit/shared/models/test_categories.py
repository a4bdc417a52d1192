"""What a model saw in training: every category of it and no other, for each feature of which its file tells that."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from catboost import CatBoostClassifier, sum_models

from shared.models import artifact, categories
from shared.models.categories import NOTHING_SEEN, SeenCategories, UnseenCount, seen_categories, uncounted
from shared.reasons import Reason
from tests.factories import Kit, fitted

TOWNS = [f"ville {i}" for i in range(300)]
JOBS = ["boulanger", "médecin", "", " avec blancs ", "日本", "x" * 200]
UNSEEN = ["boulangère", "me\u0301decin", "avec blancs", "Boulanger", "\U0001f600", "x" * 199]
random = np.random.default_rng(7)


def some(values: list[Any], count: int = 3000) -> list[Any]:
    """All of the values, and then some of them in any order."""
    return [*values, *(values[i] for i in random.integers(0, len(values), count - len(values)))]


def frame() -> pd.DataFrame:
    columns = {
        "amount": random.random(3000).tolist(),
        "town": some(TOWNS),
        "job": some(JOBS),
        "sex": some(["F", "M"]),
        "code": some(list(range(20))),
    }
    return pd.DataFrame(columns)


DATA = frame()
TARGET = (
    DATA["town"].isin(TOWNS[::2]).astype(int)
    + DATA["job"].isin(JOBS[::2]).astype(int)
    + (DATA["sex"] == "F").astype(int)
    + DATA["code"].isin(range(0, 20, 3)).astype(int)
    > 2
).astype(int)
NAMES = list(DATA.columns)
CATEGORIES = NAMES[1:]


def trained(**parameters: Any) -> CatBoostClassifier:
    return fitted(DATA, TARGET, cat_features=CATEGORIES, iterations=40, depth=4, **parameters)


@pytest.fixture(scope="module")
def classifier() -> CatBoostClassifier:
    return trained()


def seen_by(classifier: CatBoostClassifier, examples: list[dict[str, str]] | None = None) -> SeenCategories:
    return seen_categories(classifier, NAMES, examples or [], 1)


SEXES = [{"sex": "F"}, {"sex": "M"}]


def test_all_categories_of_the_training_were_seen_and_no_others(classifier: CatBoostClassifier) -> None:
    seen = seen_by(classifier, SEXES)
    assert seen.features == {"town", "job", "sex", "code"}
    for feature, values in (("town", TOWNS), ("job", JOBS), ("sex", ["F", "M"]), ("code", list(map(str, range(20))))):
        assert not seen.are_unseen(feature, values).any()
    for feature in CATEGORIES:
        assert seen.are_unseen(feature, UNSEEN).all()
    assert seen.are_unseen("code", ["20", "1.0", "01", "-1"]).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"grow_policy": "Lossguide"},
        {"max_ctr_complexity": 1},
        {"simple_ctr": ["BinarizedTargetMeanValue"]},
        {"simple_ctr": ["Buckets"], "loss_function": "CrossEntropy"},
        {"loss_function": "MultiClass"},
        {"one_hot_max_size": 10},
        {"one_hot_max_size": 1},
    ],
)
@pytest.mark.parametrize("save_format", ["cbm", "json"])
def test_what_is_told_is_right_whatever_the_training(
    parameters: dict[str, Any], save_format: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "model")
    trained(**parameters).save_model(path, format=save_format)
    seen = seen_by(CatBoostClassifier().load_model(path, format=save_format))
    assert {"town"} <= seen.features
    for feature in seen.features:
        values = list(map(str, DATA[feature].unique()))
        assert not seen.are_unseen(feature, values).any()
        assert seen.are_unseen(feature, UNSEEN).all()


def test_of_a_feature_compared_with_single_values_it_is_told_only_where_all_of_them_are_known() -> None:
    classifier = trained(one_hot_max_size=len(JOBS))
    known = [{"job": job} for job in JOBS]
    assert "job" in seen_by(classifier, known).features
    assert "job" not in seen_by(classifier, [*known, {"job": "another"}]).features
    # Two values of six could be all that the model compares with.
    assert "sex" not in seen_by(classifier, SEXES).features


@pytest.mark.parametrize("parameters", [{}, {"ctr_leaf_count_limit": 5}])
def test_nothing_is_told_of_a_sum_of_models_that_would_be_wrong(
    classifier: CatBoostClassifier, parameters: dict[str, Any]
) -> None:
    other = trained(random_seed=5, **parameters)
    whole: Any = sum_models([classifier if not parameters else trained(**parameters), other])
    for feature in (seen := seen_by(whole, SEXES)).features:
        assert not seen.are_unseen(feature, list(map(str, DATA[feature].unique()))).any()


@pytest.mark.parametrize(
    ("most", "features"), [(5, {"sex"}), (len(JOBS), {"sex"}), (20, {"sex", "job"}), (301, set(CATEGORIES))]
)
def test_nothing_is_told_of_a_table_that_may_have_been_cut(most: int, features: set[str]) -> None:
    seen = seen_by(trained(ctr_leaf_count_limit=most), SEXES)
    assert seen.features == features
    for feature in features:
        assert not seen.are_unseen(feature, list(map(str, DATA[feature].unique()))).any()


def test_nothing_is_told_of_a_feature_in_no_tree() -> None:
    target = (DATA["amount"] > 0.5).astype(int)
    alone = fitted(DATA[["amount", "town"]], target, cat_features=["town"], iterations=2, depth=1)
    assert seen_categories(alone, ["amount", "town"], [], 1).features == set()


def test_nothing_is_told_without_categories_or_of_a_large_file(classifier: CatBoostClassifier) -> None:
    numbers = fitted(DATA[["amount"]], TARGET)
    assert seen_categories(numbers, ["amount"], [], 1) is NOTHING_SEEN
    assert seen_categories(classifier, NAMES, [], categories.MAX_MODEL_BYTES + 1) is NOTHING_SEEN


def test_that_nothing_is_told_of_a_large_file_is_said(
    classifier: CatBoostClassifier, mixed: Kit, numbers: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(categories, "MAX_MODEL_BYTES", 1 << 20)
    assert uncounted(classifier, 1 << 20) is None
    said = Reason("categories-not-counted", {"limit": 1})
    assert uncounted(classifier, (1 << 20) + 1) == said
    monkeypatch.setattr(categories, "MAX_MODEL_BYTES", 1)
    notes = [artifact.load(kit.write(tmp_path / str(i)), "v1").notes for i, kit in enumerate((mixed, numbers))]
    assert ["categories-not-counted" in [note.type for note in each] for each in notes] == [True, False]


@pytest.mark.parametrize(
    ("rows", "towns", "jobs"),
    [(None, 2, 1), ([True] * 5, 2, 1), ([False, True, True, True, False], 1, 0), ([False] * 5, 0, 0)],
)
def test_the_rows_of_a_batch_are_counted(
    classifier: CatBoostClassifier, rows: list[bool] | None, towns: int, jobs: int
) -> None:
    count = UnseenCount(seen_by(classifier), None if rows is None else np.array(rows))
    count.add("town", pa.array(["Oz", "ville 1", "ville 2", "Oz", "ville 1"]).dictionary_encode())
    count.add("job", pa.array([*["médecin"] * 4, "mage"]).dictionary_encode())
    count.add("sex", pa.array(["F", "X", "X", "X", "F"]).dictionary_encode())
    count.add("code", pa.array([], pa.string()).dictionary_encode())
    assert count.counts == {"town": towns, "job": jobs, "code": 0}


def test_a_model_of_numbers_has_none(numbers: Kit, tmp_path: Path) -> None:
    assert artifact.load(numbers.write(tmp_path / "model"), "v1").seen_categories.features == set()


def test_golden_rows_and_the_example_tell_categories_too(tmp_path: Path) -> None:
    inputs = [{"name": name, "type": "string"} for name in ("town", "sex")]
    rows = [{"town": "ville 1", "sex": "F"}, {"town": "ville 2", "sex": "M"}]
    data = DATA[["town", "sex"]]
    classifier = fitted(data, TARGET, cat_features=list(data), iterations=40)
    kit = Kit(classifier, inputs, {"best_threshold": 0.5}, rows)
    model = artifact.load(kit.write(tmp_path / "model"), "v1")
    assert model.seen_categories.features == {"town", "sex"}
    assert model.seen_categories.are_unseen("sex", ["F", "M", "f", ""]).tolist() == [False, False, True, True]
    assert model.seen_categories.are_unseen("town", ["ville 299", "ville 300"]).tolist() == [False, True]

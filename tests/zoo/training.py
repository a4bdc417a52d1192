"""Ways in which a team may make a model of a data frame and a target, and what CatBoost itself then says of the frame."""

from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from catboost import CatBoost, CatBoostClassifier, CatBoostRanker, CatBoostRegressor, sum_models

from tests.zoo.applicants import ROWS

Options = Mapping[str, Any]
Train = Callable[[pd.DataFrame, Any, Options], Any]
"""From a data frame, a target and options of CatBoost's to a model."""

QUIET: Options = {
    "iterations": 5,
    "depth": 3,
    "thread_count": 1,
    "verbose": 0,
    "allow_writing_files": False,
    "random_seed": 1,
}


def classifier(data: pd.DataFrame, target: Any, options: Options) -> Any:
    return CatBoostClassifier(**{**QUIET, **options}).fit(data, target)


def plain_catboost(data: pd.DataFrame, target: Any, options: Options) -> Any:
    return CatBoost({**QUIET, "loss_function": "Logloss", **options}).fit(data, target)


def regressor(data: pd.DataFrame, target: Any, options: Options) -> Any:
    return CatBoostRegressor(**{**QUIET, **options}).fit(data, target)


def ranker(data: pd.DataFrame, target: Any, options: Options) -> Any:
    groups = [row // 10 for row in range(ROWS)]
    return CatBoostRanker(**{**QUIET, "loss_function": "YetiRank", **options}).fit(data, target, group_id=groups)


def with_threshold(data: pd.DataFrame, target: Any, options: Options) -> Any:
    made = classifier(data, target, options)
    made.set_probability_threshold(0.3)
    return made


def of_one_name(data: pd.DataFrame, target: Any, options: Options) -> Any:
    """Give all features one name, which no frame and no pool of CatBoost's can do."""
    made = CatBoostClassifier(**{**QUIET, **options}).fit(data.to_numpy(), target)
    made.set_feature_names(["debt"] * data.shape[1])
    return made


def continued(data: pd.DataFrame, target: Any, options: Options) -> Any:
    return CatBoostClassifier(**{**QUIET, **options}).fit(data, target, init_model=classifier(data, target, options))


def read_from_json(data: pd.DataFrame, target: Any, options: Options) -> Any:
    """CatBoost's JSON keeps leaves but for their last bits, so this is another model than the one that was saved."""
    with TemporaryDirectory() as folder:
        classifier(data, target, options).save_model(f"{folder}/model.json", format="json")
        return CatBoostClassifier().load_model(f"{folder}/model.json", format="json")


def sum_of(one: Train) -> Train:
    """Train two that way, and add them up: the file then has no options of a training."""

    def train(data: pd.DataFrame, target: Any, options: Options) -> Any:
        return sum_models([one(data, target, {**options, "random_seed": seed}) for seed in (1, 2)], weights=[0.4, 0.6])

    return train


def probabilities(model: Any, data: Any) -> Any:
    """CatBoost's own, shape (rows, classes)."""
    return model.predict(data, prediction_type="Probability", thread_count=1)

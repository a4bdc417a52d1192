"""Losses, trees and classes of CatBoost's: all that gives a probability for each of two classes."""

import warnings
from collections.abc import Sequence
from math import exp
from typing import Any

import pandas as pd

from tests.zoo import training
from tests.zoo.applicants import NUMBERS, TARGET, WORDS, random, with_column
from tests.zoo.variant import Variant

OF_BAD: Any = {"target": WORDS, "metadata": {"positive_class": "bad"}, "positive": "bad"}
SHARES = (TARGET * 0.6 + random.random(len(TARGET)) * 0.4).round(3)


class OwnLogloss:
    """`Logloss`, as somebody may write it for CatBoost."""

    def calc_ders_range(self, raw: Sequence[float], target: Sequence[float], _: object) -> list[tuple[float, float]]:
        """Give first and second derivative for each row."""
        scores = [1 / (1 + exp(-value)) for value in raw]
        return [(label - score, -score * (1 - score)) for label, score in zip(target, scores, strict=True)]


def own_objective(data: pd.DataFrame, target: Any, options: training.Options) -> Any:
    with warnings.catch_warnings():
        # CatBoost would rather have it compiled, by numba.
        warnings.simplefilter("ignore")
        return training.classifier(data, target, {**options, "loss_function": OwnLogloss(), "eval_metric": "Logloss"})


VARIANTS = (
    Variant("`Logloss`", options={"loss_function": "Logloss"}),
    Variant("`CrossEntropy`", options={"loss_function": "CrossEntropy"}),
    Variant("`CrossEntropy` of shares from 0 to 1", target=SHARES, options={"loss_function": "CrossEntropy"}),
    Variant("`Focal`", options={"loss_function": "Focal:focal_alpha=0.3;focal_gamma=2"}),
    Variant("`MultiClass` of two classes", options={"loss_function": "MultiClass"}),
    Variant("`MultiClass` of good and bad", options={"loss_function": "MultiClass"}, **OF_BAD),
    Variant("`MultiClassOneVsAll` of two classes", options={"loss_function": "MultiClassOneVsAll"}),
    Variant("an objective of one's own, in Python", train=own_objective),
    Variant("`Logloss` of amounts above a border", target=SHARES, options={"target_border": 0.5}),
    Variant("with `class_weights`", options={"class_weights": {0: 1, 1: 5}}),
    Variant("with `auto_class_weights`", options={"auto_class_weights": "Balanced"}),
    Variant("with `scale_pos_weight`", options={"scale_pos_weight": 3}),
    Variant("the class `CatBoost`", train=training.plain_catboost),
    Variant("the class `CatBoost`, of good and bad", train=training.plain_catboost, **OF_BAD),
    Variant("`sum_models`", train=training.sum_of(training.classifier)),
    Variant("`sum_models`, of good and bad", train=training.sum_of(training.classifier), **OF_BAD),
    Variant(
        "`sum_models` of `MultiClass`",
        train=training.sum_of(training.classifier),
        options={"loss_function": "MultiClass"},
    ),
    Variant("trained on from another model", train=training.continued),
    Variant("trees of `Lossguide`", options={"grow_policy": "Lossguide"}),
    Variant("trees of `Depthwise`", options={"grow_policy": "Depthwise"}),
    Variant("`boosting_type` `Ordered`", options={"boosting_type": "Ordered"}),
    Variant("one feature", data=NUMBERS[["income"]]),
    Variant("one tree", options={"iterations": 1}),
    Variant("a constant feature, which no tree uses", data=with_column("constant", 1.0)),
)

"""Losses, trees and classes of CatBoost's: all that gives a probability for each of two classes."""

from typing import Any

from tests.zoo import training
from tests.zoo.applicants import TARGET, WORDS, random, with_column
from tests.zoo.variant import Variant

OF_BAD: Any = {"target": WORDS, "metadata": {"positive_class": "bad"}, "positive": "bad"}
SHARES = (TARGET * 0.6 + random.random(len(TARGET)) * 0.4).round(3)

VARIANTS = (
    Variant("`Logloss`", options={"loss_function": "Logloss"}),
    Variant("`CrossEntropy`", options={"loss_function": "CrossEntropy"}),
    Variant("`CrossEntropy` of shares from 0 to 1", target=SHARES, options={"loss_function": "CrossEntropy"}),
    Variant("`Focal`", options={"loss_function": "Focal:focal_alpha=0.3;focal_gamma=2"}),
    Variant("`MultiClass` of two classes", options={"loss_function": "MultiClass"}),
    Variant("`MultiClass` of good and bad", options={"loss_function": "MultiClass"}, **OF_BAD),
    Variant("`MultiClassOneVsAll` of two classes", options={"loss_function": "MultiClassOneVsAll"}),
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
    Variant("one tree", options={"iterations": 1}),
    Variant("a constant feature, which no tree uses", data=with_column("constant", 1.0)),
)

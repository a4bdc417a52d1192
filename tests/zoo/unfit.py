"""Models that cannot be served: what they predict is not a probability of one of two classes, or CatBoost needs more than a row."""

import numpy as np
import pandas as pd

from tests.zoo import training
from tests.zoo.applicants import FRACTIONS, NUMBERS, TARGET, with_column
from tests.zoo.variant import Variant

OTHER = Variant("another model", options={"random_seed": 7, "iterations": 2})

TEXTS = with_column("note", np.where(TARGET == 1, "did not pay in time", "always paid").astype(object))
VECTORS = FRACTIONS.assign(face=pd.Series([[value, 1.0] for value in FRACTIONS["debt"]], dtype=object))

VARIANTS = (
    Variant("regression", train=training.regressor, rejected="model-not-a-classifier"),
    Variant(
        "regression, of the class `CatBoost`",
        train=training.plain_catboost,
        options={"loss_function": "RMSE"},
        rejected="model-not-a-classifier",
    ),
    Variant(
        "counts (`Poisson`)",
        train=training.regressor,
        options={"loss_function": "Poisson"},
        rejected="model-not-a-classifier",
    ),
    Variant("ranking", train=training.ranker, rejected="model-not-a-classifier"),
    Variant(
        "`sum_models` of regressions", train=training.sum_of(training.regressor), rejected="model-not-a-classifier"
    ),
    Variant("three classes", target=NUMBERS["age"] % 3, rejected="model-classes"),
    Variant(
        "three classes, one against all",
        target=NUMBERS["age"] % 3,
        options={"loss_function": "MultiClassOneVsAll"},
        rejected="model-classes",
    ),
    Variant(
        "several labels for a row (`MultiLogloss`)",
        target=np.stack([TARGET, 1 - TARGET], axis=1),
        options={"loss_function": "MultiLogloss"},
        rejected="model-not-a-classifier",
    ),
    Variant(
        "several labels for a row (`MultiCrossEntropy`)",
        target=np.stack([TARGET, 1 - TARGET], axis=1),
        options={"loss_function": "MultiCrossEntropy"},
        rejected="model-not-a-classifier",
    ),
    Variant(
        "`sum_models` of several labels for a row",
        target=np.stack([TARGET, 1 - TARGET], axis=1),
        train=training.sum_of(training.classifier),
        options={"loss_function": "MultiLogloss"},
        rejected="model-not-a-classifier",
    ),
    Variant("features of text", data=TEXTS, options={"text_features": ["note"]}, rejected="features-unsupported"),
    Variant(
        "features of embeddings",
        data=VECTORS,
        inputs=None,
        example=None,
        options={"embedding_features": ["face"]},
        rejected="features-unsupported",
    ),
)

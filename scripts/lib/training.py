"""Fits a CatBoost classifier, chooses its threshold by cost, and measures it on rows it has not seen."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from catboost import CatBoostClassifier, CatBoostError
from catboost.utils import eval_metric

from scripts.lib.training_data import TrainingData, TrainingError, catboost_frame

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

# The business's own figure: granting a loan that defaults costs ten times what declining a good applicant does.
DEFAULT_COST_RATIO = 10

VALIDATION_SHARE = 0.2
TEST_SHARE = 0.2
# Below these the validation and test parts say nothing.
MIN_ROWS = 100
MIN_ROWS_OF_A_CLASS = 20
GOLDEN_ROWS = 50
SAMPLE_ROWS = 5000
"""Rows of the training over which the importance of the features is worked out."""
EARLY_STOPPING_ROUNDS = 50
MAX_THREADS = 8


@dataclass(frozen=True)
class Outcome:
    """What a threshold does to labelled rows: counts of rows, positive meaning a default and a refusal.

    `cost_ratio` is how many times a missed default costs what declining a good applicant does.
    """

    granted_good: int
    refused_good: int
    missed_defaults: int
    refused_defaults: int
    cost_ratio: float = DEFAULT_COST_RATIO

    @property
    def cost(self) -> float:
        """The cost in good applicants that are declined."""
        return self.cost_ratio * self.missed_defaults + self.refused_good

    @property
    def cost_of_granting_all(self) -> float:
        """The cost if nobody was declined."""
        return self.cost_ratio * (self.missed_defaults + self.refused_defaults)


@dataclass(frozen=True)
class TrainedModel:
    """A fitted classifier with its threshold, its figures on the test rows, and some of those rows."""

    classifier: CatBoostClassifier
    threshold: float
    outcome: Outcome
    metrics: Mapping[str, float]
    parameters: Mapping[str, Any]
    golden_rows: pd.DataFrame
    sample: pd.DataFrame
    """Some of the rows that it was trained on."""


def train(
    data: TrainingData,
    iterations: int,
    seed: int,
    cost_ratio: float = DEFAULT_COST_RATIO,
    threshold: float | None = None,
) -> TrainedModel:
    """Train on three rows in five; a fifth sets early stopping and threshold, a fifth gives the reported figures.

    Without a `threshold` it is the one of least cost. Raises TrainingError when there are too few rows, too few of one
    class, or nothing in them to learn from.
    """
    check_trainable(data.target)
    frame = catboost_frame(data.rows, data.signature_inputs, data.missing_category)
    fit_rows, validation_rows, test_rows = split(data.target, seed)
    parameters = _parameters(iterations, seed)
    classifier = _fit(data, frame, fit_rows, validation_rows, parameters)
    validation_scores = classifier.predict_proba(frame.iloc[validation_rows])[:, 1]
    if threshold is None:
        threshold = best_threshold(data.target[validation_rows], validation_scores, cost_ratio)
    test_scores = classifier.predict_proba(frame.iloc[test_rows])[:, 1]
    outcome = outcome_at(threshold, data.target[test_rows], test_scores, cost_ratio)
    return TrainedModel(
        classifier=classifier,
        threshold=threshold,
        outcome=outcome,
        metrics={
            **_metrics(data.target[test_rows], test_scores, outcome),
            "validation_auc": auc(data.target[validation_rows], validation_scores),
            "training_rows": len(fit_rows),
            "trees": classifier.tree_count_,
        },
        parameters=parameters,
        golden_rows=choose_golden_rows(data.rows.iloc[test_rows]),
        sample=data.rows.iloc[fit_rows[:SAMPLE_ROWS]],
    )


def check_trainable(target: Labels) -> None:
    """Raise TrainingError when the labels are too few to learn and measure from."""
    if len(target) < MIN_ROWS:
        raise TrainingError(f"There are {len(target)} rows; at least {MIN_ROWS} are needed to train and test a model.")
    positives = int(target.sum())
    rarest = min(positives, len(target) - positives)
    if rarest == 0:
        missing = "the positive value" if positives == 0 else "any value but the positive one"
        raise TrainingError(f"No row has {missing} as its target; a model needs both classes.")
    if rarest < MIN_ROWS_OF_A_CLASS:
        raise TrainingError(f"One class has only {rarest} rows; at least {MIN_ROWS_OF_A_CLASS} of each are needed.")


def split(target: Labels, seed: int) -> tuple[Labels, Labels, Labels]:
    """Return the positions of the training, validation and test rows, each with the same share of positives."""
    rng = np.random.default_rng(seed)
    parts: tuple[list[Labels], list[Labels], list[Labels]] = ([], [], [])
    for label in (0, 1):
        positions = rng.permutation(np.flatnonzero(target == label))
        validation, test = round(len(positions) * VALIDATION_SHARE), round(len(positions) * TEST_SHARE)
        for part, chosen in zip(parts, np.split(positions, [-validation - test, -test]), strict=True):
            part.append(chosen)
    # Shuffled, because CatBoost's treatment of categories depends on the order of the rows.
    fit_rows, validation_rows, test_rows = (rng.permutation(np.concatenate(part)) for part in parts)
    return fit_rows, validation_rows, test_rows


def best_threshold(target: Labels, scores: Floats, cost_ratio: float = DEFAULT_COST_RATIO) -> float:
    """Return the threshold of least cost; rows whose score reaches it are refused.

    It lies halfway between two neighbouring scores, so that no row of these sits on it.
    """
    order = np.argsort(scores, kind="stable")
    ascending = scores[order]
    defaults = np.concatenate(([0], np.cumsum(target[order])))
    granted = np.arange(len(target) + 1)
    refused_good = (len(target) - target.sum()) - (granted - defaults)
    cost = cost_ratio * defaults + refused_good
    # A cut is possible only where the score rises: equal scores are not separated, and no threshold is above 1.
    possible = np.concatenate(([True], np.diff(ascending) > 0, [ascending[-1] < 1]))
    cut = int(np.argmin(np.where(possible, cost, np.inf)))
    below = ascending[cut - 1] if cut > 0 else 0.0
    above = ascending[cut] if cut < len(ascending) else 1.0
    halfway = (below + above) / 2
    return float(halfway if halfway > below else above)


def auc(target: Labels, scores: Floats) -> float:
    """Return the area under the ROC curve: how often a default scores higher than a good client."""
    return float(eval_metric(target, scores, "AUC")[0])


def outcome_at(threshold: float, target: Labels, scores: Floats, cost_ratio: float = DEFAULT_COST_RATIO) -> Outcome:
    """Count the four outcomes of refusing every score that reaches the threshold."""
    refused = scores >= threshold
    return Outcome(
        granted_good=int((~refused & (target == 0)).sum()),
        refused_good=int((refused & (target == 0)).sum()),
        missed_defaults=int((~refused & (target == 1)).sum()),
        refused_defaults=int((refused & (target == 1)).sum()),
        cost_ratio=cost_ratio,
    )


def choose_golden_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return up to 50 rows: for each feature one where it is missing, as far as there are any, then the first ones."""
    lacking = [int(np.argmax(rows[name].isna())) for name in rows.columns if rows[name].isna().any()]
    positions = list(dict.fromkeys([*lacking, *range(len(rows))]))
    return rows.iloc[positions[:GOLDEN_ROWS]]


def _fit(
    data: TrainingData, frame: pd.DataFrame, fit_rows: Labels, validation_rows: Labels, parameters: Mapping[str, Any]
) -> CatBoostClassifier:
    classifier = CatBoostClassifier(**parameters)
    try:
        classifier.fit(
            frame.iloc[fit_rows],
            data.target[fit_rows],
            cat_features=[feature.name for feature in data.features if feature.type == "string"],
            eval_set=(frame.iloc[validation_rows], data.target[validation_rows]),
            early_stopping_rounds=EARLY_STOPPING_ROUNDS,
        )
    except CatBoostError as error:
        # Its messages begin with the place in its own source.
        reason = str(error).rpartition(".cpp:")[2].lstrip("0123456789: ").rstrip(".")
        raise TrainingError(f"CatBoost cannot learn from these rows: {reason}.") from error
    return classifier


def _parameters(iterations: int, seed: int) -> dict[str, Any]:
    return {
        "iterations": iterations,
        "depth": 6,
        "learning_rate": 0.03,
        "loss_function": "Logloss",
        "eval_metric": "Logloss",
        "random_seed": seed,
        "thread_count": min(os.cpu_count() or 1, MAX_THREADS),
        "allow_writing_files": False,
        "verbose": False,
    }


def _metrics(target: Labels, scores: Floats, outcome: Outcome) -> dict[str, float]:
    # A score of exactly 0 or 1 would make the log loss infinite.
    chosen = np.clip(np.where(target == 1, scores, 1 - scores), 1e-15, 1)
    return {
        "auc": auc(target, scores),
        "log_loss": float(-np.log(chosen).mean()),
        "brier_score": float(np.square(1 - chosen).mean()),
        "default_rate": float(target.mean()),
        "refusal_rate": (outcome.refused_good + outcome.refused_defaults) / len(target),
        "recall": outcome.refused_defaults / int(target.sum()),
        "cost": outcome.cost,
        "test_rows": len(target),
        **asdict(outcome),
    }

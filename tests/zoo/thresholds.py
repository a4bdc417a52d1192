"""From which score on applicants are refused, and who says so."""

import json
from pathlib import Path
from typing import Any

from shared.models.assumptions import Assumptions
from shared.models.threshold import DEFAULT, Threshold
from tests.zoo import training
from tests.zoo.variant import Variant

OF_CATBOOST = "set_probability_threshold of the CatBoost model"


def of_registry(value: Any, origin: str) -> Any:
    """Write what a registry said of the version, as the source that fetched it from there does."""

    def finish(_: Variant, folder: Path) -> None:
        said = {"threshold": {"value": value, "origin": origin}}
        (folder / "registry.json").write_text(json.dumps(said), encoding="utf-8")

    return finish


VARIANTS = (
    Variant(
        "`metadata.best_threshold`",
        metadata={"best_threshold": 0.4},
        threshold=Threshold(0.4, "metadata.best_threshold"),
    ),
    Variant("`metadata.threshold`", metadata={"threshold": 0.25}, threshold=Threshold(0.25, "metadata.threshold")),
    Variant(
        "`metadata.optimal_threshold`",
        metadata={"optimal_threshold": 1},
        threshold=Threshold(1.0, "metadata.optimal_threshold"),
    ),
    Variant(
        "several of these names: the first in this order",
        metadata={"optimal_threshold": 0.1, "threshold": 0.2, "best_threshold": None},
        threshold=Threshold(0.2, "metadata.threshold"),
    ),
    Variant("`set_probability_threshold(0.3)`", train=training.with_threshold, threshold=Threshold(0.3, OF_CATBOOST)),
    Variant(
        "`set_probability_threshold(0.3)`, which is of the second class, with `class_names=[1, 0]`",
        train=training.with_threshold,
        options={"class_names": [1, 0]},
        threshold=Threshold(0.7, OF_CATBOOST),
    ),
    Variant(
        "`set_probability_threshold(0.3)` and `metadata.best_threshold`",
        train=training.with_threshold,
        metadata={"best_threshold": 0.4},
        threshold=Threshold(0.4, "metadata.best_threshold"),
    ),
    Variant(
        "a tag of the model version, in the registry",
        finish=of_registry("0.35", "tag best_threshold of the model version"),
        threshold=Threshold(0.35, "tag best_threshold of the model version"),
    ),
    Variant(
        "a parameter of the run, in the registry",
        finish=of_registry("0.45", "parameter threshold of the run"),
        threshold=Threshold(0.45, "parameter threshold of the run"),
    ),
    Variant(
        "none, with the setting `DEFAULT_THRESHOLD=0.2`",
        assumptions=Assumptions(threshold=0.2),
        threshold=Threshold(0.2, DEFAULT),
    ),
    Variant("a threshold of 40, meant as per cent", metadata={"best_threshold": 40}, rejected="threshold-invalid"),
    Variant("a threshold that is text", metadata={"threshold": "high"}, rejected="threshold-invalid"),
    Variant(
        "a tag of the run that is no number, in the registry",
        finish=of_registry("high", "tag threshold of the run"),
        rejected="threshold-invalid",
    ),
)
